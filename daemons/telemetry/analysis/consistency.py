"""How alike a driver's laps are, on the whole and corner by corner, and what the best of each corner would make. Pure.

A spread is the standard deviation of a sample (n - 1 below the line, Bessel's correction); one lap has none.
"""

import math
from collections.abc import Sequence

import numpy as np
from attrs import field, frozen

from daemons.telemetry.analysis.corners import Corner
from daemons.telemetry.analysis.driving import Driven, driven, stretch_s
from daemons.telemetry.analysis.positions import Floats, Placed

__all__ = ["Consistency", "CornerSpread", "consistency"]


@frozen(kw_only=True)
class CornerSpread:
    """Over the laps that have the corner whole: spreads of time, slowest speed (m/s), braking and throttle points (share of
    the lap). NaN where fewer than two laps have it."""

    corner: int
    best_s: float
    time_s: float
    apex_speed: float
    brake_at: float
    throttle_at: float


@frozen(kw_only=True)
class Consistency:
    """Laps beside each other. `times_s`: of each lap, NaN for one that was not finished; `best_s`, `mean_s` and `spread_s` are of
    those that were. `ideal_s`: the best stretches one after the other, NaN while a stretch is missing. `speed_spread` (n,):
    spread of the speed at each position, m/s."""

    times_s: tuple[float, ...]
    best_s: float
    mean_s: float
    spread_s: float
    ideal_s: float
    corners: tuple[CornerSpread, ...]
    speed_spread: Floats = field(eq=False, repr=False)


def consistency(laps: Sequence[Placed], corners: Sequence[Corner]) -> Consistency:
    """Compare laps that are on one grid, each with Speed, Throttle and Brake. Raises ValueError for no laps."""
    if not laps:
        raise ValueError("no laps to compare")
    times = np.array([lap.time_s[-1] - lap.time_s[0] for lap in laps])
    stretches = np.array([stretch_s(lap, corners) for lap in laps]).reshape(len(laps), len(corners))
    ways = [driven(lap, corners) for lap in laps]
    spreads = tuple(
        _corner(corner.number, stretches[:, index], [way[index] for way in ways])
        for index, corner in enumerate(corners)
    )
    speeds = np.array([lap.columns["Speed"] for lap in laps])
    known = times[np.isfinite(times)]
    return Consistency(
        times_s=tuple(times.tolist()),
        best_s=float(known.min()) if len(known) else math.nan,
        mean_s=float(known.mean()) if len(known) else math.nan,
        spread_s=_spread(times),
        ideal_s=sum((spread.best_s for spread in spreads), 0.0) if spreads else math.nan,
        corners=spreads,
        speed_spread=_spreads(speeds),
    )


def _corner(number: int, times: Floats, ways: Sequence[Driven | None]) -> CornerSpread:
    whole = [way for way in ways if way is not None]
    known = times[np.isfinite(times)]
    return CornerSpread(
        corner=number,
        best_s=float(known.min()) if len(known) else math.nan,
        time_s=_spread(times),
        apex_speed=_spread([way.apex_speed for way in whole]),
        brake_at=_spread([way.brake_at for way in whole]),
        throttle_at=_spread([way.throttle_at for way in whole]),
    )


def _spread(values: Sequence[float | None] | Floats) -> float:
    known = np.array([value for value in values if value is not None and math.isfinite(value)], np.float64)
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


def _spreads(rows: Floats) -> Floats:
    """Return the spread of each column of what is finite in it."""
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    mean = np.where(known, rows, 0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, (rows - mean) ** 2, 0).sum(axis=0)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), math.nan)
