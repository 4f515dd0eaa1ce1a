"""The shapes of what the API answers, as JSON Schema (2020-12), for the document that it serves.

Strict: a key that is not named here is not in an answer.
"""

from typing import Any

from daemons.race.model import EventType
from daemons.race.publicapi.cuts import STATES

__all__ = ["SCHEMAS", "ref"]

Schema = dict[str, Any]

GUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
NAME_CHARACTERS_MAX = 80


def ref(name: str) -> Schema:
    """Return a reference to a shape by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: Schema, **optional: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: Schema, most: int | None = None) -> Schema:
    return {"type": "array", "items": items, **({} if most is None else {"maxItems": most})}


def _map(values: Schema) -> Schema:
    return {"type": "object", "propertyNames": {"pattern": GUID}, "additionalProperties": values}


_ID: Schema = {"type": "string", "pattern": GUID, "description": "An id of FPVTrackside."}
_NAME: Schema = {"type": "string", "maxLength": NAME_CHARACTERS_MAX}
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_SECONDS: Schema = {"type": "number", "description": "Seconds, to the millisecond."}
_INSTANT: Schema = {"type": "string", "format": "date-time", "description": "UTC."}
_PAUSED: Schema = {
    **_SECONDS,
    "description": "For how long its clock stood still, where it ended and then went on: from start to end less this.",
}
_TYPE: Schema = {"enum": [kind.value for kind in EventType]}
_STATE: Schema = {"enum": list(STATES)}
_PHASE: Schema = {"enum": ["no_event", "no_race", *STATES]}
_CHANNEL: dict[str, Schema] = {
    "channel": {**_NAME, "description": "As FPVTrackside names it: R1."},
    "mhz": {"type": "integer", "minimum": 1},
    "colour": {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"},
}
_BEST: dict[str, Schema] = {"s": _SECONDS, "race": _ID}

_ROW = _object(
    {
        "id": _ID,
        "pilot": {**_NAME, "description": "The name that the pilot races under."},
        "dnf": _FLAG,
        "laps": {**_COUNT, "description": "Laps that count for the race."},
        "over_target": {**_COUNT, "description": "Laps behind the race's target."},
    },
    lap_times={**_list(_SECONDS, 200), "description": "In the order flown, without the holeshot."},
    **_CHANNEL,
    position={"type": "integer", "minimum": 1},
    holeshot=_SECONDS,
    last=_SECONDS,
    best=_SECONDS,
    best_run={**_SECONDS, "description": "The best so many laps in a row, as the race's best_run_of says."},
    points={"type": "integer"},
    handicap_s={
        **_SECONDS,
        "description": "How long after the others the pilot starts, in a race with handicaps.",
    },
    channel_changed=_FLAG,
)

SCHEMAS: dict[str, Schema] = {
    "Error": _object({"code": _TEXT, "words": _TEXT}, sites=_list(_TEXT), why=_TEXT),
    "Age": _object(
        {"stale_after_s": _SECONDS, "stale": _FLAG},
        age_s={**_SECONDS, "description": "How old what is shown is by the server's clock. Absent: nothing was read yet."},
        why={**_TEXT, "description": "What is wrong, in words."},
        as_of=_INSTANT,
    ),
    "Event": _object(
        {"id": _ID, "name": _NAME, "type": _TYPE, "laps": _COUNT, "pb_laps": _COUNT}, time_zone=_TEXT
    ),
    "Site": _object(
        {"site": _TEXT, "phase": _PHASE, "headline": _TEXT, "races": _COUNT, "pilots": _COUNT, "age": ref("Age")},
        event=ref("Event"),
    ),
    "Sites": _object({"sites": _list(ref("Site"))}),
    "Expected": _object({"at": _INSTANT, "spread_s": _SECONDS}),
    "Row": _ROW,
    "Race": _object(
        {
            "id": _ID, "name": _TEXT, "type": _TYPE, "number": _COUNT, "state": _STATE, "official": _FLAG,
            "from_memory": {**_FLAG, "description": "The results turned empty and are shown as they last were."},
            "rows": {**_map(ref("Row")), "description": "By pilot."},
            "ranking": {**_list(_ID), "description": "The pilots in the order to be shown."},
        },
        round=_ID,
        bracket=_NAME,
        start=_INSTANT,
        end=_INSTANT,
        paused_s=_PAUSED,
        target_laps=_COUNT,
        best_run_of=_COUNT,
        expected=ref("Expected"),
    ),
    "Races": _object({"races": {**_list(ref("Race"), 201), "description": "As they are run; rows without lap_times."}}),
    "Now": _object(
        {"phase": _PHASE, "headline": _TEXT, "next": _list(ref("Race"), 3), "age": ref("Age")},
        race=ref("Race"),
        previous=ref("Race"),
    ),
    "NextFlight": _object(
        {
            "race": _ID,
            "races_until": {**_COUNT, "description": "0: the race that is on, or next."},
            "channel_changed": _FLAG,
        },
        expected=ref("Expected"),
        **_CHANNEL,
    ),
    "Pilot": _object(
        {"id": _ID, "name": _NAME, "races": {**_list(_ID), "description": "Flown, or to be flown."}},
        next=ref("NextFlight"),
        best_lap=_object(_BEST),
        best_run=_object({**_BEST, "laps": _COUNT}),
    ),
    "Pilots": _object({"pilots": _list(ref("Pilot"))}),
    "Round": _object(
        {"id": _ID, "name": _TEXT, "number": _COUNT, "type": _TYPE, "order": {"type": "integer"}, "races": _list(_ID)},
        stage=_ID,
    ),
    "Rounds": _object({"rounds": _list(ref("Round"))}),
    "Stage": _object(
        {
            "id": _ID, "name": _NAME, "type": _TEXT, "order": {"type": "integer"}, "headings": _list(_TEXT),
            "rows": _list(_object({"name": _NAME, "values": _list(_TEXT)}, pilot=_ID)),
            "is_ready": {**_FLAG, "description": "Ranked by FPVTrackside itself; else added up from its points."},
        }
    ),
    "Stages": _object({"stages": _list(ref("Stage"))}),
    "Bests": _object(
        {
            "laps": _list(_object({"pilot": _ID, **_BEST})),
            "runs": _list(_object({"pilot": _ID, **_BEST, "laps": _COUNT})),
        }
    ),
}  # fmt: skip


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_BOARD_ROW = _object(
    {
        **{
            key: _ROW["properties"][key] for key in ("id", "pilot", "dnf", "laps", "over_target", "lap_times")
        },
        **{
            key: _nullable(_ROW["properties"][key])
            for key in (
                "channel",
                "mhz",
                "colour",
                "position",
                "holeshot",
                "last",
                "best",
                "best_run",
                "handicap_s",
            )
        },
    }
)
_BOARD_RACE = _object(
    {
        "id": _ID, "name": _TEXT, "type": _TYPE, "round": _nullable(_COUNT), "number": _COUNT, "state": _STATE,
        "start": _nullable(_INSTANT), "end": _nullable(_INSTANT), "paused_s": _nullable(_PAUSED),
        "target_laps": _nullable(_COUNT), "best_run_of": _nullable(_COUNT), "official": _FLAG, "results_from_memory": _FLAG,
        "rows": _list(ref("BoardRow"), 64),
    }
)  # fmt: skip

SCHEMAS |= {
    "BoardRow": _BOARD_ROW,
    "BoardRace": _BOARD_RACE,
    "Board": _object(
        {
            "age_s": _nullable(_SECONDS), "stale_after_s": _SECONDS, "stale": _FLAG, "why": _nullable(_TEXT),
            "as_of": _nullable(_INSTANT),
            "board": _object(
                {
                    "version": _COUNT,
                    "event": _nullable(_object({"id": _ID, "name": _NAME})),
                    "phase": _PHASE,
                    "headline": _TEXT,
                    "race": _nullable(ref("BoardRace")),
                    "previous": _nullable(ref("BoardRace")),
                    "next": _nullable(ref("BoardRace")),
                }
            ),
        }
    ),
    "Tree": _object(
        {
            "now": _object({"phase": _PHASE, "headline": _TEXT, "next": _list(_ID, 3)}, race=_ID, previous=_ID),
            "order": _list(_ID),
            "rounds": _map(
                _object({"id": _ID, "name": _TEXT, "number": _COUNT, "type": _TYPE, "order": {"type": "integer"}}, stage=_ID)
            ),
            "races": _map(ref("Race")),
            "pilots": _map(ref("Pilot")),
            "bests": ref("Bests"),
        },
        event=ref("Event"),
        stages=_map(ref("Stage")),
    ),
}  # fmt: skip

_HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_BYTES: Schema = {"type": "integer", "minimum": 0}

SCHEMAS |= {
    "Versions": _object(
        {
            "site": _TEXT,
            "race": _TEXT,
            "head": _object({"number": _COUNT, "at": _INSTANT, "hash": _HASH}),
            "versions": _list(
                _object(
                    {
                        "number": _COUNT, "at": _INSTANT, "file": _TEXT, "sha256": _HASH, "size": _BYTES,
                        "hash": _HASH, "kept": _FLAG,
                    },
                    href=_TEXT,
                ),
                500,
            ),
        }
    ),
    "Status": _object(
        {
            "light": {"enum": ["green", "amber", "red"]},
            "sentence": _TEXT,
            "why": _list(_object({"code": _TEXT, "light": {"enum": ["amber", "red"]}, "words": _TEXT})),
            "races_waiting": _COUNT,
            "budget": _object(
                {
                    "sent_today_bytes": _BYTES, "received_today_bytes": _BYTES, "saved_today_bytes": _BYTES,
                    "this_hour_bytes": _BYTES,
                },
                ceiling_hour_bytes=_BYTES,
            ),
        },
        cloud_age_s=_SECONDS,
        age_s=_SECONDS,
    ),
}  # fmt: skip
