"""The OpenAPI 3.1 document of what heating tells and takes over HTTP. Made once."""

import hashlib
from functools import lru_cache

from daemons.heating.history.read import POINTS_MAX
from daemons.heating.web.schemas import HOUSE_NAME, SCHEMAS, TEXT, Json, list_of, made_of, ref
from daemons.web.answers import to_json
from protocol.heating import EventKind

__all__ = ["document", "encoded_document"]

_ABOUT = """Houses that are heated. Instants are UTC seconds of the house's clock, those of commands real ones; temperatures °C,
durations seconds; null is what is not known. Looking takes a viewer's token (Authorization: Bearer …) but where the daemon is
open, commands an operator's. Refusals are {"code", "words"}."""


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _error(words: str) -> Json:
    return {"description": words, "content": _json(ref("Error"))}


_REFUSALS: Json = {
    "401": _error("Nobody is proven by the token, or there is none."),
    "403": _error("Who is proven may not do this here."),
    "503": _error("It cannot be looked up or kept just now; Retry-After says when to come back."),
}
_HOUSE: Json = {
    "name": "house", "in": "path", "required": True, "description": "The name of the house.", "schema": HOUSE_NAME,
}  # fmt: skip
_ID: Json = {
    "name": "id", "in": "path", "required": True, "description": "As it is listed.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"},
}  # fmt: skip
_KNOWN: Json = {
    "name": "If-None-Match", "in": "header", "description": "The ETag of what the caller has.", "schema": TEXT,
}  # fmt: skip


def _read(name: str, summary: str, answer: Json, *parameters: Json, bad: str = "", missing: str = "") -> Json:
    responses: Json = {
        "200": {"description": summary, "content": _json(answer)},
        "304": {"description": "As the caller has it."},
        **_REFUSALS,
    }
    if bad:
        responses["400"] = _error(bad)
    if missing:
        responses["404"] = _error(missing)
    asked = [*parameters, _KNOWN]
    return {"get": {"operationId": name, "summary": summary, "parameters": asked, "responses": responses}}


def _do(name: str, summary: str, answer: Json) -> Json:
    responses: Json = {
        "200": {"description": summary, "content": _json(answer)},
        "404": _error("There is no such house, or nothing of this id."),
        "409": _error("It cannot be done any more."),
        "429": _error("Too many; Retry-After says when to come back."),
        **_REFUSALS,
    }
    return {
        "post": {"operationId": name, "summary": summary, "parameters": [_HOUSE, _ID], "responses": responses}
    }


def _query(name: str, words: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": words, "schema": schema}


_INSTANT: Json = {"type": "number", "minimum": 0, "maximum": 253402300799}
_FROM = _query("from", "Its begin, UTC seconds. Without it: a day before `to`.", _INSTANT)
_TO = _query("to", "Its end, UTC seconds. Without it: now.", _INSTANT)
_SPAN_BAD = "A parameter cannot be read, or the end is not behind the begin."
_BEFORE = r"^[0-9]{1,12}(\.[0-9]{1,9})?_[0-9]{1,18}$"
_NO_HOUSE = "There is no such house."


def _paths() -> Json:
    one = "/api/houses/{house}"
    give: Json = {
        "post": {
            "operationId": "give",
            "summary": "Have something done at a house",
            "requestBody": {"required": True, "content": _json(ref("Order"))},
            "responses": {
                "200": {"description": "Decided: this is the boiler itself.", "content": _json(ref("Command"))},
                "202": {"description": "Queued; Location says where it stands.", "content": _json(ref("Command"))},
                "400": _error("This is no command."),
                "404": _error(_NO_HOUSE),
                "413": _error("It is too long."),
                "429": _error("You give too many; Retry-After says when to come back."),
                **_REFUSALS,
            },
        }
    }  # fmt: skip
    stream: Json = {
        "get": {
            "operationId": "stream",
            "summary": "The house as it changes, as server-sent events: house, state, commands, age",
            "parameters": [_HOUSE, _query("after", "The id of the last age that was heard.", TEXT)],
            "responses": {
                "200": {
                    "description": "Events until the listener leaves.",
                    "content": {"text/event-stream": {"schema": TEXT}},
                },
                "404": _error(_NO_HOUSE),
                **_REFUSALS,
            },
        }
    }
    missing = {"missing": _NO_HOUSE}
    spanned = {"bad": _SPAN_BAD, **missing}
    zone = _query("zone", "Its id.", {"type": "string", "minLength": 1, "maxLength": 64})
    points = _query("points", "How many at most.", {"type": "integer", "minimum": 1, "maximum": POINTS_MAX})
    before = _query(
        "before",
        "Only events older: the `next` of an answer.",
        {"type": "string", "pattern": _BEFORE},
    )
    kind = _query("kind", "Only of this kind.", {"enum": list(EventKind)})
    limit = _query("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": 500})
    source = _query("source", "Only of this source.", {"type": "string", "minLength": 1, "maxLength": 64})
    return {
        "/api/houses": _read("houses", "The houses that the caller may look at", ref("Houses")),
        one: _read("house", "One house: what is wished, what is, how old that is", ref("House"), _HOUSE, **missing),
        f"{one}/stream": stream,
        f"{one}/series": _read(
            "series", "A zone's temperatures over time, as many points as asked for, and when it ran", ref("Series"),
            _HOUSE, {**zone, "required": True}, _FROM, _TO, points, **spanned,
        ),
        f"{one}/events": _read(
            "events", "What happened, newest first", ref("Events"),
            _HOUSE, source, kind, before, limit, **spanned,
        ),
        f"{one}/metrics": _read(
            "metrics", "Calls, run times, starts, duty, degree-days", ref("Metrics"), _HOUSE, _FROM, _TO, **spanned
        ),
        f"{one}/commands": _read(
            "commands", "The last commands, newest first", made_of({"commands": list_of(ref("Command"))}),
            _HOUSE, **missing,
        ),
        f"{one}/commands/{{id}}": _read("command", "One command", ref("Command"), _HOUSE, _ID, missing="No such command."),
        f"{one}/commands/{{id}}/withdraw": _do("withdraw", "Ask that a command be not run any more", ref("Command")),
        f"{one}/dead": _read(
            "dead", "What could not be done or applied", made_of({"dead": list_of(ref("Letter"))}), _HOUSE, **missing
        ),
        f"{one}/dead/{{id}}/requeue": _do("requeue", "Have it tried again", {"type": "object"}),
        f"{one}/dead/{{id}}/drop": _do("drop", "Forget it", {"type": "object"}),
        "/api/commands": give,
    }  # fmt: skip


@lru_cache
def document() -> Json:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "pitlink: heating", "version": "1", "description": _ABOUT},
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


@lru_cache
def encoded_document() -> tuple[bytes, str]:
    """Return the document as JSON, and the name of its content."""
    body = to_json(document())
    return body, hashlib.sha256(body).hexdigest()[:20]
