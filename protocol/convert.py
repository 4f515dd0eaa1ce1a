"""The strict converter between attrs values and what CBOR carries.

cattrs by default *calls the type*: a `bytes` field given the integer 3,000,000,000 would become three
billion zero bytes, "false" would become True, and a dict its repr. Here a value must already have exactly
the type of its field.
"""

from functools import partial
from typing import Any, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

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


def _string(value: Any, kind: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected str, got {type(value).__name__}")
    # The hook of str is that of its subclasses too, so the members of a StrEnum come here.
    text: str = value if kind is str else kind(value)
    return text


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _exact_list(converter: cattrs.Converter, kind: Any) -> Any:
    item_kind = get_args(kind)[0]
    item_of = converter.get_structure_hook(item_kind)

    def structure(value: Any, _: Any) -> list[Any]:
        if type(value) is not list:  # text would become its characters, a map its keys
            raise TypeError(f"expected list, got {type(value).__name__}")
        return [item_of(item, item_kind) for item in value]

    return structure


def _exact_fields(converter: cattrs.Converter, cls: type[Any]) -> Any:
    from_map = make_dict_structure_fn(cls, converter)

    def structure(value: Any, kind: Any) -> Any:
        if type(value) is not dict:  # text and arrays would pass where all fields have defaults
            raise TypeError(f"expected a map, got {type(value).__name__}")
        return from_map(value, kind)

    return structure


def make_converter() -> cattrs.Converter:
    """Return a new converter that never coerces.

    It raises what cattrs and enums raise (TypeError, ValueError, KeyError, AttributeError …; the words may
    hold the value) where a type does not fit exactly. Unknown keys are ignored.
    """
    converter = cattrs.Converter(detailed_validation=False)
    for kind in (bytes, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(str, _string)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_factory(attrs.has, partial(_exact_fields, converter))
    converter.register_structure_hook_factory(_is_list, partial(_exact_list, converter))
    return converter
