"""How finely a channel is quantised, by its name and its unit as the simulator writes them.

A step is a length in the channel's own unit; a value becomes the nearest whole number of steps. Fractions are "%" to the
simulator (0 to 1), speeds m/s, angles rad. Units that are not here are kept exactly.
"""

import re
from math import pi
from typing import Final

from protocol.columns.values import Precision
from protocol.irsdk import Type, Variable

__all__ = ["BY_UNIT", "COARSER", "step_of"]

COARSER: Final = 5
"""A COARSE step is this many FINE ones."""

_DEGREE: Final = pi / 180

# A tick is 1/60 s, so instants are whole twentieths of it: 0.83 ms, and no rounding from tick to tick.
_BY_NAME: Final = (
    (re.compile(r"Lat|Lon|latitude|longitude"), 1e-6),
    (re.compile(r"(CarIdx)?LapDistPct|trackPosition"), 1e-5),
    (re.compile(r"timestamp|(Replay)?SessionTime(Remain)?|LapCurrentLapTime"), 1 / 1200),
    (re.compile(r".*(shockDefl|[rR]ideHeight)(_ST)?"), 1e-4),
    (re.compile(r".*shockVel(_ST)?"), 5e-3),
    (re.compile(r".*odometer"), 1.0),
    (re.compile(r"Velocity[YZ](_ST)?"), 1e-2),
)

BY_UNIT: Final = {
    "km/h": 0.1, "percent": 0.1, "lap": 1e-5, "%": 1e-3, "deg": 0.1,
    "m/s": 0.1 / 3.6, "m/s at 360 Hz": 0.1 / 3.6, "m/s^2": 0.05, "m": 0.1,
    "rad": 0.1 * _DEGREE, "rad/s": 0.1 * _DEGREE, "revs/min": 1.0, "RPM": 1.0,
    "s": 1e-3, "s/s": 1e-3, "C": 0.1, "kPa": 0.1, "bar": 0.01, "Pa": 10.0, "N*m": 0.05, "Hz": 1.0,
    "l": 0.01, "l or kWh": 0.01, "kg": 0.01, "kg/h": 0.1, "kg/m^3": 1e-3, "V": 0.01, "fps": 0.1,
}  # fmt: skip


def step_of(variable: Variable, precision: Precision) -> float | None:
    """Return the step of a channel, in its unit; None: it is kept exactly."""
    if precision == Precision.LOSSLESS or variable.type not in (Type.FLOAT, Type.DOUBLE):
        return None
    by_name = (step for pattern, step in _BY_NAME if pattern.fullmatch(variable.name))
    step = next(by_name, BY_UNIT.get(variable.unit))
    return None if step is None else step * COARSER if precision == Precision.COARSE else step
