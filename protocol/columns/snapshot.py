"""The seventeen values that a dashboard shows, as a layout of their own, so that they travel as any other."""

from typing import Final

from protocol.irsdk import Layout, Type, Variable

__all__ = ["SNAPSHOT"]

# Name, type, unit; signs and ranges are the dashboard's: percent 0 to 100, steering negative to the left.
_VALUES: Final = (
    ("timestamp", Type.DOUBLE, "s"),
    ("latitude", Type.DOUBLE, "deg"),
    ("longitude", Type.DOUBLE, "deg"),
    ("speed", Type.FLOAT, "km/h"),
    ("rpm", Type.FLOAT, "revs/min"),
    ("throttle", Type.FLOAT, "percent"),
    ("brake", Type.FLOAT, "percent"),
    ("steeringAngle", Type.FLOAT, "deg"),
    ("trackPosition", Type.FLOAT, "lap"),
    ("fuelLevel", Type.FLOAT, "percent"),
    ("tireWearFrontLeft", Type.FLOAT, "percent"),
    ("tireWearFrontRight", Type.FLOAT, "percent"),
    ("tireWearRearLeft", Type.FLOAT, "percent"),
    ("tireWearRearRight", Type.FLOAT, "percent"),
    ("gear", Type.INT, ""),
    ("lap", Type.INT, ""),
    ("sector", Type.INT, ""),
)


def _layout() -> Layout:
    variables = []
    at = 0
    for name, kind, unit in _VALUES:
        variables.append(Variable(name, kind, at, unit=unit))
        at += kind.dtype.itemsize
    return Layout(tuple(variables), at)


SNAPSHOT: Final = _layout()
"""`timestamp` is in seconds of the session; nan where a value is not known."""
