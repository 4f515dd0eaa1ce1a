"""What a client asks of a list, and the answer: filter, sort, page, expand, fields. Pure.

Bounds: at most PER_PAGE_MAX records a page, SORTS_MAX fields to sort by, RELATIONS_MAX relations one behind another and
EXPANDED_MAX of them altogether.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from daemons.race.pocketbase.book import Record
from daemons.race.pocketbase.collections import COLLECTIONS, Kind
from daemons.race.pocketbase.filters import (
    RELATIONS_MAX,
    BadFilter,
    Filter,
    Lookup,
    order_key,
    parse_filter,
    read_path,
    value_at,
)

__all__ = ["FALSE_WORDS", "TRUE_WORDS", "BadQuery", "Found", "Query", "Shape", "read_query", "read_shape"]

PER_PAGE = 30
PER_PAGE_MAX = 1000
SORTS_MAX = 8
EXPANDED_MAX = 20
FIELDS_MAX = 100

TRUE_WORDS, FALSE_WORDS = (
    {"1", "t", "T", "TRUE", "true", "True"},
    {"0", "f", "F", "FALSE", "false", "False", ""},
)
_INTEGER = re.compile(r"[+-]?[0-9]{1,100}", re.ASCII)


class BadQuery(ValueError):
    """A parameter that cannot be read; str() says which and why."""


@frozen
class Shape:
    """How records are shown: `expand` paths of relations, `fields` paths to keep (empty: all)."""

    expand: tuple[tuple[str, ...], ...] = ()
    fields: tuple[tuple[str, ...], ...] = ()

    def show(self, record: Record, lookup: Lookup) -> Record:
        """Return a record as asked for; the record itself when nothing was."""
        if self.expand:
            record = _expanded(record, self.expand, lookup)
        return _picked(record, self.fields) if self.fields else record


def read_shape(query: Mapping[str, str]) -> Shape:
    """Read `expand` and `fields`. What they name and is not there is left out, as PocketBase does."""
    expand = tuple(tuple(name.split(".")[:RELATIONS_MAX]) for name in _names(query.get("expand", "")))
    fields = tuple(tuple(name.split(":")[0].split(".")) for name in _names(query.get("fields", "")))
    return Shape(expand[:EXPANDED_MAX], fields[:FIELDS_MAX])


@frozen
class Found:
    """A record that matches, and what it is sorted by."""

    record: Record
    keys: tuple[tuple[bool, Any], ...]


@frozen
class Query:
    """What is asked of a list, understood. `page` from 1; `sorts` (path, is it downwards)."""

    page: int
    per_page: int
    skips_total: bool
    matches: Filter
    sorts: tuple[tuple[tuple[str, ...], bool], ...]
    shape: Shape

    def find(self, records: Iterable[Record], lookup: Lookup) -> list[Found]:
        """Return those that match; for some records of a collection, so that others can have their turn between."""
        return [
            Found(record, tuple(order_key(value_at(record, path, lookup)) for path, _ in self.sorts))
            for record in records
            if self.matches(record, lookup)
        ]

    def answer(self, found: list[Found], lookup: Lookup) -> dict[str, Any]:
        """Return the page as PocketBase lists it. Without `sort`: in the order in which records were first seen."""
        for place, (_, is_down) in reversed(list(enumerate(self.sorts))):
            found.sort(key=lambda one: one.keys[place], reverse=is_down)
        start = (self.page - 1) * self.per_page
        return {
            "page": self.page,
            "perPage": self.per_page,
            "totalItems": -1 if self.skips_total else len(found),
            "totalPages": -1 if self.skips_total else -(-len(found) // self.per_page),
            "items": [self.shape.show(one.record, lookup) for one in found[start : start + self.per_page]],
        }


def read_query(collection: str, query: Mapping[str, str]) -> Query:
    """Read the parameters of a list. Raises BadQuery; numbers out of bounds are moved into them, as PocketBase does."""
    page, per_page = max(1, _number(query, "page", 1)), _number(query, "perPage", PER_PAGE)
    per_page = PER_PAGE if per_page <= 0 else min(per_page, PER_PAGE_MAX)
    try:
        matches = parse_filter(query.get("filter", ""), collection)
    except BadFilter as exc:
        raise BadQuery(f"filter: {exc}") from exc
    sorts = _sorts(query.get("sort", ""), collection)
    return Query(page, per_page, _flag(query, "skipTotal"), matches, tuple(sorts), read_shape(query))


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise BadQuery(f"{name} is a whole number")
    return int(text)


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "")
    if text not in TRUE_WORDS | FALSE_WORDS:
        raise BadQuery(f"{name} is true or false")
    return text in TRUE_WORDS


def _sorts(text: str, collection: str) -> list[tuple[tuple[str, ...], bool]]:
    names = _names(text)
    if len(names) > SORTS_MAX:
        raise BadQuery(f"sort names at most {SORTS_MAX} fields")
    sorts = []
    for name in names:
        bare = name[1:] if name[0] in "+-" else name
        if bare == "@rowid":
            bare = "created"
        try:
            sorts.append((read_path(bare, collection)[0], name[0] == "-"))
        except BadFilter as exc:
            raise BadQuery(f"sort: {exc}") from exc
    return sorts


def _expanded(record: Record, paths: Iterable[tuple[str, ...]], lookup: Lookup) -> Record:
    """Return the record with `expand`: what its relations lead to, and what theirs do."""
    behind: dict[str, list[tuple[str, ...]]] = {}
    for path in paths:
        behind.setdefault(path[0], []).extend([path[1:]] if path[1:] else [])
    expand = {}
    for name, rest in behind.items():
        field = COLLECTIONS[record["collectionName"]].get(name)
        if field is None or field.kind is not Kind.RELATION:
            continue
        found = lookup(field.to, record.get(name, ""))
        if found is not None:
            expand[name] = _expanded(dict(found), rest, lookup) if rest else dict(found)
    return {**record, "expand": expand} if expand else record


def _picked(value: Any, paths: Iterable[tuple[str, ...]]) -> Any:
    """Return what the paths name of an object; "*" is everything of a level but what is expanded."""
    kept: dict[str, Any] = {}
    deeper: dict[str, list[tuple[str, ...]]] = {}
    for path in paths:
        if path[0] == "*":
            kept |= {name: inner for name, inner in value.items() if name != "expand" or path[1:]}
        elif len(path) == 1 and path[0] in value:
            kept[path[0]] = value[path[0]]
        elif path[0] in value and isinstance(value[path[0]], dict):
            deeper.setdefault(path[0], []).append(path[1:])
    for name, rest in deeper.items():
        kept.setdefault(name, _picked(value[name], rest))
    return kept
