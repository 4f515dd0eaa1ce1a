"""The feed against daemons that run: what it learns, that it says when one is gone, and that it comes back."""

import io
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from daemons.ops.ask import Place
from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError, Unreachable
from daemons.ops.logring import PROCESS_RING
from daemons.ops.logs import configure_logs
from tests.whole.stage import SITE, open_stage
from tests.whole.test_admin import FILE, admin_token, tree
from tui.feed import Direct, Feeds, open_feeds
from tui.feed.feed import LOG_FIRST
from tui.model import FeedState, Model, SiteState
from tui.model.tracebook import legs


async def until(condition: Callable[[], Any], within_s: float = 30.0) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.01)


@asynccontextmanager
async def watching(*clients: tuple[str, AdminClient]) -> AsyncIterator[Feeds]:
    feeds = open_feeds([(name, Direct(client)) for name, client in clients], hz=4.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feeds.run)
        await until(lambda: len(feeds.model.feeds) == len(clients))
        yield feeds
        nursery.cancel_scope.cancel()


def sockets(folder: Path) -> list[tuple[str, AdminClient]]:
    return [(name, AdminClient(folder / name / ADMIN_SOCKET)) for name in ("cloud", "pits")]


def state(model: Model, daemon: str) -> SiteState:
    return model.sites[daemon, SITE].state


async def test_hub_and_site_are_told_at_once_and_a_deed_is_seen(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert (await stage.origin(FILE)).status_code == 200
        async with watching(*sockets(tmp_path)) as feeds:
            model = feeds.model
            say(1)
            await until(lambda: len(model.sites) == 2 and len(model.actions) == 2)
            await until(lambda: {row.daemon for row in model.log.tail(9)} == {"cloud", "pits"})
            assert (state(model, "cloud"), state(model, "pits")) == (SiteState.CONNECTED,) * 2
            assert {view.kind for view in model.daemons.values()} == {"cloud", "pits"}
            assert model.sites["cloud", SITE].fetches is not None
            feeds.look_at_all([("cloud", SITE)])
            assert (await feeds.act("cloud", "site.pause", {"site": SITE}))["status"] == "DONE"
            await until(lambda: state(model, "cloud") is state(model, "pits") is SiteState.PAUSED)
            await until(lambda: [row.action for row in model.audit if row.daemon == "cloud"])
            assert "site.pause" in {row.action for row in model.audit}
            await until(lambda: [row.status for row in model.commands["cloud", SITE]] == ["DONE"])
            assert [rule.pattern for rule in model.rules["cloud", SITE]] == [
                rule.pattern for rule in model.rules["pits", SITE]
            ]
            assert model.dead["cloud", SITE] == ()
            with pytest.raises(AdminError, match="no site"):
                await feeds.act("cloud", "site.pause", {"site": "elsewhere"})
            with pytest.raises(Unreachable, match="not watched"):
                await feeds.act("moon", "pause", {})


async def test_a_daemon_that_goes_is_said_and_comes_back_by_itself(tmp_path: Path) -> None:
    """Pits ends and starts again on its folder: its site is gone at the hub, its feed lost, then all is as it was."""
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        async with watching(*sockets(tmp_path)) as feeds:
            model = feeds.model
            say(1)
            await until(lambda: len(model.daemons) == 2 and said(model, 1) == {"cloud", "pits"})
            await stage.stop_pits()
            await until(lambda: model.feeds["pits"].state is FeedState.LOST)
            assert "no daemon listens there" in model.feeds["pits"].words
            assert model.feeds["pits"].heard_at is not None and model.sites["pits", SITE]  # remembered
            await until(lambda: state(model, "cloud") is SiteState.GONE)
            assert {(alarm.daemon, alarm.site) for alarm in model.alarms} >= {("pits", ""), ("cloud", SITE)}
            version = model.version
            with pytest.raises(Unreachable, match="not connected"):
                await feeds.act("pits", "pause", {})
            await stage.start_pits()
            await until(lambda: model.feeds["pits"].state is FeedState.LIVE)
            await until(lambda: state(model, "cloud") is SiteState.CONNECTED)
            assert model.version > version
            await until(lambda: not [alarm for alarm in model.alarms if alarm.site == SITE])
            say(2)
            await until(lambda: said(model, 2) == {"cloud", "pits"})
            no_line_twice(model)


async def test_questions_to_a_daemon_are_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = 0
    connect = Place.connect

    async def counted(place: Place) -> trio.abc.Stream:
        nonlocal connections
        connections += 1
        return await connect(place)

    monkeypatch.setattr(Place, "connect", counted)
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        async with watching(sockets(tmp_path)[0]) as feeds:
            feeds.look_at_all([("cloud", SITE)])
            await until(lambda: ("cloud", SITE) in feeds.model.dead)
            for _ in range(4):
                heard_at = feeds.model.feeds["cloud"].heard_at
                await until(lambda before=heard_at: feeds.model.feeds["cloud"].heard_at != before)  # type: ignore[misc]
            assert connections <= 4, "the log's, one that rests, and what was asked beside that"


async def test_the_records_of_a_fetch_are_followed_and_those_of_before_are_found(tmp_path: Path) -> None:
    """Access records are in the ring at INFO; a trace is searched for in the logs of both, long after."""
    configure_logs(stream=io.StringIO())  # put back by itself
    trace, later = "4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736"
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        first = await stage.origin(FILE, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        assert first.headers["pitlink-trace"] == trace
        for _ in range(LOG_FIRST):  # what a terminal reads first no longer reaches back to it
            say(0)
        async with watching(*sockets(tmp_path)) as feeds:
            model = feeds.model
            await until(lambda: len(model.actions) == 2)
            assert not model.log.tail(9, lambda row: row.trace == trace)
            feeds.look_for(trace)
            await until(lambda: model.traces.answered(trace) == {"cloud", "pits"})
            found = [row for row in model.traces.rows(trace, model.log) if row.daemon == "cloud"]
            assert {row.said["side"] for row in found if row.event == "fetch"} == {"hub", "site"}
            (leg,) = legs(found)
            assert leg.hub_s is not None and leg.site_s is not None and leg.hub_s >= leg.site_s
            await stage.origin(FILE, traceparent=f"00-{later}-00f067aa0ba902b7-01")
            await until(lambda: model.log.tail(9, lambda row: row.trace == later and row.event == "fetch"))


def say(number: int) -> None:
    """Log something, as both daemons of a stage do: they are one process. By its time a feed tells one from another."""
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    PROCESS_RING.add("info", json.dumps({"event": "test.said", "number": number, "at": at}))


def said(model: Model, number: int) -> set[str]:
    return {row.daemon for row in model.log.tail(9, lambda row: row.said.get("number") == number)}


def no_line_twice(model: Model) -> None:
    """The log of one was followed anew: no line came twice."""
    for daemon in ("cloud", "pits"):
        rows = [row for row in model.log.tail(9999) if row.daemon == daemon]
        assert [row.number for row in rows] == sorted({row.number for row in rows})


async def test_who_is_not_let_in_is_told_so(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        token = await admin_token(stage)
        wrong = AdminClient(stage.page, token[:-6] + "AAAAAA")
        async with watching(("right", AdminClient(stage.page, token)), ("wrong", wrong)) as feeds:
            model = feeds.model
            await until(lambda: model.feeds["right"].state is FeedState.LIVE)
            await until(lambda: model.feeds["wrong"].state is FeedState.REFUSED)
            assert model.feeds["wrong"].words.startswith("not let in: ")
            assert token[-40:-6] not in str(model.feeds)


async def test_what_answers_and_is_no_daemon_is_said(tmp_path: Path) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"daemon": 17}')

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, answer, 0)
        port = listeners[0].socket.getsockname()[1]
        async with watching(("odd", AdminClient(f"http://127.0.0.1:{port}"))) as feeds:
            await until(lambda: feeds.model.feeds["odd"].state is FeedState.LOST)
            assert "no daemon that can be shown" in feeds.model.feeds["odd"].words
        nursery.cancel_scope.cancel()


async def test_a_daemon_that_does_not_answer_is_lost_and_tried_less_and_less_often(
    autojump_clock: Any,
) -> None:
    """Silence for 5 s, then waits that grow to 10 s; a key tries at once."""
    silent: list[float] = []

    class Silent(AdminClient):
        async def status(self) -> dict[str, Any]:
            silent.append(trio.current_time())
            await trio.sleep_forever()
            raise AssertionError

    async with watching(("still", Silent(Path("nowhere")))) as feeds:
        await trio.sleep(100)
        waits = [later - sooner - 5.0 for sooner, later in itertools.pairwise(silent)]
        assert waits[0] < 1.0 and 7.0 < waits[-1] <= 12.6
        assert feeds.model.feeds["still"].words == "no answer in 5 s"
        assert feeds.model.feeds["still"].tries in (len(silent), len(silent) - 1)
        await until(lambda: feeds.model.feeds["still"].tries == len(silent))
        asked = len(silent)
        feeds.feeds["still"].look_again()
        await trio.sleep(5.5)
        assert len(silent) > asked
