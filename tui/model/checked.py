"""Reads what daemons tell of measured things: what is not there is None or "", what cannot be is a ValueError."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

__all__ = ["choice", "flag", "items", "maps", "maybe", "moment", "number", "numbers", "part", "text", "whole"]

Choice = TypeVar("Choice", bound=StrEnum)

TEXT_MAX = 500
MOMENT_MAX = 1e11


def number(told: Mapping[str, Any], key: str) -> float | None:
    """Return a finite number."""
    return _number(told.get(key), key)


def moment(told: Mapping[str, Any], key: str) -> float | None:
    """Return a moment in UTC seconds that a calendar has."""
    value = number(told, key)
    if value is not None and not 0 <= value < MOMENT_MAX:
        raise ValueError(f"{key}: {value} is no moment")
    return value


def whole(told: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number."""
    value = told.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key}: {value!r} is no whole number")
    return value


def text(told: Mapping[str, Any], key: str) -> str:
    """Return a text, "" when there is none; the rest of one that is too long is cut off."""
    value = told.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key}: {value!r} is no text")
    return value[:TEXT_MAX]


def choice(told: Mapping[str, Any], key: str, usual: Choice) -> Choice:
    """Return one of an enumeration's words; the usual one when none is told."""
    kind, value = type(usual), text(told, key) or usual
    if value not in list(kind):
        raise ValueError(f"{key}: {value!r} is none of {', '.join(kind)}")
    return kind(value)


def flag(told: Mapping[str, Any], key: str) -> bool:
    """Return a yes or no; what is not told is no."""
    value = told.get(key)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{key}: {value!r} is neither yes nor no")
    return bool(value)


def items(told: Mapping[str, Any], key: str, most: int) -> Sequence[Any]:
    """Return a list of at most so many."""
    value = told.get(key)
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError(f"{key}: not a list")
    if len(value) > most:
        raise ValueError(f"{key}: {len(value)} of them, {most} at most")
    return value


def maps(told: Mapping[str, Any], key: str, most: int) -> Sequence[Mapping[str, Any]]:
    """Return a list of at most so many maps."""
    found = items(told, key, most)
    if not all(isinstance(one, Mapping) for one in found):
        raise ValueError(f"{key}: not all of them are maps")
    return found


def part(told: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """Return a map in it; None when there is none."""
    value = told.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{key}: not a map")
    return value


def numbers(value: Any, key: str, most: int) -> tuple[float | None, ...]:
    """Return a list of numbers, some of which may be None."""
    return tuple(_number(one, key) for one in items({key: value}, key, most))


def maybe(value: float | None) -> float:
    """Return NaN for None."""
    return math.nan if value is None else value


def _number(value: Any, key: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{key}: {value!r} is no number")
    return float(value)
