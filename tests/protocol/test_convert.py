"""The strict converter: a value has exactly the type of its field, or is refused."""

from enum import StrEnum
from typing import Any

import pytest
from attrs import Factory, frozen

from protocol.convert import make_converter


class Colour(StrEnum):
    RED = "red"


@frozen
class Inner:
    size: int = 0


@frozen
class Everything:
    flag: bool = False
    count: int = 0
    ratio: float = 0.0
    name: str = ""
    data: bytes = b""
    maybe: float | None = None
    colour: Colour = Colour.RED
    names: list[str] = Factory(list)
    sizes: dict[str, int] = Factory(dict)
    inner: Inner = Inner()


def structure(value: Any) -> Everything:
    return make_converter().structure(value, Everything)


def test_exact_values_pass() -> None:
    value = structure(
        {
            "flag": True,
            "count": -(2**63),
            "ratio": 2,
            "name": "n",
            "data": b"d",
            "maybe": 1.5,
            "colour": "red",
            "names": ["a"],
            "sizes": {"a": 1},
            "inner": {"size": 3, "later": 1},
            "later": [1],
        }
    )
    expected = Everything(True, -(2**63), 2.0, "n", b"d", 1.5, Colour.RED, ["a"], {"a": 1}, Inner(3))
    assert value == expected
    assert type(value.ratio) is float
    assert type(value.colour) is Colour


@pytest.mark.parametrize(
    "value",
    [
        {"flag": 1},
        {"flag": "false"},
        {"count": True},
        {"count": "5"},
        {"count": 5.0},
        {"count": 2**63},
        {"ratio": "nan"},
        {"ratio": float("nan")},
        {"ratio": float("inf")},
        {"ratio": True},
        {"name": b"n"},
        {"name": {"a": 1}},
        {"data": 3_000_000_000},
        {"data": [1, 2, 3]},
        {"data": "d"},
        {"maybe": "1"},
        {"colour": "blue"},
        {"colour": 1},
        {"names": "abc"},
        {"names": {"a": 1}},
        {"names": ("a",)},
        {"names": [1]},
        {"sizes": [["a", 1]]},
        {"sizes": {"a": "1"}},
        {"sizes": {1: 1}},
        {"inner": "text"},
        {"inner": []},
        "text",
        [],
        None,
    ],
)
def test_nothing_is_coerced(value: Any) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        structure(value)
