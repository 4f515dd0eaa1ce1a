"""The live page in a real browser, served by the real front: what a person sees of a race and of a cut."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from starlette.applications import Starlette

from daemons.race.keeper import BoardKeeper
from daemons.race.pages import race_routes
from daemons.web.assets import read_assets
from daemons.web.front import serve_http
from tests.browser import Page, open_page

from . import makers as make
from .field import PILOTS, Field, feed, fetched, open_field

pytestmark = pytest.mark.browser

LIVE: dict[str, Any] = {"start": make.START}
HOSTILE = ["<img src=x onerror=alert(1)>", "\u202etsrif", "🏁" * 60]


def hostile_field() -> Field:
    day = open_field([101, 102], Name="<script>document.title='run'</script>")
    day.put(PILOTS, [make.pilot(n, name) for n, name in enumerate(HOSTILE, 1)])
    day.race(101, **LIVE, seats={1: 9, 2: 10, 3: 2})
    return day


def lap(keeper: BoardKeeper, day: Field, flown: dict[int, list[float]]) -> None:
    path = day.race(101, **LIVE, seats={1: 9, 2: 10, 3: 2}, flown=flown)
    keeper.apply(path, fetched(path, day.files[path], time.time()))


@asynccontextmanager
async def serving(boards: dict[str, BoardKeeper], port: int = 0) -> AsyncIterator[int]:
    app = Starlette(routes=race_routes(lambda: boards, read_assets(), utc_now=time.time))
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, listeners, app)
        yield port
        nursery.cancel_scope.cancel()


async def keep_reading(keeper: BoardKeeper) -> None:
    """The field's files are read again and again, and are as they were."""
    while True:
        keeper.confirm(time.time(), [watch.path for watch in keeper.watches()])
        await trio.sleep(0.2)


async def rows(page: Page) -> list[list[str]]:
    cells = "[...r.children].map(c => c.innerText.replace(/\\s+/g, ' ').trim())"
    found: list[list[str]] = await page.evaluate(
        f"[...document.querySelectorAll('#race tbody tr')].map(r => {cells})"
    )
    return found


async def test_a_race_as_a_spectator_sees_it(tmp_path: Path) -> None:
    day = hostile_field()
    keeper = BoardKeeper()
    feed(keeper, day, time.time())
    async with open_page(tmp_path / "profile") as page:
        with trio.fail_after(40):
            async with trio.open_nursery() as reading:
                async with serving({"pits": keeper}) as port:
                    await page.open(f"http://127.0.0.1:{port}/")
                    await page.until("document.body.classList.contains('live')")
                    reading.start_soon(keep_reading, keeper)
                    lap(keeper, day, {1: [4.0, 9.5], 2: [4.25, 9.0, 68.126]})
                    await page.until("document.querySelector('#race tbody .place')?.innerText === '1'")
                    seen = await rows(page)
                    assert [row[0] for row in seen] == ["1", "2", "–"]
                    assert seen[0][1].startswith(HOSTILE[1])
                    assert seen[0][2:] == ["2/3", "1:08.13", "9.00"]
                    assert seen[1][1].startswith(HOSTILE[0])
                    await page.until("document.getElementById('age').innerText === 'up to date'")
                    await page.screenshot(tmp_path / "live.png")
                    assert "onerror" in await page.text()
                    assert (await page.evaluate("document.title")).startswith("Race 1-1 is on · <script>")
                    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
                    assert page.problems == []
                    reading.cancel_scope.cancel()


async def test_a_cut_is_seen_and_healed_without_a_hand(tmp_path: Path) -> None:
    day = hostile_field()
    keeper = BoardKeeper()
    feed(keeper, day, time.time())
    async with open_page(tmp_path / "profile") as page:
        with trio.fail_after(60):
            async with serving({"pits": keeper}) as port:
                await page.open(f"http://127.0.0.1:{port}/")
                await page.until("document.body.classList.contains('live')")
            await page.until("document.getElementById('age').innerText.includes('No connection')")
            await page.until("!document.getElementById('stale').hidden")
            await page.screenshot(tmp_path / "stale.png")
            text = await page.text()
            assert "OLD DATA" in text
            assert "No connection" in text
            lap(keeper, day, {1: [4.0, 9.5]})
            async with serving({"pits": keeper}, port):
                await page.until("document.querySelector('#race tbody')?.innerText.includes('9.50')")
                await page.until("document.getElementById('stale').hidden")


async def test_with_several_fields_one_is_chosen(tmp_path: Path) -> None:
    boards = {}
    for name in ("north", "south"):
        boards[name] = BoardKeeper()
        feed(boards[name], open_field([101], Name=f"{name.title()} Cup"), time.time())
    async with open_page(tmp_path / "profile") as page:
        with trio.fail_after(30):
            async with serving(boards) as port:
                await page.open(f"http://127.0.0.1:{port}/")
                await page.until("document.querySelectorAll('#sites-list a').length === 2")
                await page.evaluate("document.querySelectorAll('#sites-list a')[1].click()")
                await page.until("document.getElementById('event').innerText === 'South Cup'")
                assert (await page.evaluate("location.search")) == "?site=south"
                assert "Race 1-1 is next" in await page.text()
                await page.until("!document.getElementById('other-sites').hidden")
                assert page.problems == []
