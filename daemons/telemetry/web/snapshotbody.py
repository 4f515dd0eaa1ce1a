"""What is posted to /api/telemetry, read: one snapshot with the seed's names, units and signs. Pure.

Each value may be left out or null, which says that it is not known; what is there must be a number in its range.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from attrs import frozen

__all__ = ["BadSnapshot", "Posted", "read_posted"]

DRIVER_CHARS_MAX = 64

RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "speed": (0, 600), "rpm": (0, 30_000), "throttle": (0, 100), "brake": (0, 100), "steeringAngle": (-1440, 1440),
    "latitude": (-90, 90), "longitude": (-180, 180), "trackPosition": (0, 1), "fuelLevel": (0, 100),
}  # fmt: skip
WHOLE: Final[Mapping[str, tuple[int, int]]] = {"gear": (-1, 10), "lap": (-1, 100_000), "sector": (0, 100)}
WHEELS: Final = ("frontLeft", "frontRight", "rearLeft", "rearRight")


class BadSnapshot(ValueError):
    """What was posted is no snapshot; the words are safe to show."""


@frozen
class Posted:
    """One snapshot. `data` has the values that are known, under the seed's names."""

    driver: str
    at_us: int
    data: Mapping[str, Any]


def read_posted(value: object) -> Posted:
    """Return what a body, parsed as JSON, says. Raises BadSnapshot."""
    if not isinstance(value, dict):
        raise BadSnapshot('the body is an object with "driverId", "timestamp" and "data"')
    if unknown := sorted(set(map(str, value)) - {"driverId", "timestamp", "data"}):
        raise BadSnapshot(f"{unknown[0][:40]!r} is none of driverId, timestamp, data")
    driver = _driver(value.get("driverId"))
    at_us = _instant(value.get("timestamp"))
    data = value.get("data")
    if not isinstance(data, dict):
        raise BadSnapshot('"data" is an object')
    return Posted(driver, at_us, _values(data, driver))


def _values(data: dict[str, Any], driver: str) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in data.items():
        if value is None:
            continue
        if name in RANGES:
            read[name] = _number(name, value, *RANGES[name])
        elif name in WHOLE:
            read[name] = _whole(name, value, *WHOLE[name])
        elif name == "tireWear":
            read[name] = _wear(value)
        elif name == "timestamp":  # the seed's TelemetrySnapshot has one of its own
            _instant(value)
        elif name == "driverId":
            if value != driver:
                raise BadSnapshot("the driverId in data is another one")
        else:
            known = ", ".join([*RANGES, *WHOLE, "tireWear"])
            raise BadSnapshot(f"{name[:40]!r} is no value of a snapshot; those are {known}")
    if not read:
        raise BadSnapshot('"data" has no value')
    return read


def _wear(value: object) -> dict[str, float]:
    if not isinstance(value, dict) or not set(value) <= set(WHEELS):
        raise BadSnapshot(f"tireWear is an object with {', '.join(WHEELS)}")
    return {
        wheel: _number(f"tireWear.{wheel}", one, 0, 100) for wheel, one in value.items() if one is not None
    }


def _driver(value: object) -> str:
    if not (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and 1 <= len(value) <= DRIVER_CHARS_MAX
    ):
        raise BadSnapshot("driverId is the name of a driver")
    return value


def _instant(value: object) -> int:
    try:
        if not isinstance(value, str) or len(value) > 40:
            raise ValueError
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        at_us = round(at.timestamp() * 1e6)
    except (ValueError, OverflowError):
        raise BadSnapshot("timestamp is an instant as ISO 8601 has it: 2026-03-14T15:00:00.000Z") from None
    if at_us < 0:
        raise BadSnapshot("timestamp is before 1970")
    return at_us


def _number(name: str, value: object, lowest: float, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise BadSnapshot(f"{name} is a number, {lowest:g} to {highest:g}")
    assert math.isfinite(value)
    return float(value)


def _whole(name: str, value: object, lowest: int, highest: int) -> int:
    number = _number(name, value, lowest, highest)
    if number != int(number):
        raise BadSnapshot(f"{name} is a whole number, {lowest} to {highest}")
    return int(number)
