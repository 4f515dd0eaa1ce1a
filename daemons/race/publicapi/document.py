"""The OpenAPI 3.1 document of everything that anybody may ask of a hub or a site about a race. Made once, and true:
the tests have a foreign program ask every operation and compare what is answered.
"""

import hashlib
from functools import lru_cache
from typing import Any

from daemons.race.pocketbase.documented import POCKETBASE_SCHEMAS, pocketbase_paths
from daemons.race.publicapi.cuts import STATES
from daemons.race.publicapi.schemas import SCHEMAS, ref
from daemons.race.treebytes import to_json

__all__ = ["EVENT_STREAMS", "document", "encoded_document"]

EVENT_STREAMS = ("stream", "listen")
"""Operations that do not end: what tries every one leaves them out."""

_ABOUT = """What is known of FPV races, as JSON: sites, what is on now, races, pilots, rounds, stages and bests, as the pages
show them. Open to everybody and to pages of any origin. Beside it PocketBase's read API over the same data.

A key that is absent is one that is not known. Instants are UTC, durations seconds. How old an answer is stands in
Pitlink-As-Of, or in `age`. Every answer has an ETag: ask with If-None-Match, and 304 says that nothing is new. Who
wants to be told at once listens to `stream`."""

Json = dict[str, Any]

_SITE = {
    "name": "site", "in": "path", "required": True, "description": "The name of the site.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"},
}  # fmt: skip
_AGE_HEADERS: Json = {
    "ETag": {"schema": {"type": "string"}},
    "Pitlink-As-Of": {
        "description": "When what is shown was read at the field, in UTC; or never.",
        "schema": {"type": "string"},
    },
    "Pitlink-Stale": {"description": "There when it is old.", "schema": {"const": "true"}},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of what the caller has.",
    "schema": {"type": "string"},
}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _error(words: str) -> Json:
    return {"description": words, "content": _json(ref("Error"))}


def _read(
    name: str,
    summary: str,
    answer: str,
    *parameters: Json,
    missing: str = "There is no such site.",
    bad: str = "",
) -> Json:
    """Describe an address that is read: `answer` names the shape of what comes."""
    responses: Json = {
        "200": {"description": summary, "headers": _AGE_HEADERS, "content": _json(ref(answer))},
        "304": {"description": "As the caller has it."},
        **({"400": _error(bad)} if bad else {}),
        **({"404": _error(missing)} if missing else {}),
    }
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "parameters": [*parameters, _IF_NONE_MATCH],
            "responses": responses,
        }
    }


def _id(name: str, words: str) -> Json:
    # Not asked to be a GUID: whatever else it is, there is none such, which is what is answered.
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": words,
        "schema": {"type": "string", "minLength": 1},
    }


def _query(name: str, words: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": words, "schema": schema}


def _paths() -> Json:
    one = "/api/v1/sites/{site}"
    some_id: Json = {"type": "string", "minLength": 1, "maxLength": 64}
    wanted = [
        _query("state", "Only races in this state.", {"enum": list(STATES)}),
        _query("pilot", "Only races that this pilot is in.", some_id),
        _query("round", "Only races of this round.", some_id),
    ]
    stream = {
        "get": {
            "operationId": "stream",
            "summary": "The tree as it changes, as server-sent events: tree, patch (RFC 7396), age, sites",
            "parameters": [
                _SITE,
                _query(
                    "after", "The version that the listener has: the ETag of the tree.", {"type": "string"}
                ),
            ],
            "responses": {
                "200": {
                    "description": "Events until the listener leaves.",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                },
                "404": _error("There is no such site."),
            },
        }
    }
    return {
        "/api/v1/sites": _read("sites", "The sites that there are", "Sites", missing=""),
        one: _read("site", "One site: its event and how old it is", "Site", _SITE),
        f"{one}/now": _read("now", "What is on, what was before, what comes", "Now", _SITE),
        f"{one}/races": _read(
            "races", "The races as they are run", "Races", _SITE, *wanted, bad="A parameter cannot be read."
        ),
        f"{one}/races/{{race}}": _read(
            "race",
            "One race with every lap",
            "Race",
            _SITE,
            _id("race", "The id of the race."),
            missing="No such race.",
        ),
        f"{one}/pilots": _read("pilots", "The pilots by name, and when each flies", "Pilots", _SITE),
        f"{one}/pilots/{{pilot}}": _read(
            "pilot",
            "One pilot",
            "Pilot",
            _SITE,
            _id("pilot", "The id of the pilot."),
            missing="No such pilot.",
        ),
        f"{one}/rounds": _read("rounds", "The rounds as they are flown", "Rounds", _SITE),
        f"{one}/stages": _read("stages", "The stages and their tables", "Stages", _SITE),
        f"{one}/bests": _read("bests", "The best laps and runs of the event", "Bests", _SITE),
        f"{one}/board": _read(
            "board",
            "What is on as one small value, for overlays of a video (OBS browser sources)",
            "Board",
            _SITE,
        ),
        f"{one}/tree": _read("tree", "Everything about a site's event as one value", "Tree", _SITE),
        f"{one}/stream": stream,
        **_memory_paths(f"{one}/races/{{race}}"),
    }


def _memory_paths(base: str) -> Json:
    """What is kept of a race's files."""
    race = _id("race", "The id of the race.")
    after = _query("after", "The number of a version.", {"type": "string", "pattern": "^[0-9]{1,9}$"})
    digest = {
        "name": "digest",
        "in": "path",
        "required": True,
        "description": "The SHA-256 of a version.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    }
    busy = {"503": _error("It cannot be looked up just now.")}
    missing = {"404": _error("Nothing is kept of such a race."), **busy}
    same = {"304": {"description": "As the caller has it."}}
    chain = {
        "description": "The chain of hashes, a line of JSON each.",
        "content": {"application/x-ndjson": {}},
    }
    kept = {"description": "The file, byte by byte.", "content": {"application/json": {}}}
    listed = {"description": "The versions, 500 at most.", "content": _json(ref("Versions"))}
    return {
        f"{base}/versions": _operation(
            "versions",
            "Which versions of the race's files are kept",
            [_SITE, race, after],
            {"200": listed, "400": _error("after is no number."), **missing},
        ),
        f"{base}/versions/{{digest}}": _operation(
            "version",
            "A version of a file",
            [_SITE, race, digest, _IF_NONE_MATCH],
            {"200": kept, **same, "403": _error("It holds what stays at the site."), **missing},
        ),
        f"{base}/history": _operation(
            "history",
            "What proves the versions",
            [_SITE, race, _IF_NONE_MATCH],
            {"200": chain, **same, **missing},
        ),
    }


def _operation(name: str, summary: str, parameters: list[Json], responses: Json) -> Json:
    return {
        "get": {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}
    }


_STATUS = _operation(
    "status",
    "Whether the outside world is up to date, for the organiser at the field",
    [],
    {"200": {"description": "One colour and one sentence.", "content": _json(ref("Status"))}},
)


@lru_cache
def document(*, is_site: bool = False) -> Json:
    """Return the document of a hub, or of a site, which tells more of itself."""
    of_site = {"/api/v1/status": _STATUS} if is_site else {}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "pitlink: races", "version": "1", "description": _ABOUT},
        "paths": {**_paths(), **of_site, **pocketbase_paths()},
        "components": {"schemas": {**SCHEMAS, **POCKETBASE_SCHEMAS}},
    }


@lru_cache
def encoded_document(*, is_site: bool) -> tuple[bytes, str]:
    """Return the document as JSON, and the name of its content."""
    body = to_json(document(is_site=is_site))
    return body, hashlib.sha256(body).hexdigest()[:20]
