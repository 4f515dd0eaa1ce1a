"""The channels that pages and API know by plain names: the seed's units and signs, out of the simulator's. Pure.

Speed km/h, pedals 0 to 100 %, steering in degrees with left negative (the simulator's radians are positive to the left),
fuel in litres. null is what is not known.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from daemons.telemetry.look import Column

__all__ = ["CARS", "CHANNELS", "Channel", "listed", "parts_of"]


@frozen
class Channel:
    """One channel as it is shown: `source` times `factor`, to `digits`. `is_step`: it jumps and is never interpolated."""

    name: str
    source: str
    unit: str
    factor: float = 1.0
    digits: int = 1
    is_step: bool = False

    def shown(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the simulator's values in the unit shown, not rounded."""
        return values.astype(np.float64) * self.factor


CHANNELS: Final[Mapping[str, Channel]] = {
    channel.name: channel
    for channel in (
        Channel("speed", "Speed", "km/h", 3.6),
        Channel("throttle", "Throttle", "%", 100.0),
        Channel("brake", "Brake", "%", 100.0),
        Channel("clutch", "Clutch", "%", 100.0),
        Channel("steering", "SteeringWheelAngle", "°", -180.0 / math.pi),
        Channel("gear", "Gear", "", digits=0, is_step=True),
        Channel("rpm", "RPM", "1/min", digits=0),
        Channel("position", "LapDistPct", "lap", digits=5),
        Channel("lap", "Lap", "", digits=0, is_step=True),
        Channel("fuel", "FuelLevel", "l", digits=2),
        Channel("lateral", "LatAccel", "m/s²", digits=2),
        Channel("longitudinal", "LongAccel", "m/s²", digits=2),
    )
}

CARS: Final = (
    "CarIdxLapDistPct", "CarIdxLap", "CarIdxPosition", "CarIdxClassPosition", "CarIdxOnPitRoad", "CarIdxEstTime",
)  # fmt: skip
"""The car arrays that the track map and the gaps are made of."""


def listed(values: npt.NDArray[np.float64], digits: int) -> list[float | int | None]:
    """Return values as JSON has them: rounded, whole ones as integers, None for what is not finite."""
    rounded = np.round(values, digits)
    finite = np.isfinite(rounded)
    if digits == 0:
        whole: list[int] = np.where(finite, rounded, 0.0).astype(np.int64).tolist()
        return list(whole) if finite.all() else _holed(whole, finite)
    texts: list[float] = (rounded + 0.0).tolist()  # + 0.0: no "-0.0"
    return list(texts) if finite.all() else _holed(texts, finite)


def _holed(values: Sequence[float | int], finite: npt.NDArray[np.bool_]) -> list[float | int | None]:
    return [value if is_known else None for value, is_known in zip(values, finite.tolist(), strict=True)]


def parts_of(columns: Mapping[str, Column], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the single-valued channels `names` of a chunk: {"first", "step", "columns": {name: [values]}} for every run
    of evenly spaced ticks."""
    groups: list[tuple[npt.NDArray[np.int64], list[Channel]]] = []
    for name in names:
        channel = CHANNELS[name]
        column = columns.get(channel.source)
        if column is None or not len(column.ticks):
            continue
        for ticks, members in groups:
            if ticks is column.ticks or np.array_equal(ticks, column.ticks):
                members.append(channel)
                break
        else:
            groups.append((column.ticks, [channel]))
    parts = []
    for ticks, members in groups:
        for begin, end, step in _runs(ticks):
            parts.append(
                {
                    "first": int(ticks[begin]),
                    "step": step,
                    "columns": {
                        channel.name: listed(
                            channel.shown(columns[channel.source].values[begin:end]), channel.digits
                        )
                        for channel in members
                    },
                }
            )
    return parts


def _runs(ticks: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return [begin, end) and step of the longest stretches of even steps, in order."""
    steps = np.diff(ticks)
    if not len(steps) or (steps == steps[0]).all():
        return [(0, len(ticks), int(steps[0]) if len(steps) else 1)]
    runs, begin = [], 0
    while begin < len(ticks):
        end = begin + 1
        step = int(steps[begin]) if begin < len(steps) else 1
        while end < len(ticks) and int(steps[end - 1]) == step:
            end += 1
        runs.append((begin, end, step))
        begin = end
    return runs
