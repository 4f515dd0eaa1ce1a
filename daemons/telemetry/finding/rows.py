"""The channels that laps are found by, as arrays of one length, whatever of them a layout has."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["CHANNELS", "FUEL", "Rows", "rows_of"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

TIME: Final = "SessionTime"
POSITION: Final = "LapDistPct"
LAP: Final = "Lap"
IN_CAR: Final = "IsOnTrack"
PIT: Final = "OnPitRoad"
SURFACE: Final = "PlayerTrackSurface"
INCIDENTS: Final = "PlayerCarMyIncidentCount"
TOW: Final = "PlayerCarTowTime"
FUEL: Final = "FuelLevel"
CHANNELS: Final = (TIME, POSITION, LAP, IN_CAR, PIT, SURFACE, INCIDENTS, TOW, FUEL)

_TIME_MAX: Final = 1e9
_WHOLE_MAX: Final = 1 << 30
NOT_IN_WORLD, OFF_TRACK, IN_STALL = -1, 0, 1
"""PlayerTrackSurface (irsdk_TrkLoc)."""


@frozen(eq=False)
class Rows:
    """n rows. `is_placed`: the car is somewhere on the track and the driver in it, so that its position counts."""

    ticks: NDArray[np.int64]
    time_s: Floats
    position: Floats
    lap: NDArray[np.int64]
    in_car: Bools
    is_placed: Bools
    pit: Bools
    off_track: Bools
    stall: Bools
    incidents: NDArray[np.int64]
    towed: Bools
    fuel: Floats

    def __len__(self) -> int:
        return len(self.ticks)

    def part(self, first: int, last: int) -> "Rows":
        """Return rows first ≤ i < last."""
        if (first, last) == (0, len(self)):
            return self
        where = slice(first, last)
        return Rows(
            self.ticks[where], self.time_s[where], self.position[where], self.lap[where], self.in_car[where],
            self.is_placed[where], self.pit[where], self.off_track[where], self.stall[where], self.incidents[where],
            self.towed[where], self.fuel[where],
        )  # fmt: skip


def rows_of(ticks: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> Rows | None:
    """Return the rows; None when time or position are not among the columns. A channel that is not there says nothing:
    without IsOnTrack the driver is in the car, without the others nothing happened to it."""
    if TIME not in columns or POSITION not in columns:
        return None
    count = len(ticks)
    none = np.zeros(count, bool)

    def flags(name: str, default: Bools) -> Bools:
        return columns[name].astype(bool) if name in columns else default

    position = columns[POSITION].astype(np.float64)
    time_s = columns[TIME].astype(np.float64)
    in_car = flags(IN_CAR, ~none)
    surface = columns.get(SURFACE)
    is_placed = in_car & (position >= 0.0) & (position <= 1.0) & (np.abs(time_s) < _TIME_MAX)
    if surface is not None:
        is_placed &= surface != NOT_IN_WORLD
    zeros = np.zeros(count, np.int64)
    return Rows(
        ticks=ticks, time_s=time_s, position=position, in_car=in_car, is_placed=is_placed, pit=flags(PIT, none),
        lap=_whole(columns[LAP]) if LAP in columns else zeros - 1,
        off_track=none if surface is None else surface == OFF_TRACK,
        stall=none if surface is None else surface == IN_STALL,
        incidents=_whole(columns[INCIDENTS]) if INCIDENTS in columns else zeros,
        towed=columns[TOW] > 0 if TOW in columns else none,
        fuel=_litres(columns[FUEL]) if FUEL in columns else np.full(count, np.nan),
    )  # fmt: skip


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return counts; a stranger's may be anything."""
    return np.clip(np.nan_to_num(values.astype(np.float64)), -_WHOLE_MAX, _WHOLE_MAX).astype(np.int64)


def _litres(values: NDArray[Any]) -> Floats:
    litres = values.astype(np.float64)
    return np.where(np.abs(litres) < _WHOLE_MAX, litres, np.nan)
