"""The collections and their fields, by the names that clients of PocketBase dashboards for FPVTrackside know.

Names are those of the drone-dashboard project's backend. Only what is public and known is in it: no real names of
pilots, and no field whose value would have to be invented.
"""

import hashlib
import zlib
from base64 import b32encode
from collections.abc import Mapping
from enum import Enum

from attrs import frozen

__all__ = ["CLOSED", "COLLECTIONS", "SYSTEM_FIELDS", "Field", "Kind", "collection_id", "record_id"]

ID_CHARACTERS = 15


class Kind(Enum):
    """What a field holds. Dates are texts in PocketBase's form, which sorts as text."""

    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    RELATION = "relation"


@frozen
class Field:
    """One field. `to`: the collection that a relation leads to."""

    kind: Kind
    to: str = ""


_TEXT, _NUMBER, _BOOL = Field(Kind.TEXT), Field(Kind.NUMBER), Field(Kind.BOOL)
_EVENT, _ROUND, _RACE = (Field(Kind.RELATION, name) for name in ("events", "rounds", "races"))
_PILOT, _CHANNEL = Field(Kind.RELATION, "pilots"), Field(Kind.RELATION, "channels")

SYSTEM_FIELDS: Mapping[str, Field] = dict.fromkeys(
    ("id", "collectionId", "collectionName", "created", "updated", "lastUpdated"), _TEXT
)
_SOURCE = {"sourceId": _TEXT, "source": _TEXT, "site": _TEXT}

_OWN: Mapping[str, Mapping[str, Field]] = {
    "events": {
        "name": _TEXT, "eventType": _TEXT, "laps": _NUMBER, "pbLaps": _NUMBER, "isCurrent": _BOOL,
        "start": _TEXT, "primaryTimingSystemLocation": _TEXT,
    },
    "rounds": {
        "name": _TEXT, "roundNumber": _NUMBER, "eventType": _TEXT, "valid": _BOOL, "order": _NUMBER,
        "event": _EVENT,
    },
    "pilots": {"name": _TEXT, "event": _EVENT},
    "channels": {
        "displayName": _TEXT, "shortBand": _TEXT, "number": _NUMBER, "frequency": _NUMBER,
        "channelColor": _TEXT, "channelDisplayName": _TEXT, "event": _EVENT,
    },
    "races": {
        "raceNumber": _NUMBER, "raceOrder": _NUMBER, "start": _TEXT, "end": _TEXT, "valid": _BOOL,
        "bracket": _TEXT, "targetLaps": _NUMBER, "primaryTimingSystemLocation": _TEXT, "event": _EVENT, "round": _ROUND,
    },
    "pilotChannels": {"pilot": _PILOT, "channel": _CHANNEL, "race": _RACE, "event": _EVENT},
    "detections": {
        "timingSystemIndex": _NUMBER, "time": _TEXT, "lapNumber": _NUMBER, "valid": _BOOL, "isLapEnd": _BOOL,
        "raceSector": _NUMBER, "isHoleshot": _BOOL, "pilot": _PILOT, "race": _RACE, "channel": _CHANNEL,
        "event": _EVENT,
    },
    "laps": {
        "lapNumber": _NUMBER, "lengthSeconds": _NUMBER, "startTime": _TEXT, "endTime": _TEXT,
        "detection": Field(Kind.RELATION, "detections"), "race": _RACE, "event": _EVENT,
    },
    "results": {
        "position": _NUMBER, "points": _NUMBER, "dnf": _BOOL, "valid": _BOOL, "resultType": _TEXT,
        "event": _EVENT, "race": _RACE, "pilot": _PILOT,
    },
    "client_kv": {"namespace": _TEXT, "key": _TEXT, "value": _TEXT, "event": _EVENT},
    # Always empty: no recorded file has points of a game, and track drawings are in a file that FPVTrackside does not serve.
    "gamePoints": {
        "valid": _BOOL, "time": _TEXT, "pilot": _PILOT, "race": _RACE, "channel": _CHANNEL, "event": _EVENT,
    },
    "tracks": {"name": _TEXT, "length": _NUMBER, "gridSize": _NUMBER, "event": _EVENT},
}  # fmt: skip

COLLECTIONS: Mapping[str, Mapping[str, Field]] = {
    name: {**SYSTEM_FIELDS, **_SOURCE, **fields} for name, fields in _OWN.items()
}
"""The fields of each collection, by its name."""

CLOSED = frozenset({"_superusers", "users", "ingest_targets", "server_settings", "control_stats"})
"""Collections that such a backend has and shows to nobody without a sign-in."""


def collection_id(name: str) -> str:
    """Return a collection's id, in the form that PocketBase gives them."""
    return f"pbc_{zlib.crc32(name.encode())}"


def record_id(site: str, collection: str, *source: str) -> str:
    """Return a record's id: 15 of a–z and 2–7, always the same for the same ids of FPVTrackside at the same site."""
    digest = hashlib.sha256("\0".join((site, collection, *source)).encode("utf-8", "surrogatepass")).digest()
    return b32encode(digest[:10]).decode("ascii").lower()[:ID_CHARACTERS]
