"""In steps or at once, the same is JSON, and of the same shape."""

import json
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st

from daemons.race.slices import Shape, in_turns, shape_in_steps, shape_of, values_at_most

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=6),
    max_leaves=40,
)
TEXTS = st.lists(
    st.sampled_from([*'[]{},: \n"\\', "null", "-1", "2.5e3", '"a"', '"\\u00e9"', '{"a":', "NaN", "\t"])
).map("".join)


def run(text: str, window: int) -> Shape | None:
    steps = shape_in_steps(text, window)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        shape: Shape = end.value
        return shape
    except ValueError:
        return None


def at_once(text: str) -> Shape | None:
    try:
        value: Any = json.loads(text, parse_constant=lambda name: json.loads(""))
    except ValueError:
        return None
    return shape_of(value)


@given(VALUES, st.sampled_from([None, 1]), st.integers(1, 200))
def test_what_is_json_is_json_in_steps(value: Any, indent: int | None, window: int) -> None:
    text = json.dumps(value, indent=indent)
    shape = run(text, window)
    assert shape in (at_once(text), None)
    if shape is None:  # refused only for a scalar that fits no window, or for depth
        assert window < 64 or len(text) > window
    assert run(text, len(text) + 1) is at_once(text)


@given(TEXTS, st.integers(4, 30))
@example('{"a":1}{"a":1}', 8)
@example("[1 2]", 4)
@example("[1,]", 4)
@example("[,1]", 4)
@example("", 4)
@example("12345678901234567890", 6)
def test_what_is_none_is_none_in_steps(text: str, window: int) -> None:
    if at_once(text) is None:
        assert run(text, window) is None
    assert run(text, 1000) is at_once(text)


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=4), max_size=60))
def test_a_list_of_records_is_one_in_small_windows(rows: list[dict[str, int]]) -> None:
    assert run(json.dumps(rows), 200) is Shape.OBJECTS
    assert run(json.dumps([*rows, 1]), 200) is Shape.ARRAY
    assert run(json.dumps({"rows": rows, "more": rows}), 200) is Shape.OBJECT


@given(st.lists(st.integers(0, 10), max_size=20), st.integers(1, 50))
def test_a_number_at_the_end_of_a_window_is_whole(numbers: list[int], window: int) -> None:
    text = json.dumps(numbers)
    assert run(text, max(window, 4)) is shape_of(numbers)


@given(VALUES)
def test_values_are_never_counted_short(value: Any) -> None:
    def count(item: Any) -> int:
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        return 1 + sum(map(count, inner))

    assert values_at_most(json.dumps(value).encode()) >= count(value)


@pytest.mark.parametrize(
    "text",
    ["[" * 10_000, "[[" * 5_000 + "]]" * 5_000, '{"a":' * 3000, '["' + "x" * 5000, "[" * 7 + "1," * 5000],
)
def test_what_is_nested_or_long_beyond_measure_is_refused(text: str) -> None:
    assert run(text, 1000) is None


async def test_everybody_has_a_turn_between_steps() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        assert await in_turns(shape_in_steps(json.dumps([{"a": 1}] * 1000), 100)) is Shape.OBJECTS
        nursery.cancel_scope.cancel()
    assert turns > 50
