"""The light as it runs: what the hub has and what the link carried, looked at each second and kept over restarts."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing
from attrs import define, field
from trio.testing import MockClock

from daemons.link.dial import NO_INTERNET
from daemons.link.figures import Traffic
from daemons.link.peer import Peer
from daemons.ops.health import Health
from daemons.race.exchange import shorten
from daemons.race.fetched import Fetched
from daemons.race.keeper import BoardKeeper
from daemons.race.lightkeeper import MIGRATIONS, WATCHED_S, WRITE_S, LightKeeper
from daemons.race.origin import LocalOrigin, OriginState
from daemons.race.site import SiteService
from daemons.store import Store, open_store
from protocol.errors import ErrorCode, RequestError
from protocol.linkstatus import LinkStatus, Status
from protocol.topics import Publisher

from .field import feed, fetched, open_field, race_path

TOPIC = "watch"
UTC = 1_770_400_000.0


@define(eq=False)
class FakeConnection:
    has_pushed_all: bool = True


@define(eq=False)
class FakeLink:
    """As much of a peer as the light looks at; its counters are the test's."""

    carried: Traffic = field(factory=Traffic)
    connection: FakeConnection | None = None
    publishers: dict[str, Publisher] = field(factory=lambda: {TOPIC: Publisher(TOPIC, 1, 0.02)})

    @property
    def figures(self) -> "FakeLink":
        return self

    def traffic(self, live: object) -> Traffic:
        return Traffic(self.carried.bytes_in, self.carried.bytes_out, 0, 0)


@define(eq=False)
class FakeOrigin:
    state: OriginState = OriginState.UP
    words: str = ""


@define(eq=False)
class FakeService:
    """What may leave is what was read, but for what is named private."""

    held_by_hub: dict[str, bytes] = field(factory=dict)
    bytes_saved: int = 0
    watched_at: float = float("-inf")
    paused: bool = False
    private: str = ""

    def outgoing(self, path: str, result: Fetched) -> Fetched:
        if path == self.private:
            raise RequestError(ErrorCode.ORIGIN_INVALID, "it stays here")
        return result


@define(eq=False)
class World:
    """A light over one store; `begin` is a start of its daemon."""

    store: Store
    nursery: trio.Nursery
    link: FakeLink = field(factory=FakeLink)
    service: FakeService = field(factory=FakeService)
    light: LightKeeper = field(init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    async def begin(self) -> None:
        keeper = BoardKeeper()
        feed(keeper, open_field([101, 102], TimeZone="UTC"), UTC)
        self.light = LightKeeper(
            self.store, lambda: UTC + trio.current_time(), Health(lambda: UTC), cast(LocalOrigin, FakeOrigin()), keeper,
            cast(SiteService, self.service), cast(Peer, self.link), TOPIC, has_hub=True, ceiling_bytes=1_000_000,
        )  # fmt: skip
        self._scope = trio.CancelScope()
        self.nursery.start_soon(self._run)
        await trio.testing.wait_all_tasks_blocked()

    async def _run(self) -> None:
        with self._scope:
            await self.light.run()

    async def end(self) -> None:
        self._scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

    def read(self, number: int, body: bytes) -> bytes:
        """A race's file was read; return its name."""
        result = fetched(race_path(number), body, UTC)
        self.light.on_read(result.path, result)
        return shorten(result.digest)

    def told(self) -> dict[str, Any]:
        return self.light.status()


@pytest.fixture
async def world(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[World]:
    async with open_store(tmp_path / "l.db", migrations=MIGRATIONS, inline=True) as store:
        world = World(store, nursery)
        await world.begin()
        yield world
        await world.end()


async def test_what_was_carried_today_outlives_a_restart(world: World, autojump_clock: MockClock) -> None:
    world.link.carried = Traffic(300, 5000, 0, 0)
    world.service.bytes_saved = 70_000
    await trio.sleep(2.0)
    await world.end()
    world.link.carried, world.service.bytes_saved = Traffic(), 0
    await world.begin()
    world.link.carried = Traffic(1, 10, 0, 0)
    budget = world.told()["budget"]
    assert budget == {
        "sent_today_bytes": 5010,
        "received_today_bytes": 301,
        "saved_today_bytes": 70_000,
        "this_hour_bytes": 5010,
        "ceiling_hour_bytes": 1_000_000,
    }


async def test_over_the_budget_it_is_amber_in_words(world: World, autojump_clock: MockClock) -> None:
    world.link.connection = FakeConnection()
    world.link.carried = Traffic(0, 1_200_000, 0, 0)
    assert "budget" in [reason["code"] for reason in world.told()["why"]]


async def test_nothing_new_is_nothing_written(world: World, autojump_clock: MockClock) -> None:
    world.link.carried = Traffic(1, 1, 0, 0)
    await trio.sleep(WRITE_S + 1)
    commits = world.store.statistics().commits
    await trio.sleep(10 * WRITE_S)
    assert world.store.statistics().commits == commits


async def test_a_race_waits_until_it_has_come_there_and_that_is_remembered(
    world: World, autojump_clock: MockClock
) -> None:
    name = world.read(101, b"[1]")
    world.service.held_by_hub = {race_path(101): name}
    assert world.told()["races_waiting"] == 1, "nobody is connected"
    connection = world.link.connection = FakeConnection(has_pushed_all=False)
    assert world.told()["races_waiting"] == 1, "it is under way"
    connection.has_pushed_all = True
    assert world.told()["races_waiting"] == 0
    await world.end()
    world.link.connection = None
    await world.begin()
    world.read(101, b"[1]")
    assert world.told()["races_waiting"] == 0
    world.read(102, b"[2]")
    world.read(101, b"[3]")
    assert world.told()["races_waiting"] == 2


async def test_what_the_hub_does_not_want_does_not_wait(world: World, autojump_clock: MockClock) -> None:
    world.service.watched_at = trio.current_time()
    world.link.connection = FakeConnection()
    world.read(101, b"[1]")
    assert world.told()["races_waiting"] == 1, "it may not have said all yet"
    await trio.sleep(WATCHED_S + 1)
    assert world.told()["races_waiting"] == 0


async def test_what_may_not_leave_does_not_wait(world: World, autojump_clock: MockClock) -> None:
    world.service.private = race_path(101)
    world.read(101, b"[1]")
    world.light.on_read(race_path(102), RequestError(ErrorCode.TIMEOUT, "late"))
    assert world.told()["races_waiting"] == 0


@pytest.mark.parametrize(
    ("words", "what"), [("it broke", "No link to the cloud"), (f"{NO_INTERNET}: no", "No internet")]
)
async def test_a_lost_link_stays_lost_while_it_is_dialled(
    world: World, autojump_clock: MockClock, words: str, what: str
) -> None:
    assert world.told()["sentence"] == "Connecting to the cloud"
    link = LinkStatus(0.0)
    for status in (Status.LOST, Status.CONNECTING):
        link.move(status, 0.0, words)
        world.light.on_link(link)
    world.read(101, b"[1]")
    await trio.sleep(240.0)
    told = world.told()
    assert (told["light"], told["sentence"]) == ("red", f"{what} for 4 min; 1 race waits to be sent")
    world.link.connection = FakeConnection()
    link.move(Status.READY, 0.0, "connected")
    world.light.on_link(link)
    assert "link" not in [reason["code"] for reason in world.told()["why"]]
