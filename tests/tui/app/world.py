"""A hub with sites that no daemon stands behind: the app's tests have it say what they need."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import trio
from attrs import define, field
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from daemons.ops.client import AdminError
from tui.app.app import OperatorApp
from tui.app.desk import Desk
from tui.app.linetable import LineTable
from tui.app.markers import Markers
from tui.app.oneline import OneLine
from tui.model import Model
from tui.record import Recorder

HUB = "hub"
UTC = 1_800_000_000.0
ACTIONS = [
    "site.pause", "site.resume", "site.reconnect", "site.purge", "site.allowlist.switch",
    "dead.requeue", "dead.drop", "drain", "log.level", "backup.take",
]  # fmt: skip


def site(**other: Any) -> dict[str, Any]:
    """Return a site as a hub tells of it."""
    told = {
        "connected": True, "round_trip_s": 0.041, "round_trip_p50_s": 0.04, "round_trip_p99_s": 0.12,
        "last_seen_at": UTC, "connections": 1, "as_of": UTC - 2, "age_s": 2.0, "phase": "live",
        "fetches_in_flight": 3, "fetches_waiting": 1, "fetches": 99, "fetches_shed": 0, "errors": {},
        "cache_hits": 1234, "bytes_saved": 5_000_000, "bulk_delay_s": 0.3, "dead_letters": 0, "paused": False,
        "channels": {"command": {"unacknowledged": 2, "in_flight": 1, "body_bytes": 10}},
    }  # fmt: skip
    return {**told, **other}


def hub(sites: Mapping[str, Any], **other: Any) -> dict[str, Any]:
    """Return a hub's status."""
    return {
        "daemon": "cloud", "hub": "hub-1", "ready": True, "words": "ready", "draining": False, "now": UTC,
        "warnings": [], "audit": {"count": 0, "head": "0:00"}, "sites": dict(sites),
        "cache": {"entries": 7, "bytes": 34787, "hits": 11, "misses": 25}, **other,
    }  # fmt: skip


@define(eq=False)
class World:
    """The other side. `does`: what an action comes to; raises what it raises."""

    model: Model = field(factory=Model)
    asked: list[tuple[str, str, dict[str, Any]]] = field(factory=list)
    looked_for: list[str] = field(factory=list)
    looked_at: frozenset[tuple[str, str]] = frozenset()
    looks_at_chaos: bool = False
    does: Callable[[str], Any] = lambda action: None
    began: trio.Event = field(factory=trio.Event)
    is_running: bool = False
    fails: Exception | None = None
    fails_for: Callable[[Mapping[str, Any]], bool] = lambda params: False

    def tell(self, sites: Mapping[str, Any] | None = None, **other: Any) -> None:
        """Have the hub say how it stands."""
        self.model.told(
            HUB, hub({"north": site()} if sites is None else sites, **other), trio.current_time(), UTC
        )

    async def run(self) -> None:
        self.is_running = True
        try:
            self.model.watch(HUB, trio.current_time())
            self.model.offered(HUB, [{"name": name} for name in ACTIONS])
            self.tell()
            self.began.set()
            if self.fails is not None:
                raise self.fails
            await trio.sleep_forever()
        finally:
            self.is_running = False

    async def act(self, daemon: str, action: str, params: Mapping[str, Any]) -> Any:
        await trio.lowlevel.checkpoint()
        self.asked.append((daemon, action, dict(params)))
        if self.fails_for(params):
            raise AdminError(409, "refused", "not this one")
        found = self.does(action)
        if isinstance(found, AdminError):
            raise found
        return found

    def look_at_all(self, sites: Iterable[tuple[str, str]]) -> None:
        self.looked_at = frozenset(sites)

    def look_at_chaos(self, is_wanted: bool) -> None:
        self.looks_at_chaos = is_wanted

    def look_for(self, trace: str) -> None:
        self.looked_for.append(trace)

    def place(self, daemon: str) -> str:
        return "cloud-state"


@define(eq=False)
class Face:
    """The app under test, as its user sees it."""

    app: OperatorApp
    world: World
    pilot: Pilot[int]

    async def press(self, *keys: str) -> None:
        """Press keys, all at once as a slow line brings them, and have what follows painted."""
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 else key
            assert self.app._driver is not None
            self.app._driver.send_message(events.Key(name, key if len(key) == 1 else None))
        await asyncio.sleep(0)
        await self.pilot._wait_for_screen()
        await self.app.keys.empty()
        await self.settle()

    async def settle(self) -> None:
        """Have everything that is due happen, in both halves."""
        await self._pass()
        for _ in range(500):
            if not self.app.desk.deeds.under_way:
                break
            await asyncio.sleep(0.002)
        self.app.tick()
        await self._pass()

    async def _pass(self) -> None:
        """Pilot.press would wait until the process is idle: this waits for messages, several times faster."""
        for _ in range(3):
            await self.pilot._wait_for_screen()
            await asyncio.sleep(0)
        self.app.screen._on_timer_update()

    @property
    def lines(self) -> list[str]:
        """The lines of the screen."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def table(self) -> LineTable:
        return self.app.screen.query_one(LineTable)

    @property
    def title(self) -> str:
        return self.app.screen.query_one("#title", OneLine).text

    @property
    def status(self) -> str:
        return self.app.screen.query_one("#status", OneLine).text


@asynccontextmanager
async def shown(
    world: World | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    is_read_only: bool = False,
    keys: Mapping[str, str] | None = None,
    recorder: Recorder | None = None,
    markers: Markers = Markers.BRAILLE,
) -> AsyncIterator[Face]:
    """Run the app without a terminal, with the hub told of."""
    world = world or World()
    app = OperatorApp(Desk(world, is_read_only, keys=keys or {}, recorder=recorder, markers=markers))
    async with app.run_test(size=size) as pilot:
        face = Face(app, world, pilot)
        for _ in range(500):
            if world.began.is_set():
                break
            await asyncio.sleep(0.002)
        await face.settle()
        yield face


def in_textual(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in a loop as Textual has it: the tests around are Trio's."""

    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run
