"""FPVTrackside's files read into values: strict about what a board stands on, tolerant about what varies.

A body that is no JSON array of objects, or that lacks what matters (the id, start and end of a race),
raises BadFile and nothing else, so that the caller can keep the last good one. Unknown fields are ignored,
missing ones have the value FPVTrackside starts with, aliases of enums are accepted, an entry of a list
without an id is left out.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from daemons.race.model import (
    Channel,
    Detection,
    Event,
    EventType,
    Lap,
    Pilot,
    Race,
    Result,
    Round,
    Seat,
)
from daemons.race.slices import values_at_most
from daemons.race.times import read_datetime

__all__ = [
    "BadFile",
    "event_of_home",
    "read_channels",
    "read_current",
    "read_event",
    "read_pilots",
    "read_race",
    "read_results",
    "read_rounds",
]

NAME_CHARACTERS_MAX = 80
"""Names are cut here: a board goes to every phone after every lap."""

VALUES_MAX = 60_000
"""Of one file: the longest race has a few thousand. More would be taken apart for too long."""

_T = TypeVar("_T")

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_GUID = "00000000-0000-0000-0000-000000000000"
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HOME_EVENT = re.compile(rb"""new\s+EventManager\(\s*["']/?events/([0-9A-Fa-f-]{36})/?["']""")
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


# --- the parts that every file is made of -------------------------------------------------------------------


def _json(path: str, body: bytes) -> Any:
    if values_at_most(body) > VALUES_MAX:
        raise BadFile(path, "too much for a board")
    try:
        # NaN and Infinity, which are no JSON, pass here and fall where a number is read: one of them must not
        # cost the whole file.
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise BadFile(path, "not JSON" if body.strip() else "empty") from exc


def _objects(path: str, value: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(value, list):
        raise BadFile(path, "not an array")
    for item in value:
        if not isinstance(item, dict):
            raise BadFile(path, "an entry is not an object")
        yield item


def _single(path: str, body: bytes) -> dict[str, Any]:
    for item in _objects(path, _json(path, body)):
        return item
    raise BadFile(path, "holds nothing")


def _entries(fields: dict[str, Any], key: str, path: str) -> Iterator[dict[str, Any]]:
    value = fields.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        raise BadFile(path, f"{key} is not an array")
    for item in value:
        if isinstance(item, dict):
            yield item


def _items(fields: dict[str, Any], key: str) -> list[Any]:
    value = fields.get(key)
    return value if isinstance(value, list) else []


def _guid(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    text = value.strip().strip("{}").lower()
    return text if text != _NO_GUID and _GUID.fullmatch(text) else None


def _text(value: Any) -> str:
    """Return a name fit to be shown: no control characters, no half characters, not longer than a name is."""
    if not isinstance(value, str):
        return ""
    whole = value.encode("utf-8", "replace").decode("utf-8", "replace")
    return _CONTROLS.sub(" ", whole[: 2 * NAME_CHARACTERS_MAX]).strip()[:NAME_CHARACTERS_MAX]


def _integer(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
        return None
    return value


def _length(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def _count(fields: dict[str, Any], key: str) -> int:
    return max(0, _integer(fields.get(key)) or 0)


def _flag(fields: dict[str, Any], key: str, default: bool) -> bool:
    value = fields.get(key, default)
    return value if isinstance(value, bool) else default


def _event_type(value: Any) -> EventType:
    if value is None:
        return EventType.RACE
    return _TYPES.get(value.lower(), EventType.OTHER) if isinstance(value, str) else EventType.OTHER


def _datetime(fields: dict[str, Any], key: str, path: str) -> datetime | None:
    """A time that decides the state of a race: missing is "none", unreadable is a bad file."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadFile(path, f"{key} is not a time")
    try:
        return read_datetime(value)
    except ValueError as exc:
        raise BadFile(path, f"{key} is not a time") from exc


def _by_id(path: str, body: bytes, read: Callable[[str, dict[str, Any]], _T]) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for fields in _objects(path, _json(path, body)):
        key = _guid(fields.get("ID"))
        if key is not None:
            found.setdefault(key, read(key, fields))
    return found


# --- the files ----------------------------------------------------------------------------------------------


def event_of_home(html: bytes) -> str | None:
    """Return the id of the open event as named in FPVTrackside's home page, or None.

    The line `new EventManager("events/<guid>"` is the only place that tells which event is open.
    """
    match = _HOME_EVENT.search(html)
    return _guid(match[1].decode("ascii")) if match else None


def read_current(path: str, body: bytes) -> str | None:
    """Return the id of the race that the operator has selected, from `/current`; None when there is none.

    Versions before 2026-06-30 answer with their home page: BadFile.
    """
    value = _json(path, body)
    if not isinstance(value, dict) or "CurrentRace" not in value:
        raise BadFile(path, "names no CurrentRace")
    return _guid(value["CurrentRace"])


def read_event(path: str, body: bytes) -> Event:
    """Read Event.json. Raises BadFile."""
    fields = _single(path, body)
    event_id = _guid(fields.get("ID"))
    if event_id is None:
        raise BadFile(path, "the event has no ID")
    colours = (value for value in _items(fields, "ChannelColors") if isinstance(value, str))
    zone = fields.get("TimeZone")
    return Event(
        id=event_id,
        name=_text(fields.get("Name")),
        type=_event_type(fields.get("EventType")),
        laps=_count(fields, "Laps"),
        pb_laps=_count(fields, "PBLaps"),
        race_ids=tuple(dict.fromkeys(filter(None, map(_guid, _items(fields, "Races"))))),
        # A channel without a readable id keeps its place: the names are matched by position.
        channels=tuple(_guid(value) or "" for value in _items(fields, "Channels")),
        channel_colours=tuple(value for value in colours if _COLOUR.fullmatch(value)),
        channel_names=tuple(_text(value) or None for value in _items(fields, "ChannelDisplayNames")),
        time_zone=zone if isinstance(zone, str) else None,
    )


def read_pilots(path: str, body: bytes) -> Mapping[str, Pilot]:
    """Read Pilots.json: ids and public names, never anything else. Raises BadFile."""
    return _by_id(path, body, lambda key, fields: Pilot(key, _text(fields.get("Name"))))


def read_rounds(path: str, body: bytes) -> Mapping[str, Round]:
    """Read Rounds.json. Raises BadFile."""

    def read(key: str, fields: dict[str, Any]) -> Round:
        return Round(
            id=key,
            name=_text(fields.get("Name")),
            number=_count(fields, "RoundNumber"),
            type=_event_type(fields.get("EventType")),
            order=_integer(fields.get("Order")) or 0,
            valid=_flag(fields, "Valid", True),
        )

    return _by_id(path, body, read)


def read_channels(path: str, body: bytes) -> Mapping[str, Channel]:
    """Read httpfiles/Channels.json. A channel is named as in FPVTrackside: R1, F4, or its display name."""

    def read(key: str, fields: dict[str, Any]) -> Channel:
        band = _text(fields.get("ShortBand")) or _text(fields.get("Band"))[:1]
        short = f"{band}{_text(fields.get('ChannelPrefix'))}{_count(fields, 'Number')}"
        return Channel(key, _text(fields.get("DisplayName")) or short, _count(fields, "Frequency"))

    return _by_id(path, body, read)


def read_race(path: str, body: bytes) -> Race:
    """Read a Race.json. Raises BadFile."""
    fields = _single(path, body)
    race_id = _guid(fields.get("ID"))
    if race_id is None:
        raise BadFile(path, "the race has no ID")
    bracket = _text(fields.get("Bracket"))
    return Race(
        id=race_id,
        number=_count(fields, "RaceNumber"),
        round_id=_guid(fields.get("Round")) or "",
        target_laps=_count(fields, "TargetLaps"),
        valid=_flag(fields, "Valid", True),
        start=_datetime(fields, "Start", path),
        end=_datetime(fields, "End", path),
        bracket=bracket if bracket not in {"", "None"} else None,
        seats=tuple(_seats(fields, path)),
        detections=tuple(_detections(fields, path)),
        laps=tuple(_laps(fields, path)),
    )


def _seats(fields: dict[str, Any], path: str) -> Iterator[Seat]:
    seen: set[str] = set()
    for item in _entries(fields, "PilotChannels", path):
        pilot = _guid(item.get("Pilot"))
        if pilot is not None and pilot not in seen:
            seen.add(pilot)
            yield Seat(pilot, _guid(item.get("Channel")) or "")


def _detections(fields: dict[str, Any], path: str) -> Iterator[Detection]:
    for item in _entries(fields, "Detections", path):
        key, pilot = _guid(item.get("ID")), _guid(item.get("Pilot"))
        if key is None or pilot is None:
            continue
        sector = _integer(item.get("RaceSector"))
        if sector is None:
            lap, gate = _integer(item.get("LapNumber")), _integer(item.get("TimingSystemIndex"))
            if lap is None:
                continue
            sector = lap * 100 + (gate or 0)
        try:
            time = read_datetime(str(item.get("Time")))
        except ValueError:
            time = None
        yield Detection(key, pilot, time, sector, _flag(item, "Valid", True))


def _laps(fields: dict[str, Any], path: str) -> Iterator[Lap]:
    for item in _entries(fields, "Laps", path):
        detection, number = _guid(item.get("Detection")), _integer(item.get("LapNumber"))
        length_s = _length(item.get("LengthSeconds"))
        if detection is not None and number is not None and length_s is not None:
            yield Lap(detection, number, length_s)


def read_results(path: str, body: bytes) -> tuple[Result, ...]:
    """Read a race's Result.json; empty while FPVTrackside recalculates. Raises BadFile."""
    results: dict[str, Result] = {}
    for fields in _objects(path, _json(path, body)):
        pilot = _guid(fields.get("Pilot"))
        if pilot is None or not _flag(fields, "Valid", True):
            continue
        results.setdefault(pilot, Result(pilot, _count(fields, "Position"), _flag(fields, "DNF", False)))
    return tuple(results.values())
