"""What a dashboard shows of the own car, made of raw rows: one row, or many at once. Pure.

Names, units and signs are the dashboard's (protocol/columns/snapshot.py): km/h, percent 0 to 100, degrees to the left
negative, gear -1 for reverse. The simulator has m/s, fractions, radians to the left positive. Not known is NaN here and null
in JSON: while nobody sits in the car, and while a team-mate drives it on another PC, the simulator writes zeros. The first row
after getting in or being reset has zeros too (a car that stands has a speed of some µm/s and a place): it tells nothing.
"""

import math
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from attrs import define, field, frozen

from daemons.telemetry.trackmap.course import Course
from protocol.columns.snapshot import SNAPSHOT
from protocol.irsdk import Layout, Type

__all__ = ["Context", "Snapshots", "instant"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.uint8]

_FORMAT: Final = {
    Type.CHAR: "B",
    Type.BOOL: "B",
    Type.INT: "i",
    Type.BITFIELD: "I",
    Type.FLOAT: "f",
    Type.DOUBLE: "d",
}
_WHEELS: Final = {"FrontLeft": "LF", "FrontRight": "RF", "RearLeft": "LR", "RearRight": "RR"}


@frozen
class _Value:
    """A value of the dashboard: the simulator's channel, what to multiply it by, the range it can have, the digits that
    mean something, and how far beyond its range rounding may bring it: it is cut to the range then. Further out it is
    not known."""

    channel: str
    times: float = 1.0
    low: float = -math.inf
    high: float = math.inf
    digits: int = 0
    slack: float = 0.0


_VALUES: Final[Mapping[str, _Value]] = {
    "speed": _Value("Speed", 3.6, 0, 1000, 2),
    "rpm": _Value("RPM", 1, 0, 100_000, 1),
    "gear": _Value("Gear", 1, -1, 20),
    "throttle": _Value("Throttle", 100, 0, 100, 2, 0.5),
    "brake": _Value("Brake", 100, 0, 100, 2, 0.5),
    "steeringAngle": _Value("SteeringWheelAngle", -180 / math.pi, -3600, 3600, 2),
    "trackPosition": _Value("LapDistPct", 1, 0, 1, 6, 0.005),
    "lap": _Value("Lap", 1, 0, 1_000_000),
    "position": _Value("PlayerCarPosition", 1, 1, 1000),
}


@frozen(kw_only=True)
class Context:
    """What rows alone do not tell. `sectors`: where they begin, the first at 0 (SessionInfo.sectors). `tank_l`: what
    fits into the tank. `course`: of the track, where it was learned."""

    sectors: tuple[float, ...] = ()
    tank_l: float | None = None
    course: Course | None = None


@define(eq=False)
class Snapshots:
    """Makes snapshots of rows of one layout. To be made anew when layout or context change."""

    layout: Layout
    context: Context = Context()
    estimated: tuple[str, ...] = field(init=False)
    """The values that were looked up and not measured."""
    _read: dict[str, tuple[Callable[..., tuple[Any, ...]], int]] = field(init=False, repr=False)
    _has_place: bool = field(init=False)
    _starts: Floats = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        wanted = {value.channel for value in _VALUES.values()}
        wanted |= {"IsOnTrack", "FuelLevel", "FuelLevelPct", "Lat", "Lon", "SessionTime"}
        wanted |= {f"{wheel}wear{part}" for wheel in _WHEELS.values() for part in "LMR"}
        self._read = {
            name: (struct.Struct("<" + _FORMAT[variable.type]).unpack_from, variable.offset)
            for name in wanted
            if (variable := self.layout.get(name)) is not None and variable.count == 1
        }
        self._has_place = "Lat" in self._read and "Lon" in self._read
        is_looked_up = self.context.course is not None and not self._has_place
        self.estimated = ("latitude", "longitude") if is_looked_up else ()
        self._starts = np.array(self.context.sectors, np.float64)

    def columns(self, rows: Rows) -> dict[str, Floats]:
        """Return every value, float64 (n,), of rows (n, row_bytes): the names of SNAPSHOT, and `position` (place in the
        race). NaN where it is not known."""
        table = np.ascontiguousarray(rows).reshape(-1).view(self.layout.dtype)
        read = {name: table[name].astype(np.float64) for name in self._read}
        nothing = np.full(len(table), np.nan)
        driving = read.get("IsOnTrack", np.ones(len(table))) != 0
        if "Speed" in read and "LapDistPct" in read:
            driving &= (read["Speed"] != 0) | (read["LapDistPct"] != 0)
        with np.errstate(invalid="ignore", over="ignore"):
            found = {
                name: np.where(driving, _ranged_all(read.get(value.channel, nothing) * value.times, value), np.nan)
                for name, value in _VALUES.items()
            }  # fmt: skip
            found["fuelLevel"] = np.where(driving, _ranged_all(self._fuel(read, nothing), _PERCENT), np.nan)
            for wheel, prefix in _WHEELS.items():
                tread = [read.get(f"{prefix}wear{part}", nothing) for part in "LMR"]
                found["tireWear" + wheel] = np.where(
                    driving, _ranged_all(sum(tread, start=np.zeros(len(table))) / 3 * 100, _PERCENT), np.nan
                )
            found["latitude"], found["longitude"] = self._places(read, found["trackPosition"], driving)
        known = np.isfinite(found["trackPosition"]) & bool(len(self._starts))
        passed = np.searchsorted(self._starts, found["trackPosition"], side="right")
        found["sector"] = np.where(known, passed, np.nan)
        found["timestamp"] = read.get("SessionTime", nothing)
        return found

    def rows(self, rows: Rows) -> Rows:
        """Return the same as rows of the layout SNAPSHOT, (n, its row_bytes); whole numbers that are not known are -9."""
        columns = self.columns(rows)
        table = np.zeros(len(rows), SNAPSHOT.dtype)
        for variable in SNAPSHOT.variables:
            values = columns[variable.name]
            table[variable.name] = np.nan_to_num(values, nan=-9) if variable.type is Type.INT else values
        return table.view(np.uint8).reshape(len(rows), SNAPSHOT.row_bytes)

    def json(self, row: bytes, utc_us: int, driver: str | None = None) -> dict[str, Any]:
        """Return one snapshot as the dashboard's JSON has it. `utc_us`: when the row was taken. `driver` adds driverId.

        Beside the seed's keys: `position`; `estimated`, the names that were looked up and not measured; `asOfLastStop`,
        those that the simulator tells at stops only. Either is left out when nothing of it is known.
        """
        found = self._one(row)
        told: dict[str, Any] = {} if driver is None else {"driverId": driver}
        told["timestamp"] = instant(utc_us)
        for name in _ORDER:
            told[name] = found.get(name)
        told["tireWear"] = {wheel[0].lower() + wheel[1:]: found.get("tireWear" + wheel) for wheel in _WHEELS}
        told["position"] = found.get("position")
        if estimated := [name for name in self.estimated if told[name] is not None]:
            told["estimated"] = estimated
        if any(value is not None for value in told["tireWear"].values()):
            told["asOfLastStop"] = ["tireWear"]
        return told

    def _one(self, row: bytes) -> dict[str, float | None]:
        """As `columns` of one row, rounded; for one row numpy takes three times as long."""
        read = {name: float(unpack(row, at)[0]) for name, (unpack, at) in self._read.items()}
        if read.get("IsOnTrack", 1.0) == 0 or read.get("Speed", 1.0) == read.get("LapDistPct", 1.0) == 0:
            return {}
        found: dict[str, float | None] = {
            name: _ranged(read[value.channel] * value.times, value)
            for name, value in _VALUES.items()
            if value.channel in read
        }
        fuel = self._fuel(read, math.nan)
        found["fuelLevel"] = _ranged(fuel, _PERCENT)
        for wheel, prefix in _WHEELS.items():
            tread = sum(read.get(f"{prefix}wear{part}", math.nan) for part in "LMR") / 3 * 100
            found["tireWear" + wheel] = _ranged(tread, _PERCENT)
        along = found.get("trackPosition")
        if along is not None:
            if len(self._starts):
                found["sector"] = int(np.searchsorted(self._starts, along, side="right"))
            self._place(found, read, along)
        return found

    def _place(self, found: dict[str, float | None], read: Mapping[str, float], along: float) -> None:
        if self._has_place:
            place = read["Lat"], read["Lon"]
            if not any(place):
                return
        elif self.context.course is not None:
            latitude, longitude = self.context.course.at([along])
            place = float(latitude[0]), float(longitude[0])
        else:
            return
        found["latitude"] = _ranged(place[0], _LATITUDE)
        found["longitude"] = _ranged(place[1], _LONGITUDE)

    def _places(
        self, read: Mapping[str, Floats], along: Floats, driving: npt.NDArray[np.bool_]
    ) -> tuple[Floats, Floats]:
        if self._has_place:
            is_there = driving & ((read["Lat"] != 0) | (read["Lon"] != 0)) & np.isfinite(along)
            return (
                np.where(is_there, _ranged_all(read["Lat"], _LATITUDE), np.nan),
                np.where(is_there, _ranged_all(read["Lon"], _LONGITUDE), np.nan),
            )
        if self.context.course is not None:
            return self.context.course.at(along)
        return np.full(len(along), np.nan), np.full(len(along), np.nan)

    def _fuel(self, read: Mapping[str, Any], nothing: Any) -> Any:
        """Return the tank's filling in percent."""
        if "FuelLevelPct" in read:
            return read["FuelLevelPct"] * 100
        if self.context.tank_l and "FuelLevel" in read:
            return read["FuelLevel"] * (100 / self.context.tank_l)
        return nothing


_PERCENT: Final = _Value("", 1, 0, 100, 2, 0.5)
_LATITUDE, _LONGITUDE = _Value("", 1, -90, 90, 7), _Value("", 1, -180, 180, 7)
_ORDER: Final = (
    "speed", "rpm", "gear", "throttle", "brake", "steeringAngle", "latitude", "longitude", "trackPosition", "lap",
    "sector", "fuelLevel",
)  # fmt: skip


def instant(utc_us: int) -> str:
    """Return an instant as ISO 8601 with milliseconds, in UTC."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=utc_us)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ranged(number: float, value: _Value) -> float | None:
    if not value.low - value.slack <= number <= value.high + value.slack:
        return None
    rounded = round(min(max(number, value.low), value.high), value.digits)
    return int(rounded) if value.digits == 0 else rounded + 0.0


def _ranged_all(numbers: Floats, value: _Value) -> Floats:
    is_good = (numbers >= value.low - value.slack) & (numbers <= value.high + value.slack)
    return np.where(is_good, np.clip(numbers, value.low, value.high), np.nan)
