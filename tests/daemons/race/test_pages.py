"""The pages: the board as JSON, the stream, the files; over ASGI, with nothing of a server."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from trio.testing import MockClock

from daemons.race.keeper import BoardKeeper
from daemons.race.pages import race_routes
from daemons.race.stream import IDLE_AGE_S, LIVE_AGE_S, SiteNews
from daemons.web.assets import STATIC, read_assets
from protocol.errors import ErrorCode, RequestError

from . import makers as make
from .field import Field, feed, fetched, open_field, race_path

LIVE: dict[str, Any] = {"start": make.START}


def app_of(boards: dict[str, BoardKeeper]) -> Starlette:
    return Starlette(routes=race_routes(lambda: boards, read_assets(), utc_now=trio.current_time))


def client_of(boards: dict[str, BoardKeeper]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app_of(boards)), base_url="http://pits")


def keeper_of(day: Field) -> BoardKeeper:
    keeper = BoardKeeper()
    feed(keeper, day, trio.current_time())
    return keeper


def lap(keeper: BoardKeeper, day: Field, lengths: list[float]) -> None:
    """Pilot 1 has flown these lengths, and it was just read."""
    path = day.race(101, **LIVE, flown={1: lengths}, target=9)
    keeper.apply(path, fetched(path, day.files[path], trio.current_time()))


# --- the board as JSON ---


async def test_the_board_is_served_with_its_age(autojump_clock: MockClock) -> None:
    day = open_field([101], Name="Coupe d’hiver 🏁")
    keeper = keeper_of(day)
    await trio.sleep(2.5)
    async with client_of({"pits": keeper}) as client:
        answer = await client.get("/api/board")
        same = await client.get("/api/sites/pits/board")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    value = answer.json()
    assert value["board"] == {"version": keeper.version, **keeper.board}
    assert (value["age_s"], value["stale"], value["why"]) == (2.5, False, None)
    assert value["as_of"] == answer.headers["pitlink-as-of"] == "1970-01-01T00:00:00.000Z"
    assert "pitlink-stale" not in answer.headers
    assert same.content == answer.content


async def test_a_board_that_is_known_is_not_sent_again(autojump_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    async with client_of({"pits": keeper}) as client:
        etag = (await client.get("/api/board")).headers["etag"]
        await trio.sleep(3)
        for header in (etag, f'"other", {etag}', "*", etag.removeprefix("W/")):
            answer = await client.get("/api/board", headers={"If-None-Match": header})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        lap(keeper, day, [4.0])
        answer = await client.get("/api/board", headers={"If-None-Match": etag})
        assert answer.status_code == 200
        assert answer.headers["etag"] != etag


async def test_an_old_board_says_so(autojump_clock: MockClock) -> None:
    keeper = keeper_of(open_field([101]))
    async with client_of({"pits": keeper}) as client:
        etag = (await client.get("/api/board")).headers["etag"]
        keeper.failed("/", RequestError(ErrorCode.DISCONNECTED))
        await trio.sleep(1000)
        answer = await client.get("/api/board", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["pitlink-stale"] == "true"
    assert (answer.json()["stale"], answer.json()["why"]) == (True, "The field is offline")


async def test_before_anything_was_read_the_board_is_no_error() -> None:
    async with client_of({"pits": BoardKeeper()}) as client:
        answer = await client.get("/api/board")
    assert (answer.status_code, answer.headers["pitlink-as-of"]) == (200, "never")
    assert (answer.json()["age_s"], answer.json()["stale"]) == (None, True)


async def test_of_several_sites_one_is_to_be_named() -> None:
    boards = {"north": BoardKeeper(), "south": BoardKeeper()}
    async with client_of(boards) as client:
        assert (await client.get("/api/sites/north/board")).status_code == 200
        for path in ("/api/board", "/api/sites/west/board"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["sites"]) == (404, ["north", "south"])


# --- the files ---


async def test_the_page_reads_nothing_from_anybody_else() -> None:
    async with client_of({"pits": BoardKeeper()}) as client:
        page = await client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        assert page.headers["x-content-type-options"] == "nosniff"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        names = ["live.css", "live.js", "icon.svg"]
        for name in names:
            assert f'"/static/{name}?v=' in page.text
        texts = [page.text, *[(await client.get(f"/static/{name}")).text for name in names]]
    for text in texts:
        for address in (part.split('"')[0] for part in text.split("//")[1:]):
            assert not address.startswith(("cdn", "fonts", "unpkg")), address
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "innerHTML" not in texts[2]


async def test_pinned_files_may_be_kept_and_the_page_is_asked_for_again() -> None:
    async with client_of({"pits": BoardKeeper()}) as client:
        page = await client.get("/")
        pinned = page.text.split('src="')[1].split('"')[0]
        script = await client.get(pinned)
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (await client.get("/static/live.js?v=old")).headers["cache-control"] == "no-cache"
        again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == page.headers["content-security-policy"]


async def test_files_are_packed_for_who_can_unpack_them() -> None:
    plain = (STATIC / "live.css").read_bytes()
    async with client_of({"pits": BoardKeeper()}) as client:
        packed = await client.get("/static/live.css", headers={"Accept-Encoding": "gzip, br"})
        whole = await client.get("/static/live.css", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert (packed.content, whole.content) == (plain, plain)
    assert int(packed.headers["content-length"]) < len(plain) / 2


@pytest.mark.parametrize(
    "path", ["/static/none.js", "/static/index.html", "/static/..%2fassets.py", "/static/"]
)
async def test_what_is_no_file_is_not_there(path: str) -> None:
    async with client_of({"pits": BoardKeeper()}) as client:
        assert (await client.get(path)).status_code == 404


def test_a_page_that_names_a_file_that_is_not_there_is_found_at_start(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<script src="/static/gone.js"></script>')
    with pytest.raises(KeyError, match=r"gone\.js"):
        read_assets(tmp_path)
    (tmp_path / "gone.js").write_text("1")
    assert gzip.decompress(read_assets(tmp_path).files["page.html"].packed).count(b"?v=") == 1


# --- the stream ---


class Viewer:
    """An ASGI client that reads a stream, and may stop reading."""

    def __init__(self, app: Starlette, query: str = "", last_event_id: str | None = None) -> None:
        self._app = app
        headers = [(b"host", b"pits")]
        if last_event_id is not None:
            headers.append((b"last-event-id", last_event_id.encode()))
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "path": "/events",
            "raw_path": b"/events",
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "headers": headers,
            "server": ("pits", 80),
            "client": ("viewer", 1),
        }
        self.text = ""
        self.sends = 0
        self.start: dict[str, Any] = {}
        self.is_complete = False
        self.is_broken = False
        self.gone = trio.Event()
        self._may_read = trio.Event()
        self._may_read.set()

    async def run(self) -> None:
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if self.is_broken:
                raise ConnectionError("the client is gone")
            if message["type"] == "http.response.start":
                self.start = message
                return
            await self._may_read.wait()
            self.sends += 1
            self.text += message["body"].decode()
            self.is_complete = not message["more_body"]

        await self._app(self._scope, receive, send)

    def stop_reading(self) -> None:
        self._may_read = trio.Event()

    def read_on(self) -> None:
        self._may_read.set()

    def events(self, kind: str) -> list[Any]:
        found = []
        for block in self.text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if fields.get("event") == kind:
                found.append(json.loads(fields["data"]))
        return found


@asynccontextmanager
async def watching(*viewers: Viewer) -> AsyncIterator[Callable[[], None]]:
    async with trio.open_nursery() as nursery:
        for viewer in viewers:
            nursery.start_soon(viewer.run)
        await trio.testing.wait_all_tasks_blocked()
        yield nursery.cancel_scope.cancel
        nursery.cancel_scope.cancel()


async def test_a_viewer_gets_the_board_at_once_and_then_every_change(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    async with watching(viewer):
        headers = dict(viewer.start["headers"])
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert headers[b"cache-control"] == b"no-store"
        assert viewer.events("sites") == [{"sites": ["pits"], "site": "pits"}]
        assert viewer.events("board") == [{"version": keeper.version, **keeper.board}]
        assert viewer.events("age") == [{"age_s": 0.0, "stale_after_s": 45.0, "stale": False, "why": None}]
        for laps in range(1, 4):
            lap(keeper, day, [4.0] * (laps + 1))
            await trio.testing.wait_all_tasks_blocked()
        boards = viewer.events("board")
        assert [board["race"]["rows"][0]["laps"] for board in boards[1:]] == [1, 2, 3]
        assert len(viewer.events("sites")) == 1


async def test_the_age_is_told_while_nothing_changes(autojump_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    async with watching(viewer):
        await trio.sleep(12)
        assert [age["age_s"] for age in viewer.events("age")] == [0.0, IDLE_AGE_S, 2 * IDLE_AGE_S]
        lap(keeper, day, [4.0])
        await trio.sleep(5)
        ages = viewer.events("age")[3:]
        assert [age["age_s"] for age in ages] == [0.0, LIVE_AGE_S, 2 * LIVE_AGE_S]
        keeper.failed("/", RequestError(ErrorCode.ORIGIN_DOWN))
        await trio.sleep(5)
        ages = viewer.events("age")[6:]
        assert [(round(age["age_s"]), age["stale"]) for age in ages] == [(5, False), (7, True), (9, True)]
        assert ages[0]["why"] == "The timing program does not answer"
        assert len(viewer.events("board")) == 2


async def test_many_viewers_cost_one_encoding_a_change(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    app = app_of({"pits": keeper})
    viewers = [Viewer(app) for _ in range(100)]
    async with watching(*viewers):
        before = keeper.encodings
        lap(keeper, day, [4.0, 9.0])
        await trio.testing.wait_all_tasks_blocked()
        assert keeper.encodings == before + 1
        assert {viewer.text for viewer in viewers} == {viewers[0].text}
        assert len(viewers[0].events("board")) == 2


async def test_a_slow_viewer_misses_versions_but_not_the_newest(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    slow = Viewer(app_of({"pits": keeper}))
    async with watching(slow):
        slow.stop_reading()
        for laps in range(1, 50):
            lap(keeper, day, [4.0] * (laps + 1))
            await trio.testing.wait_all_tasks_blocked()
        slow.read_on()
        await trio.testing.wait_all_tasks_blocked()
        boards = slow.events("board")
        assert [board["race"]["rows"][0]["laps"] for board in boards[1:]] == [
            1,
            9,
        ]  # the one under way, the newest
        assert boards[-1]["race"]["rows"][0]["over_target"] == 40


async def test_who_comes_back_with_the_board_is_not_sent_it_again(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    app = app_of({"pits": keeper})
    first = Viewer(app)
    async with watching(first):
        name = first.text.split("id: ")[1].split("\n")[0]
    back, late = Viewer(app, last_event_id=name), Viewer(app, last_event_id="another")
    async with watching(back, late):
        assert (len(back.events("board")), len(back.events("age"))) == (0, 1)
        assert len(late.events("board")) == 1
        lap(keeper, day, [4.0])
        await trio.testing.wait_all_tasks_blocked()
        assert len(back.events("board")) == 1


async def test_a_site_that_comes_or_goes_is_told_at_once(mock_clock: MockClock) -> None:
    boards = {"north": keeper_of(open_field([101])), "south": keeper_of(open_field([102]))}
    news = SiteNews()
    routes = race_routes(lambda: boards, read_assets(), utc_now=trio.current_time, news=news)
    app = Starlette(routes=routes)
    chooses, watches, slow = Viewer(app), Viewer(app, "site=north"), Viewer(app, "site=south")
    async with watching(chooses, watches, slow):
        slow.stop_reading()
        gone = boards.pop("north")
        news.tell()
        await trio.testing.wait_all_tasks_blocked()
        assert chooses.events("sites")[-1] == {"sites": ["south"], "site": "south"}
        assert watches.events("sites")[-1] == {"sites": ["south"], "site": None}
        boards["north"] = gone
        news.tell()
        await trio.testing.wait_all_tasks_blocked()
        assert watches.events("sites")[-1] == {"sites": ["north", "south"], "site": "north"}
        assert len(watches.events("board")) == 2
        slow.read_on()
        await trio.testing.wait_all_tasks_blocked()
        assert slow.events("sites")[-1] == {"sites": ["north", "south"], "site": "south"}


async def test_the_stream_ends_when_the_viewer_leaves(autojump_clock: MockClock) -> None:
    viewer = Viewer(app_of({"pits": keeper_of(open_field([101]))}))
    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(viewer.run)
            await trio.testing.wait_all_tasks_blocked()
            viewer.gone.set()
    assert viewer.is_complete


async def test_a_viewer_who_breaks_off_breaks_nothing(autojump_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(viewer.run)
            await trio.testing.wait_all_tasks_blocked()
            viewer.is_broken = True
            lap(keeper, day, [4.0])
    assert not viewer.is_complete


async def test_with_several_sites_the_viewer_chooses(autojump_clock: MockClock) -> None:
    north, south = open_field([101], Name="North Cup"), open_field([101], Name="South Cup")
    boards = {"north": keeper_of(north), "south": keeper_of(south)}
    app = app_of(boards)
    viewers = [Viewer(app), Viewer(app, "site="), Viewer(app, "site=south"), Viewer(app, "site=west")]
    async with watching(*viewers):
        for viewer in (viewers[0], viewers[1], viewers[3]):
            assert viewer.events("sites") == [{"sites": ["north", "south"], "site": None}]
            assert viewer.events("board") == []
        assert viewers[2].events("sites") == [{"sites": ["north", "south"], "site": "south"}]
        assert viewers[2].events("board")[0]["event"]["name"] == "South Cup"
        boards["west"] = BoardKeeper()
        await trio.sleep(2 * IDLE_AGE_S)
        assert viewers[3].events("sites")[-1]["site"] == "west"
        assert viewers[3].events("board")[0]["phase"] == "no_event"


async def test_a_site_that_appears_is_shown_and_stays_when_others_come(autojump_clock: MockClock) -> None:
    boards: dict[str, BoardKeeper] = {}
    viewer = Viewer(app_of(boards))
    async with watching(viewer):
        assert viewer.events("sites") == [{"sites": [], "site": None}]
        boards["north"] = BoardKeeper()
        await trio.sleep(2 * IDLE_AGE_S)
        assert viewer.events("sites")[-1] == {"sites": ["north"], "site": "north"}
        assert len(viewer.events("board")) == 1
        boards["south"] = BoardKeeper()
        await trio.sleep(2 * IDLE_AGE_S)
        assert viewer.events("sites")[-1] == {"sites": ["north", "south"], "site": "north"}
        del boards["north"]
        await trio.sleep(2 * IDLE_AGE_S)
        assert viewer.events("sites")[-1] == {"sites": ["south"], "site": "south"}
        assert len(viewer.events("board")) == 2  # the same bytes, but the page had something else on it


async def test_a_name_cannot_break_out_of_the_stream(mock_clock: MockClock) -> None:
    day = open_field([101], Name="a\n\nevent: board\r\ndata: {}\u2028\u2029")
    viewer = Viewer(app_of({"pits": keeper_of(day)}))
    async with watching(viewer):
        (board,) = viewer.events("board")
        assert board["event"]["name"] == "a event: board data: {}"


async def test_a_lap_reaches_the_viewer_without_a_wait(mock_clock: MockClock) -> None:
    """Nothing between the keeper and the stream waits for a clock."""
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    async with watching(viewer):
        keeper.apply(race_path(101), fetched(day.race(101, **LIVE), day.files[race_path(101)]))
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == 0.0
        assert viewer.events("board")[-1]["phase"] == "live"
