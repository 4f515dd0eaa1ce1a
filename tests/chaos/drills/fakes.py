"""A site, a hub and a carrier in memory, for drills in no time: what a fault does to them, each test says itself."""

from collections.abc import Callable
from typing import Any

import trio

from chaos.carrier import CarrierError, NotCarried
from chaos.drills.ground import Ground
from chaos.faults import Placed
from chaos.scenario import Deed
from daemons.ops.client import AdminError, Unreachable

__all__ = ["FakeCarrier", "FakeDaemon", "Field", "make_ground"]


class Field:
    """What both daemons show; a test or the carrier changes it."""

    def __init__(self) -> None:
        self.connected = True
        self.connections = 1
        self.promised = 5
        self.acked = 5
        self.age_s: float | None = 0.1
        self.phase = "pending"
        self.silent: set[str] = set()
        self.refuses = False
        self.dead = 2
        self.neighbour = True  # connected; another site of the same hub


class FakeDaemon:
    """Answers as an `AdminClient`."""

    def __init__(self, side: str, field: Field) -> None:
        self.side = side
        self.field = field

    def _answers(self) -> None:
        if self.side in self.field.silent:
            raise Unreachable(f"{self.side}: no daemon listens there")
        if self.field.refuses:
            raise AdminError(403, "role", "this takes the role operator")

    async def status(self) -> dict[str, Any]:
        self._answers()
        field = self.field
        waiting = {"event": {"unacknowledged": field.promised - field.acked}}
        if self.side == "site":
            link = {
                "status": "ready" if field.connected else "lost",
                "connections": field.connections,
                "round_trip_ms": 5.0,
            }
            return {"origin": {"state": "up"}, "link": link, "channels": waiting, "warnings": []}
        member = {
            "connected": field.connected,
            "connections": field.connections,
            "age_s": field.age_s,
            "phase": field.phase,
            "round_trip_s": 0.005,
            "channels": {},
        }
        return {"sites": {"north": member, "south": {"connected": field.neighbour}}, "warnings": []}

    async def act(self, action: str, **params: Any) -> Any:
        self._answers()
        assert (action, params) == ("ledger", {"site": "north"} if self.side == "hub" else {})
        field = self.field
        if self.side == "site":
            return {"out": {"event": [{"epoch": 1, "last": field.promised, "acked": field.acked}]}, "in": {}}
        came = {"epoch": 1, "committed": field.acked, "skipped": 0, "dead": field.dead}
        return {"out": {}, "in": {"event": [came]}, "effects": {"event": field.acked - field.dead}}

    async def metrics(self) -> str:
        self._answers()
        return f'pitlink_build_info{{daemon="{self.side}",version="1"}} 1\npitlink_cache_bytes 7\n'


class FakeCarrier:
    """Carries everything but `refused` types, and calls `on_change` with what is in force after each change."""

    def __init__(self, on_change: Callable[[set[str]], object] = lambda names: None) -> None:
        self.on_change = on_change
        self.placed: dict[str, str] = {}
        self.seen: list[str] = []
        self.renewals = 0
        self.met = 1
        self.refused: set[str] = set()
        self.sticks = False
        self.not_back = False

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        await trio.lowlevel.checkpoint()
        if placed.fault.type in self.refused:
            raise NotCarried(f"{step_name}: {placed.fault.type} is not carried")
        self._begin(step_name)

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        await trio.lowlevel.checkpoint()
        self._begin(step_name)

    def _begin(self, step_name: str) -> None:
        self.placed[step_name] = step_name
        self.seen.append(f"+{step_name}")
        self.on_change(set(self.placed))

    async def remove(self, step_name: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.not_back:
            raise CarrierError(f"{step_name}: it ended at its start")
        if self.placed.pop(step_name, None):
            self.seen.append(f"-{step_name}")
            self.on_change(set(self.placed))

    async def renew(self) -> None:
        await trio.lowlevel.checkpoint()
        self.renewals += 1

    async def reset(self) -> None:
        await trio.lowlevel.checkpoint()
        self.seen.append("reset")
        if not self.sticks:
            self.placed.clear()
            self.on_change(set())

    async def touched(self, step_name: str) -> int:
        await trio.lowlevel.checkpoint()
        return self.met

    async def left_over(self) -> list[str]:
        await trio.lowlevel.checkpoint()
        return list(self.placed)


def make_ground(field: Field, carrier: FakeCarrier) -> Ground:
    site: Any = FakeDaemon("site", field)
    hub: Any = FakeDaemon("hub", field)
    return Ground("a field in memory", "north", site, hub, carrier)
