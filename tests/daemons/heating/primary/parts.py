"""A primary on a real file, with a clock that is moved by hand and plans and states of a small house."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from daemons.heating.clock import HouseClock
from daemons.heating.history import tables
from daemons.heating.plant import Plant, ZonePlan
from daemons.heating.primary import tables as primary_tables
from daemons.heating.primary.primary import CHANNEL, Primary
from daemons.heating.state import BoilerState, Decision, HouseState, ZoneState
from daemons.link import schema
from daemons.link.durable import DurableChannels, OutChannel
from daemons.link.outbox import Keep
from daemons.ops.environment import Environment
from daemons.pair import executor
from daemons.store import Store, open_store
from protocol.heating import EventKind, HeatEvent
from protocol.reliable import Bounds, Full

MIGRATIONS = (*schema.MIGRATIONS, *executor.MIGRATIONS, *tables.MIGRATIONS, *primary_tables.MIGRATIONS)
PLANT = Plant(
    house="Cabin",
    time_zone="Europe/Oslo",
    outdoor="outdoor",
    zones=(
        ZonePlan(id="hall", title="Hall", output="hall", room="hall"),
        ZonePlan(id="bath", title="Bath", output="bath", room="bath"),
    ),
)
START = 1_790_000_100.0 // 900 * 900


@define(eq=False)
class Hands:
    """The clocks of a house, moved by hand."""

    utc: float = START
    mono: float = 1000.0
    numbers: int = field(default=0, init=False)

    def go_on(self, seconds: float) -> None:
        self.utc += seconds
        self.mono += seconds

    def environment(self) -> Environment:
        return Environment(utc_now=lambda: self.utc, urandom=self._urandom, boot_id=lambda: b"boot")

    def _urandom(self, count: int) -> bytes:
        self.numbers += 1
        return self.numbers.to_bytes(count, "big")

    def clock(self) -> HouseClock:
        return HouseClock(self.environment(), was_set=lambda: True, mono=lambda: self.mono)


def primary_on(store: Store, hands: Hands, **more: Any) -> Primary:
    """Make a primary over a store; `open` it, and its channels, before use."""
    environment = hands.environment()
    bounds = more.pop("bounds", Bounds(full=Full.DROP_OLDEST))
    durable = DurableChannels(
        store, "hub", out=[OutChannel(CHANNEL, Keep(), bounds), OutChannel(executor.RESULTS)], inbound={},
        new_epoch=environment.new_epoch, utc_now=environment.utc_now,
    )  # fmt: skip
    return Primary(store, durable, PLANT, "home", hands.clock(), environment.utc_now, bounds=bounds, **more)


@asynccontextmanager
async def opened(folder: Path, hands: Hands, *, inline: bool = True, **more: Any) -> AsyncIterator[Primary]:
    """Open a primary on the file of `folder`."""
    async with open_store(folder / "boiler.db", migrations=MIGRATIONS, inline=inline) as store:
        primary = primary_on(store, hands, **more)
        await primary.durable.open()
        await primary.open()
        yield primary


def state(hands: Hands, *, on: Mapping[str, bool] | None = None, hall: float | None = 20.0) -> HouseState:
    """Return how the house stands."""
    running = on or {}
    zones = (
        ZoneState(id="hall", celsius=hall, is_on=running.get("hall", False)),
        ZoneState(id="bath", celsius=21.5, is_on=running.get("bath", False)),
    )
    return HouseState(
        house="Cabin", at=hands.utc, zones=zones, outdoor=-5.0, boiler=BoilerState(), boot="boot"
    )


def decision(
    hands: Hands,
    *,
    on: Mapping[str, bool] | None = None,
    events: int = 0,
    memory: Mapping[str, object] | None = None,
) -> Decision:
    """Return a decision with so many events."""
    happened = tuple(
        HeatEvent(at=hands.utc, source="hall", kind=EventKind.ON, cause=f"event {number}")
        for number in range(events)
    )
    outputs = {"hall": False, "bath": False, **(on or {})}
    return Decision(outputs=outputs, state=state(hands, on=on), events=happened, memory=memory)
