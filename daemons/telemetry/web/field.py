"""The cars of a session at one moment: where each is, and how many seconds apart. Pure.

How far a car has come is counted in seconds: laps times a lap's estimated time, and the simulator's own estimate of how
long it takes to where the car is now (CarIdxEstTime), which knows slow and quick parts. That is the time of the car's own
class: between two classes, and without it, the part of the lap is what counts.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from daemons.telemetry.look import CarEntry, Column

__all__ = ["field_of"]


def field_of(
    columns: Mapping[str, Column],
    car_index: int | None,
    lap_s: float | None,
    entries: Sequence[CarEntry] = (),
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
    gaps = np.full(len(parts), math.nan)
    if car_index is not None and 0 <= car_index < len(parts) and lap_s is not None and lap_s > 0:
        laps = np.where((parts >= 0.0) & (rows["CarIdxLap"] >= 0), rows["CarIdxLap"], math.nan)
        by_time, by_part = laps * lap_s + rows["CarIdxEstTime"], (laps + parts) * lap_s
        alike = (
            _alike(entries, car_index, len(parts)) & np.isfinite(by_time) & np.isfinite(by_time[car_index])
        )
        gaps = np.where(alike, by_time - by_time[car_index], by_part - by_part[car_index])
    cars = [
        [
            index, round(float(parts[index]), 5), _whole(rows["CarIdxLap"][index], -1),
            _whole(rows["CarIdxPosition"][index], 0), _whole(rows["CarIdxClassPosition"][index], 0),
            bool(rows["CarIdxOnPitRoad"][index] == 1),
            None if math.isnan(gap := float(gaps[index])) else round(gap, 2),
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


def _alike(entries: Sequence[CarEntry], car_index: int, count: int) -> npt.NDArray[np.bool_]:
    """Return which cars are of the same class as that one; all of them where nothing is known of classes."""
    classes = {entry.index: entry.car_class for entry in entries}
    own = classes.get(car_index, "")
    return np.array([classes.get(index, own) == own for index in range(count)])


def _whole(value: float, missing: int) -> int | None:
    """Return a whole number; None where it is not known or the simulator's word for "none"."""
    return None if not math.isfinite(value) or value <= missing else int(value)
