"""One site at the hub, over a real topic and a far end in memory: what it watches, follows and shows."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock, wait_all_tasks_blocked

from daemons.link.requests import Answer
from daemons.link.router import PeerRouter
from daemons.race.cache import Key, MemoryCache
from daemons.race.config import FetchBounds
from daemons.race.exchange import Ask, ask_from_wire, encode_answer, shorten, to_wire
from daemons.race.fetched import Fetched
from daemons.race.hub import ROW_GRACE_S, HubSite
from daemons.race.keeper import BoardKeeper
from daemons.race.paths import CURRENT, HOME
from daemons.race.remote import RemoteOrigin, Urgency
from daemons.race.watchrows import FAILING, WATCH_TOPIC, Row, row_of
from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import PathGate
from protocol.topics import Subscriber

from . import makers as make
from .fakes import SITE, FakePeer, across
from .field import EVENT, Field, fetched, open_field, race_path


@define(eq=False)
class Rows(Subscriber):
    """The topic as the hub sees it, written by the test."""

    def __init__(self) -> None:
        super().__init__(WATCH_TOPIC)

    def tell(self, path: str, row: bytes | None) -> None:
        if row is None:
            self._rows.pop(path, None)
        else:
            self._rows[path] = row
        self._changed.add(path)


@define(eq=False)
class Stage:
    day: Field
    peer: FakePeer
    rows: Rows
    cache: MemoryCache
    hub: HubSite
    fetches: list[str] = field(factory=list)
    watched: dict[str, list[Any]] = field(factory=dict)
    batches: list[Mapping[str, Any]] = field(factory=list)
    watch_error: RequestError | None = None
    hold: trio.Event | None = None
    as_of: float | None = None
    fetch_error: RequestError | None = None

    async def answer(self, method: str, params: Mapping[str, Any]) -> Answer:
        await trio.lowlevel.checkpoint()
        if method == "watch":
            if self.hold is not None:
                await self.hold.wait()
            return self._watch(params)
        ask = ask_from_wire(across(params))
        self.fetches.append(ask.path)
        if self.fetch_error is not None:
            raise self.fetch_error
        told, encoded = encode_answer(await self.day.fetch(ask.path), ask, 0, lambda short: None)
        return Answer(across(to_wire(told)), encoded)

    def _watch(self, params: Mapping[str, Any]) -> Answer:
        if self.watch_error is not None:
            raise self.watch_error
        self.batches.append(across(params))
        if params.get("n"):
            self.watched.clear()
        for path in params.get("x", []):
            self.watched.pop(path, None)
        for path, *rest in params.get("w", []):
            self.watched[path] = rest
        known = {} if self.as_of is None else {"u": int(self.as_of * 1e6)}
        return Answer({"d": [], **known}, b"")

    def push(self, path: str, read_at: float | None = None) -> None:
        told, encoded = encode_answer(fetched(path, self.day.files[path]), Ask(path), 0, lambda short: None)
        read = {} if read_at is None else {"u": int(read_at * 1e6)}
        self.peer.on_push["body"]({**across(to_wire(told)), "p": path, **read}, encoded)

    def tell(self, path: str, *, as_of: float | None = None, row: Row | None = None) -> None:
        """Let the site's row of `path` come in."""
        if row is None:
            row = row_of(fetched(path, self.day.files[path]))
        self.rows.tell(path, row.encode())
        self.read_at(trio.current_time() if as_of is None else as_of)

    def read_at(self, as_of: float) -> None:
        self.rows.as_of_us = int(as_of * 1e6)
        for callback in self.peer.on_update:
            callback(WATCH_TOPIC)

    async def settle(self) -> None:
        """Follow until everything that the board wants has been fetched."""
        await trio.sleep(5)
        self.fetches.clear()


@asynccontextmanager
async def hub(cache: MemoryCache | None = None, *, connected: bool = True) -> AsyncIterator[Stage]:
    day = open_field([101, 102])
    day.put(CURRENT, {"CurrentRace": make.race_id(101)})
    peer = FakePeer()
    cache = cache or MemoryCache()
    remote = RemoteOrigin(
        PeerRouter({SITE: peer.as_peer}), SITE, cache, trio.current_time, FetchBounds, PathGate()
    )
    rows = Rows()
    site = HubSite(peer.as_peer, cache, remote, BoardKeeper(), rows, trio.current_time)
    stage = Stage(day, peer, rows, cache, site)
    peer.answer = stage.answer
    if not connected:
        peer.connection = None
    async with trio.open_nursery() as nursery:
        await site.load()
        nursery.start_soon(site.run)
        yield stage
        nursery.cancel_scope.cancel()


async def pushed_all(stage: Stage) -> None:
    """Let the site push whatever is watched, until nothing new is."""
    sent: set[str] = set()
    await wait_all_tasks_blocked()
    while fresh := [path for path in stage.watched if path not in sent and path in stage.day.files]:
        for path in fresh:
            sent.add(path)
            stage.push(path)
            stage.tell(path)
            await wait_all_tasks_blocked()
    await stage.settle()


async def test_the_board_grows_from_what_is_pushed_and_the_plan_follows(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await wait_all_tasks_blocked()
        assert set(stage.watched) == {HOME}
        await pushed_all(stage)
        assert {EVENT, race_path(101), race_path(102)} <= set(stage.watched)
        assert stage.hub.keeper.board["headline"] == "Race 1-1 is next"
        stage.day.race(101, start=make.START)
        stage.push(race_path(101))
        await wait_all_tasks_blocked()
        assert stage.hub.keeper.is_live
        period_ms, priority, _ = stage.watched[race_path(101)]
        assert (period_ms, priority) == (500, 0)
        assert stage.hub.urgency_of(race_path(101)) is Urgency.LIVE
        assert stage.fetches == []


async def test_a_row_whose_push_did_not_come_is_fetched_after_a_while(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        stage.day.race(101, start=make.START)
        stage.tell(race_path(101))
        await trio.sleep(ROW_GRACE_S - 0.1)
        assert stage.fetches == []
        await trio.sleep(0.2)
        assert stage.fetches == [race_path(101)]
        assert stage.hub.keeper.is_live


async def test_a_row_of_what_is_already_here_asks_for_nothing_and_carries_the_age_on(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        before = stage.hub.keeper.as_of
        stage.tell(race_path(101))
        assert stage.hub.keeper.as_of == trio.current_time() != before
        await trio.sleep(20)
        stage.read_at(trio.current_time() - 3)
        assert stage.hub.keeper.as_of == trio.current_time() - 3
        assert stage.fetches == []


async def test_an_age_is_of_what_the_site_knows_to_be_hot_and_of_nothing_else(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        keeper = stage.hub.keeper
        await trio.sleep(60)
        read_at = keeper._read_at[race_path(102)]
        stage.read_at(trio.current_time())
        assert keeper._read_at[race_path(101)] == trio.current_time()
        # Another race is selected, whose file was read a minute ago. The site does not know yet what is hot now.
        stage.hold, stage.fetch_error = trio.Event(), RequestError(ErrorCode.BUSY, "8 in flight")
        stage.day.put(CURRENT, {"CurrentRace": make.race_id(102)})
        stage.push(CURRENT)
        stage.tell(CURRENT)
        await wait_all_tasks_blocked()
        assert keeper.as_of == read_at
        await trio.sleep(1)
        stage.read_at(trio.current_time())
        assert keeper.as_of == read_at, "that was of the other race"
        stage.as_of = trio.current_time() - 0.5
        stage.hold.set()
        await wait_all_tasks_blocked()
        assert keeper.as_of == stage.as_of, "with its answer"
        await trio.sleep(3)
        stage.read_at(trio.current_time())
        assert keeper.as_of == trio.current_time()
        assert stage.fetches == [race_path(102)]


async def test_a_race_that_was_at_rest_is_read_before_it_counts_as_fresh(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        await trio.sleep(60)
        stage.day.put(CURRENT, {"CurrentRace": make.race_id(102)})
        stage.push(CURRENT)
        await wait_all_tasks_blocked()
        assert stage.hub.keeper.board["headline"] == "Race 1-2 is next"
        assert stage.fetches == [race_path(102)]
        assert stage.hub.keeper.as_of == trio.current_time()
        stage.tell(CURRENT)
        await trio.sleep(5)
        assert stage.fetches == [race_path(102)]


async def test_a_push_is_as_old_as_its_read_however_long_it_was_under_way(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        for reads, under_way_s in ((True, 8.0), (False, 0.0)):  # an older site does not say when it read
            await trio.sleep(20)
            stage.day.put(race_path(101), [make.race(1, in_round=1, target=int(5 + under_way_s))])
            stage.push(race_path(101), trio.current_time() - 8 if reads else None)
            await wait_all_tasks_blocked()
            assert stage.hub.keeper.as_of == pytest.approx(trio.current_time() - under_way_s, abs=1e-3)


async def test_an_unknown_race_is_looked_at_at_once(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        race = [make.race(1, in_round=1, seats={9: 9, 2: 10}, start=make.START)]  # a pilot whom no list has
        stage.day.put(race_path(101), race)
        before = dict(stage.watched)
        stage.push(race_path(101))
        await wait_all_tasks_blocked()
        hasty = [
            path
            for path, wish in stage.watched.items()
            if wish[0] <= 1000 and before.get(path, [1e9])[0] > 1000
        ]
        assert any(path.endswith("/Pilots.json") for path in hasty)


async def test_the_board_says_why_the_site_cannot_read_and_when_it_can_again(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        for code, words in ((ErrorCode.ORIGIN_DOWN, "timing program"), (ErrorCode.PAUSED, "paused")):
            stage.tell(race_path(101), row=Row(b"", FAILING, code), as_of=trio.current_time() - 1)
            why = stage.hub.keeper.freshness(trio.current_time()).why
            assert why is not None and words in why
            await trio.sleep(5)
            assert stage.hub.keeper.freshness(trio.current_time()).why == why
            stage.tell(race_path(101))
            await trio.sleep(1)
            assert stage.hub.keeper.freshness(trio.current_time()).why is None
        assert stage.fetches == []


async def test_with_the_link_down_the_board_says_so_and_the_next_one_begins_anew(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        stage.read_at(trio.current_time())
        assert stage.hub.keeper.as_of == trio.current_time()  # it has been acted on
        stage.peer.go_down()
        assert stage.hub.keeper.freshness(trio.current_time()).why == "The field is offline"
        stage.batches.clear()
        stage.peer.come_up()
        await wait_all_tasks_blocked()
        as_of_us = stage.rows.as_of_us
        assert as_of_us is not None
        stage.read_at(as_of_us / 1e6)  # the same as before: nothing was read meanwhile
        assert stage.hub.keeper.freshness(trio.current_time()).why is None
        assert stage.batches[0].get("n") is True
        assert not any(batch.get("n") for batch in stage.batches[1:])
        copy = await stage.cache.get(Key(SITE, "GET", EVENT))
        assert copy is not None
        assert stage.watched[EVENT][2] == shorten(copy.digest)


async def test_a_watch_that_was_refused_is_asked_again(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        stage.watch_error = RequestError(ErrorCode.BUSY, "8 in flight")
        stage.peer.come_up()
        await trio.sleep(3)
        assert stage.watched == {}
        stage.watch_error = None
        await trio.sleep(1.1)
        assert set(stage.watched) == {HOME}


async def test_a_restarted_hub_shows_what_it_has_with_its_age_before_the_site_is_there(
    autojump_clock: MockClock,
) -> None:
    cache = MemoryCache()
    day = open_field([101])
    day.race(101, start=make.START)
    day.put(CURRENT, {"CurrentRace": make.race_id(101)})
    for path, body in day.files.items():
        await cache.put(Key(SITE, "GET", path), fetched(path, body))
    await trio.sleep(100)
    async with hub(cache, connected=False) as stage:
        assert stage.hub.keeper.board["headline"] == "Race 1-1 is on"
        assert stage.hub.keeper.freshness(trio.current_time()).age_s == 100.0


async def test_purged_copies_are_fetched_again(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        await stage.hub.purge("/events/")
        await trio.sleep(1)
        assert set(stage.fetches) == {path for path in stage.watched if path.startswith("/events/")}
        copy: Fetched | None = await stage.cache.get(Key(SITE, "GET", EVENT))
        assert copy is not None


async def test_what_was_under_way_when_the_link_went_does_not_bring_the_field_back(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        await pushed_all(stage)
        stage.day.race(101, start=make.START, flown={1: [4.0, 9.5]})
        stage.push(race_path(101))
        stage.peer.go_down()
        await trio.sleep(1)
        board = stage.hub.keeper.board
        assert board["race"]["rows"][0]["last"] == 9.5
        assert stage.hub.keeper.freshness(trio.current_time()).why == "The field is offline"
