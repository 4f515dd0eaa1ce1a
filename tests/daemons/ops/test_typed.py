"""Parameters as people type them."""

from typing import Any

import pytest

from daemons.ops.typed import read_typed, written


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("text", "/events/**", "/events/**"),
        ("text", "12", "12"),
        ("list", ["a", "b"], "a,b"),
        ("list", [], ""),
        ("flag", True, "on"),
        ("flag", False, "off"),
        ("number", 300.0, "300"),
        ("number", 0.1, "0.1"),
        ("any", 8, "8"),
        ("any", {"größe": 1}, '{"größe": 1}'),
    ],
)
def test_what_is_written_is_read_the_same(kind: str, value: Any, text: str) -> None:
    assert written(value) == text
    assert read_typed(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("flag", "YES", True), ("flag", "maybe", "maybe"), ("any", "{", "{"), ("list", " a , ,b", ["a", "b"])],
)
def test_what_is_typed_otherwise(kind: str, text: str, value: Any) -> None:
    assert read_typed(kind, text) == value
