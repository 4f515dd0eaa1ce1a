"""A driver as the terminal is told of them: a part "telemetry" of a backend's status, and a stream while somebody looks.

Keys and units are those of `tui.model.telemetry`: km/h, 0 to 1, degrees (to the left negative), seconds, litres.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import trio
from attrs import define, evolve, field

from daemons.ops.admin.actions import ActionRefused
from daemons.ops.admin.follow import Told
from daemons.telemetry.carfield import CarField
from daemons.telemetry.look import (
    CarEntry,
    Chunk,
    Column,
    DriverState,
    Fuel,
    NotKept,
    TelemetryLook,
    TrackShape,
    Tyres,
)

__all__ = ["CHANNELS", "driver_told", "follow"]

HZ = 30.0
BACK_S_MAX = 120.0
SAMPLES_MAX = 10_000
SLOW_S = 0.5
"""How often what moves slowly is told: cars, fuel, tyres."""
_SCALARS: Mapping[str, tuple[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]], int]] = {
    "speed_kmh": ("Speed", lambda values: values * 3.6, 1),
    "throttle": ("Throttle", lambda values: values, 3),
    "brake": ("Brake", lambda values: values, 3),
    "steering_deg": ("SteeringWheelAngle", lambda values: -np.degrees(values), 1),
    "rpm": ("RPM", lambda values: values, 0),
    "gear": ("Gear", lambda values: values, 0),
    "position": ("LapDistPct", lambda values: values, 5),
}
"""By the terminal's name: the simulator's, how it becomes the other, and digits."""

_CARS = (
    "CarIdxLapDistPct", "CarIdxLap", "CarIdxPosition", "CarIdxF2Time", "CarIdxLastLapTime", "CarIdxBestLapTime",
    "CarIdxOnPitRoad", "CarIdxTireCompound",
)  # fmt: skip
_SLOW = (
    "SessionTime",
    "SessionTimeRemain",
    "SessionLapsTotal",
    "Lap",
    "LFtempCM",
    "RFtempCM",
    "LRtempCM",
    "RRtempCM",
)
CHANNELS = (*(name for name, _, _ in _SCALARS.values()), *_CARS, *_SLOW)
"""What is subscribed while somebody looks."""

_ENDLESS = 32_000
"""Laps and seconds that stand for "no end" in the simulator are above this (32767 laps, 604800 s)."""


def driver_told(state: DriverState, utc_now: float) -> dict[str, Any]:
    """Return how a driver stands, without samples. Ages are seconds."""
    told: dict[str, Any] = {
        "driver": state.driver,
        "age_s": None if state.taken_us is None else round(max(0.0, utc_now - state.taken_us / 1e6), 3),
        "clock_s": state.clock_error_s,
        "lost": state.lost,
        "of": state.ticks + state.lost,
        "words": state.why or state.degree_words,
    }
    if state.fuel is not None:
        told["fuel"] = _fuel(state.fuel)
    return told


def _fuel(fuel: Fuel) -> dict[str, Any]:
    return {
        "litres": _round(fuel.litres, 2),
        "per_lap": _round(fuel.per_lap, 3),
        "laps": _round(fuel.laps_left, 1),
    }


def _tyres(tyres: Tyres, values: Mapping[str, float]) -> dict[str, Any]:
    wear = {
        "front_left": (tyres.left_front, "LFtempCM"),
        "front_right": (tyres.right_front, "RFtempCM"),
        "rear_left": (tyres.left_rear, "LRtempCM"),
        "rear_right": (tyres.right_rear, "RRtempCM"),
    }
    return {
        wheel: {"wear": _round(left, 3), "celsius": _round(values.get(name), 0)}
        for wheel, (left, name) in wear.items()
    }


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def _track(shape: TrackShape, name: str, starts: tuple[float, ...]) -> dict[str, Any]:
    points = np.column_stack((shape.east, shape.north)).round(1).tolist()
    return {"name": name, "points": points, "sectors": list(starts)}


@define(eq=False)
class _Telling:
    """Makes what is told of the chunks of one driver."""

    look: TelemetryLook
    driver: str
    utc_now: Callable[[], float]
    _field: CarField | None = field(default=None, init=False)
    _track: tuple[str, str] | None = field(default=None, init=False)  # the track that was told, its source
    _slow_at: float = field(default=-math.inf, init=False)
    _values: dict[str, float] = field(factory=dict, init=False)
    _arrays: dict[str, npt.NDArray[Any]] = field(factory=dict, init=False)
    _recording: bytes = field(default=b"", init=False)

    def begin(self) -> dict[str, Any]:
        return driver_told(self.look.state(self.driver), self.utc_now())

    def of(self, chunk: Chunk, now: float) -> Iterator[dict[str, Any]]:
        """Yield what a chunk has that is new."""
        state = self.look.state(self.driver)
        chunk = _of_known_shape(chunk)
        yield from self._shape(state)
        self._take(state, chunk)
        told: dict[str, Any] = {"driver": self.driver}
        if samples := _samples(chunk):
            told["samples"] = samples
            told["age_s"] = driver_told(state, self.utc_now())["age_s"]
        if now - self._slow_at >= SLOW_S:
            self._slow_at = now
            told |= driver_told(state, self.utc_now())
            told["cars"] = self._cars(state)
            told["race"] = self._race(state)
            if state.tyres is not None:
                told["tyres"] = _tyres(state.tyres, self._values)
        yield told

    def _shape(self, state: DriverState) -> Iterator[dict[str, Any]]:
        shape = self.look.track(state.track) if state.track else None
        if shape is not None and self._track != (state.track, shape.source):
            self._track = (state.track, shape.source)
            yield {"driver": self.driver, "track": _track(shape, state.track, state.sectors)}

    def _take(self, state: DriverState, chunk: Chunk) -> None:
        if (
            chunk.recording != self._recording
        ):  # another session: its bests, stops and values are not this one's
            self._recording, self._field = chunk.recording, None
            self._values.clear()
            self._arrays.clear()
        for name in _SLOW:
            if (column := chunk.columns.get(name)) is not None and len(column.values):
                self._values[name] = float(column.values[-1])
        for name in _CARS:
            if (column := chunk.columns.get(name)) is not None and len(column.values):
                self._arrays[name] = column.values[-1]
        starts = state.sectors or (0.0,)
        if self._field is None or self._field.starts != starts:
            self._field = CarField(starts)
        where = chunk.columns.get("CarIdxLapDistPct")
        if where is None:
            return
        pits = chunk.columns.get("CarIdxOnPitRoad")
        for at, tick in enumerate(where.ticks.tolist()):
            in_pits = None if pits is None or len(pits.values) != len(where.values) else pits.values[at]
            self._field.take(tick / chunk.tick_rate, where.values[at], in_pits)

    def _race(self, state: DriverState) -> dict[str, Any]:
        left, laps = self._values.get("SessionTimeRemain"), self._values.get("SessionLapsTotal")
        lap = self._values.get("Lap")
        return {
            "name": state.session,
            "lap": None if lap is None else int(lap),
            "laps": None if laps is None or not 0 < laps < _ENDLESS else int(laps),
            "left_s": None if left is None or not 0 <= left < 7 * 86_400 - 1 else round(left, 1),
        }

    def _cars(self, state: DriverState) -> list[dict[str, Any]]:
        return [
            self._car(state, entry)
            for entry in state.cars
            if not entry.is_pace and self._is_there(entry.index)
        ]

    def _is_there(self, index: int) -> bool:
        where = self._of("CarIdxLapDistPct", index)
        return where is not None and where >= 0.0

    def _of(self, name: str, index: int) -> float | None:
        values = self._arrays.get(name)
        if values is None or index >= len(values):
            return None
        value = float(values[index])
        return value if math.isfinite(value) else None

    def _positive(self, name: str, index: int) -> float | None:
        value = self._of(name, index)
        return round(value, 3) if value is not None and value > 0.0 else None

    def _car(self, state: DriverState, entry: CarEntry) -> dict[str, Any]:
        index = entry.index
        assert self._field is not None
        times = self._field.times(index)
        position, lap = self._positive("CarIdxPosition", index), self._of("CarIdxLap", index)
        gap = self._of("CarIdxF2Time", index)
        compound = self._of("CarIdxTireCompound", index)
        return {
            "number": entry.number,
            "name": entry.driver,
            "position": None if position is None else int(position),
            "lap": None if lap is None or lap < 0 else int(lap),
            "where": _round(self._of("CarIdxLapDistPct", index), 5),
            "gap_s": round(gap, 3) if gap is not None and gap >= 0.0 else None,
            "last_s": self._positive("CarIdxLastLapTime", index),
            "best_s": self._positive("CarIdxBestLapTime", index),
            "sectors": [_round(one, 3) for one in times.sectors],
            "best_sectors": [_round(one, 3) for one in times.best],
            "stops": times.stops,
            "tyre": "" if compound is None or compound < 0 else str(int(compound)),
            "ours": index == state.car_index,
            "in_pits": bool(self._of("CarIdxOnPitRoad", index)),
        }


def _of_known_shape(chunk: Chunk) -> Chunk:
    """Leave out columns that are arrays where one value is known, or the other way: a layout is a stranger's word."""
    columns = {
        name: column
        for name, column in chunk.columns.items()
        if column.values.ndim == (2 if name.startswith("CarIdx") else 1)
    }
    return evolve(chunk, columns=columns)


def _samples(chunk: Chunk) -> dict[str, Any] | None:
    """Return the traces of a chunk at one step of ticks; None when it has none. A tick that is not there is null."""
    speed = chunk.columns.get("Speed")
    if speed is None or not len(speed.ticks):
        return None
    step = int(np.diff(speed.ticks).min()) if len(speed.ticks) > 1 else max(1, round(chunk.tick_rate / HZ))
    first, last = int(speed.ticks[0]) // step, int(speed.ticks[-1]) // step
    if last - first >= SAMPLES_MAX:  # ticks that are said to lie so far apart are nothing to draw
        return None
    told: dict[str, Any] = {"first": first, "hz": chunk.tick_rate / step}
    for name, (channel, convert, digits) in _SCALARS.items():
        column = chunk.columns.get(channel)
        if column is not None and len(column.ticks):
            told[name] = _placed(column, convert, digits, step, first, last - first + 1)
    return told


def _placed(
    column: Column,
    convert: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    digits: int,
    step: int,
    first: int,
    count: int,
) -> list[float | None]:
    placed: list[float | None] = [None] * count
    values = np.round(convert(column.values.astype(np.float64)), digits).tolist()
    for tick, value in zip((column.ticks // step - first).tolist(), values, strict=True):
        if 0 <= tick < count and math.isfinite(value):
            placed[tick] = value
    return placed


def follow(
    look: Callable[[], TelemetryLook], utc_now: Callable[[], float]
) -> Callable[[Mapping[str, str]], Told]:
    """Return what tells an operator's screen of one driver as it comes: `driver`, and how many seconds `back` to begin."""

    def begin(params: Mapping[str, str]) -> Told:
        driver = params.get("driver", "")
        try:
            back_s = min(BACK_S_MAX, max(0.0, float(params.get("back_s", "0"))))
            telling = _Telling(look(), driver, utc_now)
            telling.begin()
        except NotKept as exc:
            raise ActionRefused(str(exc), 404) from exc
        except ValueError as exc:
            raise ActionRefused("back_s is a number of seconds", 400) from exc
        return _told(telling, back_s)

    return begin


async def _told(telling: _Telling, back_s: float) -> Told:
    with suppress(NotKept):  # put out in the middle: the stream ends
        yield telling.begin()
        chunks = telling.look.subscribe(telling.driver, CHANNELS, HZ, back_s=back_s)
        async with aclosing(chunks) as coming:
            async for chunk in coming:
                for told in telling.of(chunk, trio.current_time()):
                    yield told
