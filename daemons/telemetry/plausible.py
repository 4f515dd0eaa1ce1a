"""What values of a channel can be: by its unit. Whatever is outside, or no number, is told; it is kept nevertheless.

The ranges are wide: no car that the simulator has leaves them, wrong bytes nearly always do.
"""

from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from daemons.telemetry.lanes import Section, extremes
from protocol.columns import Batch
from protocol.irsdk import Type, Variable

__all__ = ["implausible", "range_of"]

_BY_UNIT: Final = {
    "m/s": 300.0, "m/s at 360 Hz": 300.0, "m/s^2": 5000.0, "rad": 1e4, "rad/s": 1e4, "revs/min": 1e5, "%": 1e4,
    "C": 1e4, "l": 1e4, "kg": 1e5, "kg/h": 1e5, "kPa": 1e5, "bar": 1e5, "V": 1e4, "N*m": 1e5, "s": 1e9, "deg": 1e3,
    "m": 1e8,
}  # fmt: skip
_BY_NAME: Final = {
    "LapDistPct": (-1.0, 1.01),
    "Lat": (-90.0, 90.0),
    "Lon": (-180.0, 360.0),
    "Speed": (-1.0, 300.0),
}
_ANY: Final = 1e15

_ranges: WeakKeyDictionary[Section, tuple[NDArray[np.float64], NDArray[np.float64]]] = WeakKeyDictionary()


def range_of(variable: Variable | None) -> tuple[float, float]:
    """Return the least and the greatest value that a channel can have; None: bytes that belong to no channel."""
    if variable is None or variable.type not in (Type.FLOAT, Type.DOUBLE, Type.BOOL):
        return -_ANY, _ANY
    if variable.type == Type.BOOL:
        return 0.0, 1.0
    most = _BY_UNIT.get(variable.unit, _ANY)
    return _BY_NAME.get(variable.name, (-most, most))


def implausible(batch: Batch) -> set[str]:
    """Return the channels of a batch with a value that cannot be, or that is no number."""
    found: set[str] = set()
    for one in extremes(batch):
        section = one.section
        if section not in _ranges:
            ranges = np.array([range_of(variable) for variable in section.variables]).T
            _ranges[section] = ranges[0], ranges[1]
        least, greatest = _ranges[section]
        bad = ~((one.least >= least) & (one.greatest <= greatest))
        if bad.any():
            named = (section.variables[lane] for lane in np.flatnonzero(bad))
            found |= {variable.name for variable in named if variable is not None}
    return found
