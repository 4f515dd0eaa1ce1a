"""Laps beside each other by where on the track they are: every channel on one grid of positions, and time lost. Pure.

delta(p) = t_lap(p) − t_reference(p), t(p) the time since the lap's start at which position p was first reached: what a lap
has lost (positive) or won up to there. Between samples both are straight lines. Where a lap has a hole, is not that far
yet, or began later, its values are NaN: nothing is bridged.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import frozen

from daemons.telemetry.look import LapColumns
from daemons.telemetry.web.channels import CHANNELS

__all__ = ["HOLE_S", "OnGrid", "deltas", "grid", "on_grid"]

HOLE_S = 0.5
"""Two samples further apart than this have a hole between them."""

EDGE = 0.01
"""So much of a lap may be missing at its ends: at 60 Hz the first and last sample are within a car's length of the line."""


@frozen(eq=False)
class OnGrid:
    """A lap on a grid: seconds since its start (n,), and its channels by their shown names, in shown units (n,)."""

    time_s: npt.NDArray[np.float64]
    columns: Mapping[str, npt.NDArray[np.float64]]


def grid(points: int) -> npt.NDArray[np.float64]:
    """Return `points` positions (2 at least), evenly from 0 to 1."""
    return np.linspace(0.0, 1.0, max(points, 2))


def on_grid(lap: LapColumns, positions: npt.NDArray[np.float64], names: Sequence[str]) -> OnGrid:
    """Return a lap's channels at these positions; those that it has not are left out."""
    forward = _forward(lap.position)
    where, when = lap.position[forward], lap.time_s[forward]
    if len(where) < 2:
        nothing = np.full(len(positions), math.nan)
        return OnGrid(nothing, {name: nothing for name in names if CHANNELS[name].source in lap.columns})
    known = _known(where, when, positions)
    columns = {}
    for name in names:
        channel = CHANNELS[name]
        values = lap.columns.get(channel.source)
        if values is not None and values.ndim == 1:
            columns[name] = np.where(
                known, _at(positions, where, channel.shown(values[forward]), channel.is_step), math.nan
            )
    return OnGrid(np.where(known, _times(lap, where, when, positions), math.nan), columns)


def deltas(laps: Sequence[OnGrid]) -> list[npt.NDArray[np.float64]]:
    """Return what each lap has lost against the first of them, in seconds (n,)."""
    return [lap.time_s - laps[0].time_s for lap in laps]


def _forward(position: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which samples are further than every one before: a car that spins goes back, a curve over positions cannot."""
    if not len(position):
        return np.zeros(0, dtype=bool)
    furthest = np.maximum.accumulate(np.where(np.isfinite(position), position, -np.inf))
    return np.concatenate(([np.isfinite(position[0])], furthest[1:] > furthest[:-1]))


def _known(
    where: npt.NDArray[Any], when: npt.NDArray[Any], positions: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    after = np.clip(np.searchsorted(where, positions, side="left"), 1, len(where) - 1)
    in_hole = (
        (when[after] - when[after - 1] > HOLE_S) & (positions > where[after - 1]) & (positions < where[after])
    )
    return np.asarray((positions >= where[0] - EDGE) & (positions <= where[-1] + EDGE) & ~in_hole)


def _times(
    lap: LapColumns, where: npt.NDArray[Any], when: npt.NDArray[Any], positions: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The line is crossed between two samples: there the lap's own start and time are what is known."""
    if where[0] > 0.0 and where[0] <= EDGE:
        where, when = np.concatenate(([0.0], where)), np.concatenate(([0.0], when))
    if lap.lap.time_s is not None and 1.0 - EDGE <= where[-1] < 1.0:
        where, when = np.concatenate((where, [1.0])), np.concatenate((when, [lap.lap.time_s]))
    return np.asarray(np.interp(positions, where, when))


def _at(
    positions: npt.NDArray[np.float64],
    where: npt.NDArray[Any],
    values: npt.NDArray[np.float64],
    is_step: bool,
) -> npt.NDArray[np.float64]:
    if not is_step:
        return np.asarray(np.interp(positions, where, values))
    return np.asarray(values[np.clip(np.searchsorted(where, positions, side="right") - 1, 0, None)])
