"""A track's latitude and longitude by position (LapDistPct), learned from laps of files, which have both. Pure.

What is looked up is where cars drove when it was learned: another line through a corner is metres beside it. So whatever
comes from here is marked as estimated.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from attrs import define, field, frozen

from daemons.telemetry.look import TrackShape
from protocol.irsdk import Layout

__all__ = ["CELLS", "Course", "Driven", "driven_in", "metres_apart"]

CELLS: Final = 2048
"""Points of a course: 2 to 12 m apart."""
WEIGHT_MAX: Final = 16.0
"""So many laps count at most: what is driven now moves the course even after years."""
STEP_MAX: Final = 0.01
"""Further in one tick nobody drives: a jump (towed, reset)."""
EARTH_M: Final = 6_371_008.8
ON_TRACK: Final = 3

Floats = npt.NDArray[np.float64]


@frozen(eq=False)
class Driven:
    """Rows of somebody who drives on the track: positions (n,) 0 to 1, latitudes and longitudes in degrees (n,)."""

    position: Floats
    latitude: Floats
    longitude: Floats


@define(eq=False)
class Course:
    """A track's course. `latitude`, `longitude`: degrees (CELLS,) at positions k / CELLS, NaN where nobody drove yet;
    `weight` (CELLS,): laps that each is the mean of."""

    latitude: Floats = field(factory=lambda: np.full(CELLS, np.nan))
    longitude: Floats = field(factory=lambda: np.full(CELLS, np.nan))
    weight: Floats = field(factory=lambda: np.zeros(CELLS))

    @property
    def known(self) -> float:
        """Which part of the track it knows, 0 to 1."""
        return float(np.count_nonzero(self.weight)) / CELLS

    def learn(self, driven: Driven) -> int:
        """Take in what was driven; return how many points were learned anew or again."""
        learned = 0
        for first, last in _runs(driven.position):
            along = np.unwrap(driven.position[first:last], period=1.0)
            at = np.arange(np.ceil(along[0] * CELLS), np.floor(along[-1] * CELLS) + 1)
            if not len(at):
                continue
            points = at / CELLS
            latitude = np.interp(points, along, driven.latitude[first:last])
            longitude = np.interp(points, along, driven.longitude[first:last])
            # A run of several laps passes a point several times: one lap after the other.
            for begin in range(0, len(at), CELLS):
                part = slice(begin, begin + CELLS)
                self._add(at[part].astype(np.int64) % CELLS, latitude[part], longitude[part])
            learned += len(at)
        return learned

    def at(self, position: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return latitudes and longitudes at positions (n,), NaN where they are not known or no position is one."""
        wanted = np.asarray(position, np.float64)
        inside = (wanted >= 0) & (wanted <= 1)
        scaled = np.where(inside, wanted, 0.0) % 1.0 * CELLS
        below = scaled.astype(np.int64)
        part, above = scaled - below, (below + 1) % CELLS
        below %= CELLS
        latitude = self.latitude[below] * (1 - part) + self.latitude[above] * part
        longitude = self.longitude[below] * (1 - part) + self.longitude[above] * part
        return np.where(inside, latitude, np.nan), np.where(inside, longitude, np.nan)

    def shape(self, source: str = "learned from a file") -> TrackShape | None:
        """Return it in metres, or None while a tenth of the track or more is not known."""
        known = np.flatnonzero(self.weight)
        if len(known) < 0.9 * CELLS:
            return None
        origin = float(self.latitude[known].mean()), float(self.longitude[known].mean())
        east, north = _metres(self.latitude[known], self.longitude[known], origin)
        return TrackShape(known / CELLS, east, north, origin, source)

    def _add(self, cells: npt.NDArray[np.int64], latitude: Floats, longitude: Floats) -> None:
        weight = self.weight[cells]
        share = 1 / (weight + 1)
        is_new = weight == 0
        for kept, seen in ((self.latitude, latitude), (self.longitude, longitude)):
            before = np.where(is_new, seen, kept[cells])
            kept[cells] = before + (seen - before) * share
        self.weight[cells] = np.minimum(weight + 1, WEIGHT_MAX - 1)


def driven_in(layout: Layout, rows: npt.NDArray[np.uint8]) -> Driven | None:
    """Return what was driven on the track (not in the pits, not beside it) in rows (n, row_bytes), or None where the
    rows have no latitude: live ones have none."""
    if any(name not in layout for name in ("Lat", "Lon", "LapDistPct")):
        return None
    table: npt.NDArray[Any] = np.ascontiguousarray(rows).reshape(-1).view(layout.dtype)
    position, latitude, longitude = (
        np.array(table[name], np.float64) for name in ("LapDistPct", "Lat", "Lon")
    )
    is_driven = (position >= 0) & (position <= 1) & (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    is_driven &= (latitude != 0) | (longitude != 0)  # the first row of a file is one of zeros at times
    if "OnPitRoad" in layout:
        is_driven &= table["OnPitRoad"] == 0
    if "PlayerTrackSurface" in layout:
        is_driven &= table["PlayerTrackSurface"] == ON_TRACK
    position[~is_driven] = np.nan  # which ends a run
    return Driven(position, latitude, longitude)


def metres_apart(latitude: Floats, longitude: Floats, latitudes: Floats, longitudes: Floats) -> Floats:
    """Return the distances (n,) between two lists of points in degrees; on a sphere, for what is near."""
    north = np.radians(latitudes - latitude)
    east = np.radians(longitudes - longitude) * np.cos(np.radians(latitude))
    apart: Floats = np.hypot(north, east) * EARTH_M
    return apart


def _metres(latitude: Floats, longitude: Floats, origin: tuple[float, float]) -> tuple[Floats, Floats]:
    east = np.radians(longitude - origin[1]) * np.cos(np.radians(origin[0])) * EARTH_M
    return east, np.radians(latitude - origin[0]) * EARTH_M


def _runs(position: Floats) -> Iterator[tuple[int, int]]:
    """Yield first and last (excluded) of rows that go forward without a jump. One that stands still goes on."""
    step = np.diff(position)
    step = np.where(step < -0.5, step + 1, step)
    goes_on = (step >= 0) & (step < STEP_MAX)  # NaN goes nowhere
    ends = np.flatnonzero(~goes_on) + 1
    for first, last in zip([0, *ends], [*ends, len(position)], strict=True):
        if last - first > 1:
            yield int(first), int(last)
