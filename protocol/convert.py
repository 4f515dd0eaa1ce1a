"""The strict converter between attrs values and what CBOR carries.

cattrs by default *calls the type*: a `bytes` field given the integer 3,000,000,000 would become three billion zero
bytes, "false" would become True, and a dict its repr. Here a value must already have exactly the type of its field.
"""

from enum import Enum, StrEnum
from typing import Any

import cattrs

__all__ = ["make_converter"]

_INT_LIMIT = 2**63


def _exactly(kind: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return structure


def _integer(value: Any, _: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"expected int, got {type(value).__name__}")
    if not -_INT_LIMIT <= value < _INT_LIMIT:
        raise ValueError("integer outside ±2^63")
    return value


def _number(value: Any, _: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise TypeError(f"expected float, got {type(value).__name__}")
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("number is not finite")
    return number


def _string_enum(value: Any, kind: Any) -> Enum:
    if type(value) is not str:
        raise TypeError(f"expected str, got {type(value).__name__}")
    member: Enum = kind(value)
    return member


def make_converter() -> cattrs.Converter:
    """Return a new converter with exact-type hooks. It raises on any mismatch, never coerces; unknown keys are ignored."""
    converter = cattrs.Converter(detailed_validation=False)
    for kind in (str, bytes, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(
        lambda t: isinstance(t, type) and issubclass(t, StrEnum), _string_enum
    )
    return converter
