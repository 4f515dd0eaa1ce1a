"""Merge patches: the examples of RFC 7396, and the law that a difference applied to one value gives the other."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.mergepatch import apply, diff

_SCALARS = st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text("ab", max_size=2)
_KEYS = st.sampled_from("abcd")


def _values(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner | st.none(), max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
        max_leaves=12,
    )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)  # tells 1 from true, which == does not


# RFC 7396, appendix A
_EXAMPLES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), _EXAMPLES)
def test_the_examples_of_the_standard(target: Any, patch: Any, result: Any) -> None:
    assert _text(apply(target, patch)) == _text(result)


@given(_values(_SCALARS), _values(_SCALARS))
def test_a_difference_applied_to_the_one_is_the_other(before: Any, after: Any) -> None:
    was = _text(before)
    assert _text(apply(before, diff(before, after))) == _text(after)
    assert _text(before) == was


@given(_values(_SCALARS).filter(lambda value: isinstance(value, dict)))
def test_between_equal_values_there_is_nothing(value: Any) -> None:
    assert diff(value, json.loads(json.dumps(value))) == {}


def test_only_what_differs_is_in_it() -> None:
    rows = {"ann": {"laps": 2, "times": [1.5, 2.5]}, "bo": {"laps": 1}}
    before = {"races": {"r1": {"rows": rows, "on": True}, "r2": {"rows": {}}}}
    after = {"races": {"r1": {"rows": {**rows, "bo": {"laps": 2}}, "on": 1}, "r3": {"rows": {}}}}
    assert diff(before, after) == {
        "races": {"r1": {"rows": {"bo": {"laps": 2}}, "on": 1}, "r2": None, "r3": {"rows": {}}}
    }
