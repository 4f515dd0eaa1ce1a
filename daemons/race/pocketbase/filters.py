"""PocketBase's filter language: `lapNumber > 0 && (race.raceNumber = 3 || pilot.name ~ "ann")`. Pure and bounded.

What is understood: = != > >= < <= ~ !~ and each with ? before it (any of; relations here lead to one record, so that
it says the same), && before ||, parentheses, texts in ' or ", numbers, true, false, null, fields, and fields of what
a relation leads to. Values compare as in SQLite, where PocketBase keeps them: a missing one is "", true is 1, numbers
are before texts, a text that is a number is one beside a number; ~ is "contains" unless % says where, without regard
to case. Modifiers (:lower), macros (@now) and relations seen from behind (x_via_y) are refused in words.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from daemons.race.pocketbase.collections import COLLECTIONS, Kind

__all__ = ["BadFilter", "Filter", "Lookup", "order_key", "parse_filter", "read_path", "value_at"]

CHARACTERS_MAX = 3500
COMPARISONS_MAX = 30
DEPTH_MAX = 10
RELATIONS_MAX = 6
"""How far `a.b.c` may lead."""

Lookup = Callable[[str, str], Mapping[str, Any] | None]
"""Returns the record of a collection with an id."""

Filter = Callable[[Mapping[str, Any], Lookup], bool]
"""Does a record match?"""

_Value = Callable[[Mapping[str, Any], Lookup], Any]

_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![\w.])
    | (?P<name>[A-Za-z_@][\w.:@]*)
    | (?P<compare>\?(?:!=|>=|<=|!~|=|>|<|~)|!=|>=|<=|!~|=|>|<|~)
    | (?P<join>&&|\|\|)
    | (?P<bracket>[()])""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_CONSTANTS = {"true": 1, "false": 0, "null": ""}


class BadFilter(ValueError):
    """A filter that is not understood; str() says where."""


@frozen
class _Token:
    kind: str
    text: str
    at: int


def _tokens(source: str) -> Iterator[_Token]:
    at = 0
    while at < len(source):
        if source[at].isspace():
            at += 1
            continue
        found = _TOKEN.match(source, at)
        if found is None or found.lastgroup is None:
            raise BadFilter(f"nothing known at character {at + 1}")
        yield _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
        at = found.end()


def parse_filter(source: str, collection: str) -> Filter:
    """Return what a filter says about records of a collection; an empty one lets all pass. Raises BadFilter."""
    if len(source) > CHARACTERS_MAX:
        raise BadFilter(f"longer than {CHARACTERS_MAX} characters")
    tokens = list(_tokens(source))
    if not tokens:
        return lambda record, lookup: True
    parser = _Parser(tokens, collection)
    parsed = parser.any_of()
    if parser.peek() is not None:
        raise BadFilter(f"nothing is expected at {parser.where()}")
    return parsed


class _Parser:
    """Recursive descent; the depth is bounded by DEPTH_MAX."""

    def __init__(self, tokens: list[_Token], collection: str) -> None:
        self._tokens = tokens
        self._collection = collection
        self._place = 0
        self._depth = 0
        self._comparisons = 0

    def peek(self) -> _Token | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def where(self) -> str:
        token = self.peek()
        return f"character {token.at + 1}" if token is not None else "the end"

    def _take(self, kind: str, *texts: str) -> _Token | None:
        token = self.peek()
        if token is None or token.kind != kind or (texts and token.text not in texts):
            return None
        self._place += 1
        return token

    def any_of(self) -> Filter:
        parts = [self._all_of()]
        while self._take("join", "||"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda record, lookup: any(p(record, lookup) for p in parts)

    def _all_of(self) -> Filter:
        parts = [self._one()]
        while self._take("join", "&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda record, lookup: all(p(record, lookup) for p in parts)

    def _one(self) -> Filter:
        if self._take("bracket", "("):
            self._depth += 1
            if self._depth > DEPTH_MAX:
                raise BadFilter(f"more than {DEPTH_MAX} parentheses in one another")
            inner = self.any_of()
            if not self._take("bracket", ")"):
                raise BadFilter(f"a closing parenthesis is expected at {self.where()}")
            self._depth -= 1
            return inner
        self._comparisons += 1
        if self._comparisons > COMPARISONS_MAX:
            raise BadFilter(f"more than {COMPARISONS_MAX} comparisons")
        left, kind_left = self._operand()
        sign = self._take("compare")
        if sign is None:
            raise BadFilter(f"a comparison is expected at {self.where()}")
        right, kind_right = self._operand()
        compare, alike = _COMPARISONS[sign.text.removeprefix("?")], _alike(kind_left, kind_right)
        return lambda record, lookup: compare(alike(left(record, lookup)), alike(right(record, lookup)))

    def _operand(self) -> tuple[_Value, Kind | None]:
        """Return what gives the value, and what its column holds; None for a value that stands there."""
        if token := self._take("text"):
            text = re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
            return lambda record, lookup: text, None
        if token := self._take("number"):
            number = float(token.text)
            return lambda record, lookup: number, None
        if token := self._take("name"):
            if token.text in _CONSTANTS:
                constant = _CONSTANTS[token.text]
                return lambda record, lookup: constant, None
            path, kind = read_path(token.text, self._collection)
            return lambda record, lookup: value_at(record, path, lookup), kind
        raise BadFilter(f"a field or a value is expected at {self.where()}")


def read_path(name: str, collection: str) -> tuple[tuple[str, ...], Kind]:
    """Return the steps of a field's name as they lead from a collection, and what it holds. Raises BadFilter."""
    steps = tuple(name.split("."))
    if len(steps) > RELATIONS_MAX:
        raise BadFilter(f"{name[:80]!r} leads too far")
    kind = Kind.TEXT
    for place, step in enumerate(steps):
        field = COLLECTIONS[collection].get(step)
        if field is None:
            raise BadFilter(f"{collection} has no field {step[:80]!r}")
        if place < len(steps) - 1:
            if field.kind is not Kind.RELATION:
                raise BadFilter(f"{step!r} of {collection} leads nowhere")
            collection = field.to
        kind = field.kind
    return steps, kind


def value_at(record: Mapping[str, Any], path: tuple[str, ...], lookup: Lookup) -> Any:
    """Return a field's value, following relations; "" where there is nothing, true as 1."""
    current = record
    for step in path[:-1]:
        field = COLLECTIONS[current["collectionName"]][step]
        behind = lookup(field.to, current.get(step, ""))
        if behind is None:
            return ""
        current = behind
    value = current.get(path[-1], "")
    return int(value) if isinstance(value, bool) else value


def _alike(left: Kind | None, right: Kind | None) -> Callable[[Any], Any]:
    """Return what both sides go through first, as SQLite does by the columns' affinity: beside a column of numbers a
    text that is a number is one, beside a column of texts a number is a text."""
    kinds = {left, right}
    if kinds & {Kind.NUMBER, Kind.BOOL}:
        return _as_number
    return _as_text if kinds & {Kind.TEXT, Kind.RELATION} else lambda value: value


def _as_number(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", value, re.ASCII):
        return value
    return float(value)


def _as_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def order_key(value: Any) -> tuple[bool, Any]:
    """Return what values are sorted by: numbers, then texts."""
    return isinstance(value, str), value


def _less(left: Any, right: Any) -> bool:
    return order_key(left) < order_key(right)


def _like(left: Any, right: Any) -> bool:
    text, pattern = _as_text(left).lower(), _as_text(right).lower()
    if "%" not in pattern:
        return pattern in text
    first, *middle, last = pattern.split("%")
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": _less,
    "<=": lambda left, right: not _less(right, left),
    ">": lambda left, right: _less(right, left),
    ">=": lambda left, right: not _less(left, right),
    "~": _like,
    "!~": lambda left, right: not _like(left, right),
}
