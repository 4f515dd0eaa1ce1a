"""Where a track's corners are, found in a lap: where the car's path is bent, or, with no yaw rate, where it slows down. Pure.

The path's curvature is yaw rate / speed (1/m, positive to the left, as the simulator has yaw), evened out over a car's
length or two. A corner is where it is more than 1 / `RADIUS_M`, and goes on, with the same sign, to half of that; what turns the
car by less than `TURN_RAD` altogether is a kink and no corner. A straight belongs to the corner before it, whose exit it pays
for, until the lap is no longer at its fastest there, and then to the next: so each corner has a stretch of its own, and the
stretches are the lap. A corner that the start line cuts is two, for a lap ends there.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import radians
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from daemons.telemetry.analysis.positions import Floats, Placed

__all__ = ["Corner", "curvature", "find_corners", "length_m"]

RADIUS_M: Final = 300.0
TURN_RAD: Final = radians(15)
APART_M: Final = 20.0
"""Two bends the same way with less between them are one corner."""
EVEN_M: Final = 15.0
SLOW_MS: Final = 5.0
"""Below this the yaw rate says little about the path."""
TOP: Final = 0.999
"""A straight ends where the lap last has this share of its top speed."""
DIP: Final = 0.95
"""Without a yaw rate a corner is where speed falls below this share of what it was before and gets to again."""


@frozen
class Corner:
    """One corner of a track, all positions 0 to 1. `start` and `end`: of the bend; `apex`: where the lap in which it was found
    is slowest in it; `first` and `last`: of its stretch of the lap. `turn_rad`: by how much it turns, positive to the left;
    None when it was found by speed."""

    number: int
    start: float
    apex: float
    end: float
    first: float
    last: float
    turn_rad: float | None = None


def length_m(lap: Placed) -> float:
    """Return how long the lap is in metres: speed (m/s) over time. NaN for a lap with a hole, which has no length."""
    return float(np.trapezoid(lap.columns["Speed"], lap.time_s))


def curvature(lap: Placed, length: float) -> Floats:
    """Return the path's curvature (n,), 1/m, positive to the left, of a lap with Speed (m/s) and YawRate (rad/s)."""
    speed, yaw_rate = lap.columns["Speed"], lap.columns["YawRate"]
    bent = np.divide(yaw_rate, speed, out=np.zeros(len(speed)), where=speed > SLOW_MS)
    return _evened(bent, lap.positions, length)


def find_corners(lap: Placed) -> list[Corner]:
    """Return the corners of a track in order, found in a whole lap with Speed and, better, YawRate; none of a lap with a
    hole or that was not finished."""
    speed = lap.columns["Speed"]
    if len(speed) < 3 or not np.isfinite(lap.time_s).all() or not np.isfinite(speed).all():
        return []
    length = length_m(lap)
    if np.isfinite(lap.columns.get("YawRate", np.nan)).all():
        bent = curvature(lap, length)
        bends = _bends(bent, lap.positions, length)
        way = lap.positions * length
        turns: list[float | None] = [
            float(np.trapezoid(bent[first : last + 1], way[first : last + 1])) for first, last in bends
        ]
        kept = [index for index, turn in enumerate(turns) if turn is not None and abs(turn) >= TURN_RAD]
        bends, turns = [bends[index] for index in kept], [turns[index] for index in kept]
    else:
        bends = _dips(_evened(speed, lap.positions, length))
        turns = [None] * len(bends)
    return _corners(lap.positions, speed, bends, turns)


def _evened(values: Floats, positions: Floats, length: float) -> Floats:
    """Return the mean over EVEN_M around each position; at the line it goes on from the other end of the lap."""
    step = length * (positions[-1] - positions[0]) / (len(positions) - 1)
    half = min(int(EVEN_M / step / 2), len(values) // 2)
    if half < 1:
        return values
    # Both ends of the grid are the same place, so that the last value is left out where it goes round.
    around = np.concatenate((values[-1 - half : -1], values, values[1 : half + 1]))
    return np.convolve(around, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid")


def _bends(bent: Floats, positions: Floats, length: float) -> list[tuple[int, int]]:
    """Return the first and last index of what is bent enough."""
    found: list[tuple[int, int]] = []
    for sign in (1, -1):
        for first, last in _runs(sign * bent >= 0.5 / RADIUS_M):
            if (sign * bent[first : last + 1]).max() < 1 / RADIUS_M:
                continue
            before = found[-1] if found and sign * bent[found[-1][0]] > 0 else None
            if before is not None and (positions[first] - positions[before[1]]) * length < APART_M:
                found[-1] = (before[0], last)
            else:
                found.append((first, last))
    return sorted(found)


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last index of each run of what is true."""
    edges = np.diff(np.concatenate(([False], mask, [False])).astype(np.int8))
    return list(
        zip((edges == 1).nonzero()[0].tolist(), ((edges == -1).nonzero()[0] - 1).tolist(), strict=True)
    )


def _dips(speed: Floats) -> list[tuple[int, int]]:
    """Return where speed falls to less than DIP of a maximum before it, until it has risen as much again."""
    found = []
    top = bottom = 0
    start: int | None = None
    for index in range(len(speed)):
        if start is None:
            if speed[index] >= speed[top]:
                top = index
            elif speed[index] < DIP * speed[top]:
                start, bottom = top, index
        elif speed[index] < speed[bottom]:
            bottom = index
        elif speed[index] * DIP > speed[bottom]:
            found.append((start, index))
            start, top = None, index
    if start is not None:
        found.append((start, len(speed) - 1))
    return found


def _corners(
    positions: Floats, speed: Floats, bends: Sequence[tuple[int, int]], turns: Sequence[float | None]
) -> list[Corner]:
    cuts = [0]
    for (_, before), (after, _) in pairwise(bends):
        between = speed[before : max(after, before) + 1]
        cuts.append(before + int((between >= between.max() * TOP).nonzero()[0][-1]))
    cuts.append(len(positions) - 1)
    return [
        Corner(
            index + 1, float(positions[first]), float(positions[first + int(np.argmin(speed[first : last + 1]))]),
            float(positions[last]), float(positions[cuts[index]]), float(positions[cuts[index + 1]]), turns[index],
        )
        for index, (first, last) in enumerate(bends)
    ]  # fmt: skip
