"""What FPVTrackside's files are made of, read one value at a time: a value that is not what it should be is none.

Only what a board stands on raises BadFile: a body that is no JSON array of objects, a time that is none.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from daemons.race.model import EventType
from daemons.race.slices import values_at_most
from daemons.race.times import read_datetime, read_timespan

__all__ = [
    "NAME_CHARACTERS_MAX",
    "BadFile",
    "by_id",
    "count",
    "datetime_of",
    "entries",
    "event_type",
    "flag",
    "guid",
    "integer",
    "items",
    "length",
    "load",
    "moment",
    "objects",
    "one_of",
    "single",
    "span_s",
    "text",
]

NAME_CHARACTERS_MAX = 80
"""Names are cut here: a board goes to every phone after every lap."""

VALUES_MAX = 60_000
"""Of one file: the longest race has a few thousand. More would be taken apart for too long."""

ENTRIES_MAX = 2_000
"""Pilots, rounds and the like of an event: the first ones. The largest event known had 96 pilots, the longest 54 races."""

LENGTH_S_MAX = 86_400.0
"""A lap longer than a day is none. Bounded, so that no sum of them is infinite, which JSON cannot say."""

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_GUID = "00000000-0000-0000-0000-000000000000"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""Also those that turn the direction of writing for all that follows; the marks that do not (RLM, LRM) stay."""

_INTEGER_LIMIT = 2**53

_TYPES = {
    "practice": EventType.PRACTICE,
    "practise": EventType.PRACTICE,
    "timetrial": EventType.TIME_TRIAL,
    "race": EventType.RACE,
    "freestyle": EventType.FREESTYLE,
    "endurance": EventType.ENDURANCE,
    "aggregatelaps": EventType.ENDURANCE,
    "enduro": EventType.ENDURANCE,
    "casualpractice": EventType.CASUAL_PRACTICE,
    "casualpractise": EventType.CASUAL_PRACTICE,
    "game": EventType.GAME,
    "pointsgame": EventType.GAME,
    "training": EventType.TRAINING,
}


class BadFile(Exception):
    """A file that cannot be read: try again soon, keep the last good one. `why` never quotes the body."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


def load(path: str, body: bytes) -> Any:
    """Return the JSON of a body. Raises BadFile."""
    if values_at_most(body) > VALUES_MAX:
        raise BadFile(path, "too much for a board")
    try:
        # NaN and Infinity, which are no JSON, pass here and fall where a number is read: one of them must not
        # cost the whole file.
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise BadFile(path, "not JSON" if body.strip() else "empty") from exc


def objects(path: str, value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of an array. Raises BadFile for anything else."""
    if not isinstance(value, list):
        raise BadFile(path, "not an array")
    for item in value:
        if not isinstance(item, dict):
            raise BadFile(path, "an entry is not an object")
        yield item


def single(path: str, body: bytes) -> dict[str, Any]:
    """Return the first object of a file that holds one. Raises BadFile."""
    for item in objects(path, load(path, body)):
        return item
    raise BadFile(path, "holds nothing")


def entries(fields: dict[str, Any], key: str, path: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list that matters; what else is in it is left out. Raises BadFile when it is no list."""
    value = fields.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        raise BadFile(path, f"{key} is not an array")
    for item in value:
        if isinstance(item, dict):
            yield item


def items(fields: dict[str, Any], key: str) -> list[Any]:
    """Return a list, empty when there is none."""
    value = fields.get(key)
    return value if isinstance(value, list) else []


def guid(value: Any) -> str | None:
    """Return an id in lower case; None for none, and for what is none."""
    if not isinstance(value, str):
        return None
    plain = value.strip().strip("{}").lower()
    return plain if plain != _NO_GUID and _GUID.fullmatch(plain) else None


def text(value: Any) -> str:
    """Return a name fit to be shown: no control characters, no half characters, not longer than a name is."""
    if not isinstance(value, str):
        return ""
    whole = value.encode("utf-8", "replace").decode("utf-8", "replace")
    return _CONTROLS.sub(" ", whole[: 2 * NAME_CHARACTERS_MAX]).strip()[:NAME_CHARACTERS_MAX]


def integer(value: Any) -> int | None:
    """Return a whole number that every reader of JSON understands (below 2⁵³), or None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
        return None
    return value


def length(value: Any) -> float | None:
    """Return a number of seconds, or None when it is none, not finite, or longer than a day."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return number if math.isfinite(number) and abs(number) <= LENGTH_S_MAX else None


def count(fields: dict[str, Any], key: str) -> int:
    """Return a number of things: 0 when there is none, or it is below."""
    return max(0, integer(fields.get(key)) or 0)


def flag(fields: dict[str, Any], key: str, default: bool) -> bool:
    """Return a yes or no; `default` when it is neither."""
    value = fields.get(key, default)
    return value if isinstance(value, bool) else default


def event_type(value: Any) -> EventType:
    """Return how something is flown, by any of the names it had; missing is a race."""
    if value is None:
        return EventType.RACE
    return _TYPES.get(value.lower(), EventType.OTHER) if isinstance(value, str) else EventType.OTHER


def datetime_of(fields: dict[str, Any], key: str, path: str) -> datetime | None:
    """Return a time that decides the state of a race: missing is "none", unreadable is a BadFile."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadFile(path, f"{key} is not a time")
    try:
        return read_datetime(value)
    except ValueError as exc:
        raise BadFile(path, f"{key} is not a time") from exc


def moment(value: Any) -> datetime | None:
    """Return a time that decides nothing: none when it cannot be read."""
    try:
        return read_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None


def span_s(value: Any) -> float | None:
    """Return a TimeSpan in seconds, or None when it cannot be read."""
    try:
        return length(read_timespan(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def one_of(kinds: type[_E], value: Any, default: _E) -> _E:
    """Return the member whose value this is, whatever its capitals."""
    if isinstance(value, str):
        for kind in kinds:
            if kind.value.lower() == value.strip().lower():
                return kind
    return default


def by_id(path: str, body: bytes, read: Callable[[str, dict[str, Any]], _T]) -> dict[str, _T]:
    """Return what `read(id, fields)` makes of each object that has an id, of two with one id the first; 2,000 at most."""
    found: dict[str, _T] = {}
    for fields in objects(path, load(path, body)):
        key = guid(fields.get("ID"))
        if key is not None and key not in found and len(found) < ENTRIES_MAX:
            found[key] = read(key, fields)
    return found
