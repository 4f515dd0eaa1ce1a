"""A lap by where on the track it was: time and channels on a grid of positions, and what one lap lost against another. Pure.

Positions are 0 to 1 from the start line; between samples time and channels are straight lines, channels of steps (a gear)
stay as they were. Where a lap has a hole, is not that far yet, or began later, everything is NaN: nothing is bridged.
"""

import math
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

__all__ = ["EDGE", "HOLE_S", "Placed", "delta", "grid", "place"]

HOLE_S = 0.5
"""Two samples further apart than this have a hole between them."""

EDGE = 0.01
"""So much of a lap may be missing at its ends: at 60 Hz the first and last sample are within a car's length of the line."""

Floats = NDArray[np.float64]


@frozen(eq=False)
class Placed:
    """A lap on a grid: `positions` (n,) ascending, `time_s` (n,) since the lap's start, `columns` each (n,)."""

    positions: Floats
    time_s: Floats
    columns: Mapping[str, Floats] = field(repr=False)


def grid(points: int) -> Floats:
    """Return `points` positions (2 at least), evenly from 0 to 1."""
    return np.linspace(0.0, 1.0, max(points, 2))


def place(
    position: NDArray[Any], time_s: NDArray[Any], columns: Mapping[str, NDArray[Any]], positions: Floats,
    *, lap_s: float | None = None, steps: Set[str] = frozenset(),
) -> Placed:  # fmt: skip
    """Return a lap at `positions`.

    `position` (k,): LapDistPct unwrapped, in order of time; `time_s` (k,) since the line; `columns` each (k,), those of
    `steps` are not interpolated. `lap_s`: what the lap took, None: it was not finished. A car that spins goes back, which
    a curve over positions cannot: of a stretch driven twice the first time counts.
    """
    ahead = _forward(np.asarray(position, np.float64))
    where, when = np.asarray(position, np.float64)[ahead], np.asarray(time_s, np.float64)[ahead]
    if len(where) < 2:
        nothing = np.full(len(positions), math.nan)
        return Placed(positions, nothing, dict.fromkeys(columns, nothing))
    known = _known(where, when, positions)
    found = {
        name: np.where(known, _at(positions, where, np.asarray(values)[ahead], name in steps), math.nan)
        for name, values in columns.items()
    }
    return Placed(positions, np.where(known, _times(where, when, positions, lap_s), math.nan), found)


def delta(lap: Placed, reference: Placed) -> Floats:
    """Return what a lap has lost (positive) or won up to each position, in seconds (n,): t(p) less the reference's."""
    return lap.time_s - reference.time_s


def _forward(position: Floats) -> NDArray[np.bool_]:
    """Return which samples are further than every one before."""
    if not len(position):
        return np.zeros(0, np.bool_)
    furthest = np.maximum.accumulate(np.where(np.isfinite(position), position, -np.inf))
    return np.concatenate(([np.isfinite(position[0])], furthest[1:] > furthest[:-1]))


def _known(where: Floats, when: Floats, positions: Floats) -> NDArray[np.bool_]:
    after = np.clip(np.searchsorted(where, positions, side="left"), 1, len(where) - 1)
    in_hole = (
        (when[after] - when[after - 1] > HOLE_S) & (positions > where[after - 1]) & (positions < where[after])
    )
    return np.asarray((positions >= where[0] - EDGE) & (positions <= where[-1] + EDGE) & ~in_hole)


def _times(where: Floats, when: Floats, positions: Floats, lap_s: float | None) -> Floats:
    """The line is crossed between two samples: there the lap's own start and time are what is known."""
    if 0.0 < where[0] <= EDGE:
        where, when = np.concatenate(([0.0], where)), np.concatenate(([0.0], when))
    if lap_s is not None and 1.0 - EDGE <= where[-1] < 1.0:
        where, when = np.concatenate((where, [1.0])), np.concatenate((when, [lap_s]))
    return np.interp(positions, where, when)


def _at(positions: Floats, where: Floats, values: NDArray[Any], is_step: bool) -> Floats:
    if not is_step:
        return np.interp(positions, where, values.astype(np.float64))
    before = np.clip(np.searchsorted(where, positions, side="right") - 1, 0, None)
    return np.asarray(values.astype(np.float64)[before])
