"""Large JSON, looked through in small steps, so that no body of a stranger holds up everybody else.

The parser of `json` is quick, but keeps the interpreter to itself until it is done: 8 MiB of empty lists are a second,
in a thread as well. So a large text is parsed a window at a time: every value that fits into one by the parser, the few
larger ones member by member. Nothing is kept but what kind of thing it is.
"""

import json
import re
from collections.abc import Generator
from enum import Enum, auto
from typing import Any, TypeVar

import trio
from attrs import define, field

__all__ = [
    "VALUES_MAX",
    "WHOLE_BYTES_MAX",
    "Shape",
    "in_turns",
    "no_constant",
    "shape_in_steps",
    "shape_of",
    "values_at_most",
]

R = TypeVar("R")
Steps = Generator[None, None, R]

WINDOW = 32 * 1024
"""Characters parsed at once: 5 ms of the worst, 0.3 ms of a real file."""

WHOLE_BYTES_MAX = 4 * WINDOW
"""A body up to this is not worth steps."""

VALUES_MAX = 1_000_000
"""A body of 8 MiB as FPVTrackside writes it has 300,000; three million fit in."""

DEPTH_MAX = 6
"""A value larger than a window lies in at most so many that are larger still. FPVTrackside needs two."""

_SPACE = re.compile(r"[ \t\n\r]*")


class Shape(Enum):
    """What a JSON text is, as far as anybody here asks."""

    OBJECT = auto()
    OBJECTS = auto()
    """An array of nothing but objects."""
    ARRAY = auto()
    SCALAR = auto()


def values_at_most(body: bytes) -> int:
    """Return a number of values that a JSON text cannot exceed, without parsing it: 10 ms for 8 MiB."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")


def shape_of(value: Any) -> Shape:
    """Return the shape of a value."""
    if isinstance(value, dict):
        return Shape.OBJECT
    if isinstance(value, list):
        return Shape.OBJECTS if all(isinstance(item, dict) for item in value) else Shape.ARRAY
    return Shape.SCALAR


async def in_turns(steps: Steps[R]) -> R:
    """Run a generator to its end, with a turn for everybody else after each step. Safe to cancel."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: R = end.value
            return result
        await trio.lowlevel.checkpoint()


def no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python's reader would take: its `parse_constant`. Raises ValueError."""
    raise ValueError(f"{name} is not JSON")


_scan = json.JSONDecoder(parse_constant=no_constant).raw_decode


@define
class _Reader:
    text: str
    window: int
    _part: str = field(default="", init=False)
    _base: int = field(default=0, init=False)

    def after_space(self, pos: int) -> int:
        found = _SPACE.match(self.text, pos)
        return pos if found is None else found.end()

    def at(self, pos: int) -> str:
        return self.text[pos : pos + 1]

    def in_window(self, pos: int) -> tuple[Any, int] | None:
        """Return the value at `pos` and where it ends, when it lies in the present window."""
        start = pos - self._base
        return self._try(start) if 0 <= start < len(self._part) else None

    def value(self, pos: int) -> Steps[tuple[Any, int] | None]:
        """Return the value at `pos` and where it ends, or None when it does not fit into a window of its own."""
        self._base, self._part = pos, self.text[pos : pos + self.window]
        yield
        return self._try(0)

    def _try(self, start: int) -> tuple[Any, int] | None:
        try:
            value, end = _scan(self._part, start)
        except RecursionError:
            raise ValueError("nested too deep") from None
        except ValueError:
            return None
        is_cut = end == len(self._part) and self._base + end < len(self.text)
        if is_cut and not isinstance(value, str | list | dict):
            return None  # there may be more digits
        return value, self._base + end


def shape_in_steps(text: str, window: int = WINDOW) -> Steps[Shape]:
    """Return the shape of a JSON text, a step at a time. Raises ValueError when it is none, or one that nobody writes:

    a value of more than `window` characters that is no array or object, or those nested deeper than DEPTH_MAX.
    """
    reader = _Reader(text, window)
    start = reader.after_space(0)
    found = yield from reader.value(start)
    if found is not None:
        shape, end = shape_of(found[0]), found[1]
    else:
        shape, end = yield from _container(reader, start, 1)
    if reader.after_space(end) != len(text):
        raise ValueError("there is more behind the value")
    return shape


def _container(reader: _Reader, pos: int, depth: int) -> Steps[tuple[Shape, int]]:
    """Go through an array or object larger than a window; return its shape and where it ends."""
    mark = reader.at(pos)
    if mark not in ("[", "{") or depth > DEPTH_MAX:
        raise ValueError("not JSON, or not as anybody writes it")
    is_array, last = mark == "[", "]" if mark == "[" else "}"
    all_objects = True
    pos = reader.after_space(pos + 1)
    if reader.at(pos) == last:
        return Shape.OBJECTS if is_array else Shape.OBJECT, pos + 1
    while True:
        if not is_array:
            pos = _after_key(reader, pos) or (yield from _key(reader, pos))
        found = reader.in_window(pos) or (yield from reader.value(pos))
        if found is not None:
            all_objects = all_objects and isinstance(found[0], dict)
            pos = found[1]
        else:
            shape, pos = yield from _container(reader, pos, depth + 1)
            all_objects = all_objects and shape is Shape.OBJECT
        pos = reader.after_space(pos)
        if reader.at(pos) == last:
            break
        if reader.at(pos) != ",":
            raise ValueError("a comma is missing")
        pos = reader.after_space(pos + 1)
    if not is_array:
        return Shape.OBJECT, pos + 1
    return Shape.OBJECTS if all_objects else Shape.ARRAY, pos + 1


def _after_key(reader: _Reader, pos: int) -> int:
    """Return where the value of the member at `pos` begins, or 0: its name does not lie in the present window."""
    found = reader.in_window(pos)
    if found is None or not isinstance(found[0], str):
        return 0
    return _behind_colon(reader, found[1])


def _key(reader: _Reader, pos: int) -> Steps[int]:
    """Pass a member's name and its colon; return where its value begins."""
    found = yield from reader.value(pos)
    if found is None or not isinstance(found[0], str):
        raise ValueError("a member without a name")
    return _behind_colon(reader, found[1])


def _behind_colon(reader: _Reader, pos: int) -> int:
    pos = reader.after_space(pos)
    if reader.at(pos) != ":":
        raise ValueError("a colon is missing")
    return reader.after_space(pos + 1)
