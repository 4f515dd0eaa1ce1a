"""Where FPVTrackside keeps what, as paths of its web server."""

import re
from enum import Enum

from attrs import frozen

__all__ = ["CHANNELS", "CURRENT", "HOME", "File", "Kind", "event_file", "file_of", "race_file"]

HOME = "/"
CURRENT = "/current"
CHANNELS = "/httpfiles/Channels.json"

_EVENT_FILE = re.compile(r"/events/([0-9a-f-]{36})/(Event|Pilots|Rounds|Stages|Results)\.json")
_RACE_FILE = re.compile(r"/events/([0-9a-f-]{36})/([0-9a-f-]{36})/(Race|Result)\.json")


class Kind(Enum):
    """The files that the race model reads."""

    HOME = "home"
    CURRENT = "current"
    CHANNELS = "Channels"
    EVENT = "Event"
    PILOTS = "Pilots"
    ROUNDS = "Rounds"
    STAGES = "Stages"
    RESULTS = "Results"
    RACE = "Race"
    RESULT = "Result"


@frozen
class File:
    """What a path names. `event_id` and `race_id` are empty where the kind has none."""

    kind: Kind
    event_id: str = ""
    race_id: str = ""


def event_file(event_id: str, kind: Kind) -> str:
    """Return the path of an event's Event, Pilots, Rounds, Stages or Results file."""
    return f"/events/{event_id}/{kind.value}.json"


def race_file(event_id: str, race_id: str, kind: Kind) -> str:
    """Return the path of a race's Race or Result file."""
    return f"/events/{event_id}/{race_id}/{kind.value}.json"


def file_of(path: str) -> File | None:
    """Return what a path names, or None when the model reads nothing of it."""
    match path:
        case "/":
            return File(Kind.HOME)
        case "/current":
            return File(Kind.CURRENT)
        case "/httpfiles/Channels.json":
            return File(Kind.CHANNELS)
    if found := _EVENT_FILE.fullmatch(path):
        return File(Kind(found[2]), found[1])
    if found := _RACE_FILE.fullmatch(path):
        return File(Kind(found[3]), found[1], found[2])
    return None
