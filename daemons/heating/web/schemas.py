"""The shapes of what heating tells and takes over HTTP, as JSON Schema for its OpenAPI document."""

from typing import Any

__all__ = ["FLAG", "HOUSE_NAME", "NUMBER", "SCHEMAS", "TEXT", "Json", "list_of", "made_of", "or_null", "ref"]

Json = dict[str, Any]

NUMBER: Json = {"type": ["number", "null"]}
TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def made_of(properties: Json, *, needs: tuple[str, ...] | None = None) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties) if needs is None else list(needs),
    }


def list_of(item: Json) -> Json:
    return {"type": "array", "items": item}


def or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


_WISH: Json = {"celsius": NUMBER, "is_on": {"type": ["boolean", "null"]}}
_ENTRY = made_of(
    {
        "day": {"type": "integer", "minimum": 0, "maximum": 6},
        "minute": {"type": "integer", "minimum": 0, "maximum": 1439},
        **_WISH,
    },
    needs=("day", "minute"),
)
_WEEK = list_of(ref("Entry"))


def _action(do: str, properties: Json, *needs: str) -> Json:
    return made_of({"do": {"const": do}, **properties}, needs=("do", *needs))


_ZONE = {"zone": {"type": "string", "description": "Its id; * for every room."}}
_ENDS = {"end": {"enum": ["boundary", "until", "permanent"]}, "until": NUMBER}
_MODES = {"mode": {"enum": ["auto", "manual", "thermostat"]}}
_ACTIONS = [
    _action("heat.override", {**_ZONE, **_WISH, **_ENDS}, "zone", "end"),
    _action("heat.resume", _ZONE, "zone"),
    _action("heat.mode", {**_ZONE, **_WISH, **_MODES}, "zone", "mode"),
    _action("heat.week", {**_ZONE, "entries": _WEEK}, "zone", "entries"),
    _action("heat.preset", {"name": TEXT, "weeks": {"type": "object", "additionalProperties": _WEEK}}, "name", "weeks"),
    _action("heat.use_preset", {"name": TEXT, "until": NUMBER}, "name"),
    _action("heat.switch", {"is_on": FLAG}, "is_on"),
    _action("heat.unlock", {"what": TEXT}, "what"),
]  # fmt: skip

HOUSE_NAME: Json = {
    "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$",
}  # fmt: skip
_SURE: Json = {"type": "number"}

SCHEMAS: Json = {
    "Error": made_of({"code": TEXT, "words": TEXT}),
    "Entry": _ENTRY,
    "Action": {"oneOf": _ACTIONS},
    "Order": {
        **made_of(
            {
                "house": HOUSE_NAME,
                "action": ref("Action"),
                "lifetime_s": {"type": ["number", "null"], "minimum": 1, "maximum": 30 * 86400},
                "against": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**53},
            },
            needs=("house", "action"),
        ),
        "additionalProperties": False,
    },
    "Command": made_of(
        {
            "id": TEXT, "issuer": TEXT, "issued_at": {"type": "number"}, "expires_at": {"type": "number"},
            "action": {"type": "object"},
            "status": {"enum": ["QUEUED", "SENT", "UNKNOWN", "DONE", "FAILED", "EXPIRED"]},
            "attempts": list_of({"type": "object"}), "words": {"type": ["string", "null"]}, "decided_at": NUMBER,
            "href": TEXT,
        },
        needs=("id", "issuer", "issued_at", "expires_at", "action", "status"),
    ),
    "Letter": made_of({"id": TEXT, "at": {"type": "number"}, "words": TEXT}),
    "Age": made_of(
        {
            "age_s": NUMBER, "stale_after_s": {"type": "number"}, "stale": FLAG, "offline": FLAG,
            "house_now": NUMBER, "now": {"type": "number"}, "speed": {"type": "number"},
            "standing": {"type": "object"},
        }
    ),
    "Houses": made_of(
        {
            "houses": list_of(
                made_of(
                    {
                        "house": TEXT, "title": TEXT, "here": FLAG, "alarms": {"type": ["integer", "null"]},
                        "age": ref("Age"),
                    }
                )
            ),
            "me": or_null(made_of({"name": TEXT, "role": TEXT, "commands": list_of(TEXT)})),
            "open": FLAG,
        }
    ),
    "House": made_of(
        {
            "house": TEXT, "title": TEXT, "here": FLAG, "time_zone": {"type": ["string", "null"]},
            "zones": list_of({"type": "object"}), "boiler": {"type": ["object", "null"]}, "has_outdoor": FLAG,
            "settings": {"type": ["object", "null"]}, "state": {"type": ["object", "null"]}, "age": ref("Age"),
        }
    ),
    "Event": made_of(
        {
            "id": {"type": "integer"}, "at": {"type": "number"}, "source": TEXT,
            "kind": {"enum": ["ON", "OFF", "ALARM", "CLEAR", "CHANGE", "START"]}, "cause": TEXT,
            "celsius": NUMBER, "supply": NUMBER, "outdoor": NUMBER, "ran_s": NUMBER,
        }
    ),
    "Events": made_of({"events": list_of(ref("Event")), "next": {"type": ["string", "null"]}}),
    "Series": made_of(
        {
            "zone": TEXT, "from": {"type": "number"}, "to": {"type": "number"}, "step_s": {"type": "integer"},
            "level": {"enum": ["samples", "quarters", "days"]}, "at": list_of({"type": "integer"}),
            **dict.fromkeys(("celsius", "lowest", "highest", "supply", "target"), list_of(NUMBER)),
            **dict.fromkeys(("known", "ran_s", "watched_s", "starts"), list_of(_SURE)),
        }
    ),
    "SourceFigures": made_of(
        {
            **dict.fromkeys(("calls", "ran_s", "watched_s", "known"), _SURE),
            **dict.fromkeys(("run_s", "duty", "mean", "lowest", "highest"), NUMBER),
        }
    ),
    "Metrics": made_of(
        {
            "from": {"type": "number"}, "to": {"type": "number"}, "heating_limit": {"type": "number"},
            "sources": {"type": "object", "additionalProperties": ref("SourceFigures")}, "degree_days": NUMBER,
            "days_known": {"type": "integer"}, "days": {"type": "integer"},
        }
    ),
}  # fmt: skip
