"""The cars of a session at one moment: where each is, and how many seconds apart. Pure.

How far a car has come is counted in seconds: laps times a lap's estimated time, and the simulator's own estimate of how
long it takes to where the car is now (CarIdxEstTime), which knows slow and quick parts; without it, the part of the lap.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from daemons.telemetry.look import Column

__all__ = ["field_of"]


def field_of(
    columns: Mapping[str, Column], car_index: int | None, lap_s: float | None
) -> dict[str, Any] | None:
    """Return the newest row of the car arrays: {"tick", "cars": [[index, part of the lap, lap, position, class position,
    whether it is in the pits, gap]]}, of the cars that are in the world; None without any.

    A gap is how many seconds a car is ahead of `car_index` in the race (behind: negative); null where either is not known.
    """
    where = columns.get("CarIdxLapDistPct")
    if where is None or not len(where.ticks):
        return None
    tick = int(where.ticks[-1])
    parts = where.values[-1].astype(np.float64)
    rows = {name: _row(columns, name, tick, len(parts)) for name in _OTHERS}
    come = _come(parts, rows["CarIdxLap"], rows["CarIdxEstTime"], lap_s)
    own = come[car_index] if car_index is not None and 0 <= car_index < len(parts) else math.nan
    cars = [
        [
            index, round(float(parts[index]), 5), _whole(rows["CarIdxLap"][index], -1),
            _whole(rows["CarIdxPosition"][index], 0), _whole(rows["CarIdxClassPosition"][index], 0),
            bool(rows["CarIdxOnPitRoad"][index] == 1),
            None if math.isnan(gap := float(come[index] - own)) else round(gap, 2),
        ]
        for index in np.flatnonzero(np.isfinite(parts) & (parts >= 0.0)).tolist()
    ]  # fmt: skip
    return {"tick": tick, "cars": cars}


_OTHERS = ("CarIdxLap", "CarIdxPosition", "CarIdxClassPosition", "CarIdxOnPitRoad", "CarIdxEstTime")


def _row(columns: Mapping[str, Column], name: str, tick: int, count: int) -> npt.NDArray[np.float64]:
    """Return an array's row of that tick; NaN where there is none: rows of two moments are never mixed."""
    column = columns.get(name)
    if column is not None and len(column.ticks) and column.ticks[-1] == tick:
        row = column.values[-1].astype(np.float64)
        if row.shape == (count,):
            return np.asarray(row)
    return np.full(count, math.nan)


def _come(
    parts: npt.NDArray[np.float64],
    laps: npt.NDArray[np.float64],
    estimated: npt.NDArray[np.float64],
    lap_s: float | None,
) -> npt.NDArray[np.float64]:
    if lap_s is None or not lap_s > 0:
        return np.full(len(parts), math.nan)
    since_line = np.where(np.isfinite(estimated), estimated, parts * lap_s)
    return np.where((parts >= 0.0) & (laps >= 0), laps * lap_s + since_line, math.nan)


def _whole(value: float, missing: int) -> int | None:
    """Return a whole number; None where it is not known or the simulator's word for "none"."""
    return None if not math.isfinite(value) or value <= missing else int(value)
