"""A track's shape where nothing tells latitude: a lap's speed and heading, added up (dead reckoning). Pure.

The simulator's YawNorth is a compass heading in radians, clockwise; VelocityX is forward and VelocityY to the left, in the
car. A lap ends where it began, so what the sum is off by at the end is spread evenly over the lap.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from daemons.telemetry.look import TrackShape
from protocol.irsdk import Layout

__all__ = ["POINTS", "Moves", "Reckoned", "moves_in", "reckoned"]

POINTS: Final = 1024
OFF_MAX: Final = 0.05
"""A sum that is off by more than this part of the lap is not trusted: something was missing in it."""
DRIVEN_MIN_M: Final = 150.0

Floats = npt.NDArray[np.float64]


@frozen(eq=False)
class Moves:
    """How a car moved, (n,) each: `tick`, `position` 0 to 1, and m/s to the east and to the north."""

    tick: npt.NDArray[np.int64]
    position: Floats
    east_mps: Floats
    north_mps: Floats


@frozen(eq=False)
class Reckoned:
    """A shape, and by how many metres the lap did not close."""

    shape: TrackShape
    off_m: float


def moves_in(
    layout: Layout,
    rows: npt.NDArray[np.uint8],
    ticks: npt.NDArray[np.int64],
    north_offset_rad: float | None = None,
) -> Moves | None:
    """Return how the car of rows (n, row_bytes) moved; None where they lack what tells it. `north_offset_rad`: of the
    session info, for layouts without YawNorth. Rows in the pits or beside the car have no position (NaN)."""
    north = "YawNorth" in layout
    names = ("LapDistPct", "VelocityX", "VelocityY", "YawNorth" if north else "Yaw")
    if any(name not in layout for name in names) or not (north or north_offset_rad is not None):
        return None
    table: npt.NDArray[Any] = np.ascontiguousarray(rows).reshape(-1).view(layout.dtype)
    position, forward, left, yaw = (np.array(table[name], np.float64) for name in names)
    heading = yaw if north else (north_offset_rad or 0.0) - yaw
    for name, good in (("OnPitRoad", 0), ("IsOnTrack", 1)):
        if name in layout:
            position[table[name] != good] = np.nan
    sine, cosine = np.sin(heading), np.cos(heading)
    return Moves(ticks, position, forward * sine - left * cosine, forward * cosine + left * sine)


def reckoned(lap: Moves, tick_rate: int, source: str = "learned from speed and heading") -> Reckoned | None:
    """Return the shape of a whole lap, or None when it does not close well enough to be trusted. (0, 0) is where the
    lap began."""
    seconds = np.diff(lap.tick) / tick_rate
    steps = [(rate[1:] + rate[:-1]) / 2 * seconds for rate in (lap.east_mps, lap.north_mps)]
    east, north = (np.concatenate(([0.0], np.cumsum(step))) for step in steps)
    driven = np.concatenate(([0.0], np.cumsum(np.hypot(*steps))))
    if not driven[-1] > DRIVEN_MIN_M:
        return None
    off_m = float(np.hypot(east[-1], north[-1]))
    if off_m > OFF_MAX * driven[-1]:
        return None
    east, north = (sum_ - sum_[-1] * driven / driven[-1] for sum_ in (east, north))
    along = np.unwrap(lap.position, period=1.0)
    points = np.arange(POINTS) / POINTS
    wanted = along[0] + (points - along[0]) % 1.0
    return Reckoned(
        TrackShape(points, np.interp(wanted, along, east), np.interp(wanted, along, north), None, source),
        off_m,
    )
