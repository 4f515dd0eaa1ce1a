"""A look without a link: drivers whose cars are plain functions of the tick, sessions and laps as a test wants them."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import trio
from attrs import define, evolve, field

from daemons.telemetry.look import (
    CarEntry,
    Chunk,
    Chunks,
    Column,
    DriverState,
    Fuel,
    Gap,
    Lap,
    LapColumns,
    NotKept,
    Session,
    Stint,
    TrackShape,
    Tyres,
)

__all__ = [
    "CARS",
    "LAP_S",
    "FakeLook",
    "a_lap",
    "a_session",
    "cars_at",
    "laps_of",
    "real_us",
    "row_of",
    "shape",
]

LAP_S = 30.0
RATE = 60
CARS = tuple(
    CarEntry(index, str(7 + index), name, f"Team {name}", "GTP" if index < 3 else "GT3", "#ffda59" if index < 3 else "#33ceff")
    for index, name in enumerate(("Ann Ahead", "Bert Behind", "Own Car", "Dora Down", "Evan Even"))
)  # fmt: skip
OWN = 2
PLACES = (0.30, 0.10, 0.20, 0.70, -1.0)
"""Where the cars are when our own is at tick 0; the last is not in the world."""


def real_us() -> int:
    return round(datetime.now(UTC).timestamp() * 1e6)


def row_of(tick: int | np.ndarray, seed: int = 1) -> dict[str, Any]:
    """Return what the car does at these ticks, in the simulator's units and signs."""
    seconds = np.asarray(tick) / RATE
    position = (PLACES[OWN] + seconds / LAP_S) % 1.0
    turn = 2 * math.pi * position
    return {
        "Speed": 55.0 + 25.0 * np.cos(3 * turn + seed),
        "Throttle": np.clip(0.5 + np.cos(3 * turn + seed), 0.0, 1.0),
        "Brake": np.clip(-0.5 - np.cos(3 * turn + seed), 0.0, 1.0),
        "Clutch": np.ones_like(position),
        "SteeringWheelAngle": 0.8 * np.sin(2 * turn),
        "Gear": (3 + np.round(2 * np.cos(3 * turn + seed))).astype(np.int32),
        "RPM": 6000.0 + 1800.0 * np.cos(9 * turn),
        "LapDistPct": position,
        "Lap": (1 + (PLACES[OWN] + seconds / LAP_S) // 1.0).astype(np.int32),
        "FuelLevel": 60.0 - 0.05 * seconds,
    }


def cars_at(ticks: np.ndarray) -> dict[str, Column]:
    """Return the car arrays; every car takes a lap of LAP_S, from its place."""
    gone = ticks[:, None] / RATE / LAP_S + np.array(PLACES)[None, :]
    away = np.array(PLACES) < 0
    part = np.where(away, -1.0, gone % 1.0)
    arrays = {
        "CarIdxLapDistPct": part,
        "CarIdxLap": np.where(away, -1, 1 + gone // 1.0).astype(np.int32),
        "CarIdxPosition": np.tile(np.array([2, 4, 3, 1, 0], dtype=np.int32), (len(ticks), 1)),
        "CarIdxOnPitRoad": np.tile(np.array([0, 1, 0, 0, 0], dtype=np.uint8), (len(ticks), 1)),
        "CarIdxEstTime": np.where(away, 0.0, part * LAP_S),
    }
    return {name: Column(ticks, values) for name, values in arrays.items()}


def shape() -> TrackShape:
    """Return an oval, 1 km by 400 m, near Sebring."""
    position = np.linspace(0.0, 1.0, 200)
    turn = 2 * math.pi * position
    return TrackShape(
        position,
        500 * np.sin(turn),
        200 * np.cos(turn),
        (27.45, -81.35),
        "learned from a lap that was driven",
    )


def a_lap(
    lap: Lap, *, seconds: float, hole: tuple[float, float] | None = None, slow: float = 0.0
) -> LapColumns:
    """Return a lap at even pace; `slow`: so many seconds are lost between 0.4 and 0.6; `hole`: positions not there."""
    time_s = np.arange(round((seconds + slow) * RATE)) / RATE
    position = np.interp(time_s, [0, 0.4 * seconds, 0.6 * seconds + slow, seconds + slow], [0, 0.4, 0.6, 1.0])
    columns = row_of(np.round(position * LAP_S * RATE).astype(np.int64))
    columns["LapDistPct"] = position
    kept = np.ones(len(time_s), dtype=bool)
    if hole is not None:
        kept = (position < hole[0]) | (position > hole[1])
    return LapColumns(
        lap, position[kept], time_s[kept], {name: values[kept] for name, values in columns.items()}
    )


def laps_of(session: str, started_us: int) -> list[Lap]:
    """Return six laps of two drivers: clean ones, one off track, an out lap, one with a hole, one being driven."""
    rows: list[tuple[str, float | None, tuple[float | None, ...], tuple[str, ...]]] = [
        ("anna", 34.0, (12.0, 11.5, 10.5), ("pit out",)),
        ("anna", 30.5, (10.5, 10.1, 9.9), ()),
        ("anna", 30.0, (10.0, 10.0, 10.0), ()),
        ("ben", 29.0, (9.0, 10.2, 9.8), ("off track",)),
        ("ben", 30.3, (10.1, 10.3, 9.9), ()),
        ("ben", None, (10.2, None, None), ("not finished",)),
    ]
    return [
        Lap(
            id=f"{session}-{n}", session=session, stint=f"{session}-{driver}", driver=driver, recording=b"r" * 16, number=n,
            started_us=started_us + n * 30_000_000, first_tick=n * 1800, last_tick=n * 1800 + 1799, time_s=time_s,
            sectors=sectors, invalid=invalid, fuel_litres=1.5,
        )
        for n, (driver, time_s, sectors, invalid) in enumerate(rows, 1)
    ]  # fmt: skip


def a_session(id_: str, started_us: int, drivers: tuple[str, ...] = ("anna", "ben")) -> Session:
    return Session(
        id=id_, drivers=drivers, kind="Race", track="Sebring", car="Cadillac V-Series.R", started_us=started_us,
        ended_us=started_us + 200_000_000, recordings=(b"r" * 16,), laps=6, best_s=30.0,
        sector_starts=(0.0, 0.33, 0.66), cars=CARS, car_index=OWN, lap_estimate_s=LAP_S,
        stints=tuple(
            Stint(id=f"{id_}-{name}", driver=name, name=name.title(), started_us=started_us + n * 90_000_000,
                  ended_us=started_us + (n + 1) * 90_000_000, laps=3)
            for n, name in enumerate(drivers)
        ),
        gaps=(
            Gap(recording=b"r" * 16, first_tick=9000, last_tick=9239, started_us=started_us + 150_000_000,
                ended_us=started_us + 154_000_000, words="not back-filled yet"),
        ),
    )  # fmt: skip


@define(eq=False)
class FakeLook:
    """The port. `feed` drives a car on; `kept` has the sessions; `faults` raises what a store may."""

    states: dict[str, DriverState] = field(factory=dict)
    kept: dict[str, Session] = field(factory=dict)
    export_formats: Sequence[str] = ("csv", "ibt")
    fault: Exception | None = None
    thrown_away: bool = False
    replayed: list[tuple[float, int]] = field(factory=list)
    ticks: dict[str, int] = field(factory=dict)
    rings: dict[str, list[Chunk]] = field(factory=dict)
    asked: list[tuple[str, tuple[str, ...], float]] = field(factory=list)
    _readers: dict[str, list[trio.MemorySendChannel[Chunk]]] = field(factory=dict, init=False)
    _shape: TrackShape | None = field(factory=shape, init=False)

    def add(self, driver: str, **more: Any) -> None:
        now = real_us()
        values: dict[str, Any] = {
            "driver": driver, "name": driver.title(), "is_connected": True, "is_driving": True, "recording": b"r" * 16,
            "session": "Race", "track": "Sebring", "car": "Cadillac V-Series.R", "car_number": "9", "team": "Pitlink",
            "car_index": OWN, "lap_estimate_s": LAP_S, "cars": CARS, "heard_us": now, "taken_us": now,
            "clock_error_s": 0.004, "ticks": 3600, "lost": 9, "waiting": 0,
            "fuel": Fuel(litres=42.5, at_us=now, tank_litres=75.0, per_lap=1.7),
            "tyres": Tyres(left_front=0.97, right_front=0.95, left_rear=0.98, right_rear=0.96, as_of_us=now - 600_000_000),
            "values": {"LapDistPct": 0.25},
        }  # fmt: skip
        self.states[driver] = DriverState(**{**values, **more})
        self.ticks.setdefault(driver, 0)

    def keep(self, *sessions: Session) -> None:
        self.kept.update({session.id: session for session in sessions})

    def change(self, driver: str, **more: Any) -> None:
        self.states[driver] = evolve(self.states[driver], **more)

    def feed(self, driver: str, count: int = 6, *, lost: int = 0, taken_us: int | None = None) -> Chunk:
        """Drive a car on by `count` ticks, after `lost` that nobody has."""
        first = self.ticks[driver] + lost
        ticks = np.arange(first, first + count, dtype=np.int64)
        self.ticks[driver] = first + count
        taken_us = taken_us or real_us()
        columns = {name: Column(ticks, values) for name, values in row_of(ticks).items()} | cars_at(
            ticks[-1:]
        )
        chunk = Chunk(
            driver=driver, recording=b"r" * 16, first_tick=int(first), last_tick=int(ticks[-1]), columns=columns,
            taken_us=taken_us, lost=lost,
        )  # fmt: skip
        self.change(driver, taken_us=taken_us, heard_us=taken_us)
        self.rings.setdefault(driver, []).append(chunk)
        for reader in self._readers.get(driver, []):
            with suppress(trio.WouldBlock):
                reader.send_nowait(chunk)
        return chunk

    async def drive(self, *drivers: str) -> None:
        """Feed for ever, as a relay does: a tenth of a second of ticks in a tenth of a second."""
        at = trio.current_time()
        while True:
            for driver in drivers:
                self.feed(driver)
            at += 0.1
            await trio.sleep_until(at)

    @property
    def readers(self) -> int:
        return sum(map(len, self._readers.values()))

    def drivers(self) -> Sequence[str]:
        return sorted(self.states)

    def state(self, driver: str) -> DriverState:
        try:
            return self.states[driver]
        except KeyError:
            raise NotKept("there is no such driver here") from None

    def track(self, track: str) -> TrackShape | None:
        return self._shape if track == "Sebring" else None

    def subscribe(self, driver: str, names: Sequence[str], hz: float, *, back_s: float = 0.0) -> Chunks:
        self.state(driver)
        self.asked.append((driver, tuple(names), hz))
        return self._subscribed(driver, set(names), back_s)

    async def _subscribed(self, driver: str, names: set[str], back_s: float) -> AsyncGenerator[Chunk, None]:
        send, receive = trio.open_memory_channel[Chunk](64)
        readers = self._readers.setdefault(driver, [])
        readers.append(send)
        ring = self.rings.get(driver, [])
        since = self.ticks[driver] - back_s * RATE
        try:
            for chunk in [one for one in ring if one.first_tick >= since]:
                yield _only(chunk, names)
            async for chunk in receive:
                yield _only(chunk, names)
        finally:
            readers.remove(send)

    def replay(
        self, session: str, driver: str, names: Sequence[str], hz: float, *, from_us: int, speed: float
    ) -> Chunks:
        self.replayed.append((speed, from_us))
        return self._replayed(session, set(names), from_us, speed)

    async def _replayed(
        self, session: str, names: set[str], from_us: int, speed: float
    ) -> AsyncGenerator[Chunk, None]:
        if self.thrown_away:
            raise NotKept("this was thrown away")
        kept = await self.session(session)
        first = max(0, round((from_us - kept.started_us) / 1e6 * RATE))
        assert kept.ended_us is not None
        last = round((kept.ended_us - kept.started_us) / 1e6 * RATE)
        at = trio.current_time()
        for tick in range(first, last, 6):
            ticks = np.arange(tick, min(tick + 6, last), dtype=np.int64)
            columns = {name: Column(ticks, values) for name, values in row_of(ticks).items()}
            columns |= cars_at(ticks[-1:])
            yield _only(
                Chunk(
                    driver="anna", recording=b"r" * 16, first_tick=int(ticks[0]), last_tick=int(ticks[-1]),
                    columns=columns, taken_us=kept.started_us + round(int(ticks[-1]) * 1e6 / RATE),
                ),
                names,
            )  # fmt: skip
            at += 0.1 / speed
            await trio.sleep_until(at)

    async def sessions(
        self, *, driver: str = "", before_us: int | None = None, limit: int = 50
    ) -> Sequence[Session]:
        if self.fault is not None:
            raise self.fault
        found = sorted(self.kept.values(), key=lambda one: -one.started_us)
        return [
            one
            for one in found
            if (not driver or driver in one.drivers) and (before_us is None or one.started_us < before_us)
        ][:limit]

    async def session(self, id_: str) -> Session:
        if self.fault is not None:
            raise self.fault
        try:
            return self.kept[id_]
        except KeyError:
            raise NotKept("there is no such session here") from None

    async def laps(self, session: str) -> Sequence[Lap]:
        return laps_of(session, (await self.session(session)).started_us)

    async def lap(self, id_: str, names: Sequence[str]) -> LapColumns:
        for session in self.kept.values():
            for lap in laps_of(session.id, session.started_us):
                if lap.id == id_:
                    hole = (0.7, 0.8) if lap.number == 4 else None
                    slow = 0.3 if lap.number == 5 else 0.0
                    found = a_lap(lap, seconds=(lap.time_s or 20.0) - slow, hole=hole, slow=slow)
                    return LapColumns(lap, found.position, found.time_s, _named(found.columns, names))
        raise NotKept("there is no such lap here")

    async def export(self, lap_or_session: str, format_: str) -> AsyncIterator[bytes]:
        yield b"tick,Speed\n"
        yield b"0,55.5\n"


def _named(columns: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values for name, values in columns.items() if name in names}


def _only(chunk: Chunk, names: set[str]) -> Chunk:
    return evolve(chunk, columns={name: column for name, column in chunk.columns.items() if name in names})
