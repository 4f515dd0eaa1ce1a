"""PocketBase's read API as OpenAPI describes it: part of the document that is served under /api/v1/openapi.json."""

from collections.abc import Mapping
from typing import Any

from daemons.race.pocketbase.collections import CLOSED, COLLECTIONS, Field, Kind, collection_id
from daemons.race.pocketbase.listing import FALSE_WORDS, TRUE_WORDS

__all__ = ["POCKETBASE_SCHEMAS", "pocketbase_paths"]

Json = dict[str, Any]

FILTER_FORMAT, SORT_FORMAT = "pocketbase-filter", "pocketbase-sort"

_TYPES: Mapping[Kind, Json] = {
    Kind.TEXT: {"type": "string"},
    Kind.NUMBER: {"type": "number"},
    Kind.BOOL: {"type": "boolean"},
    Kind.RELATION: {"type": "string", "pattern": "^([a-z0-9]{15})?$"},
}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _record(name: str, fields: Mapping[str, Field]) -> Json:
    """A record of a collection; `fields` in the query leaves some out, `expand` brings what relations lead to."""
    properties: Json = {key: _TYPES[field.kind] for key, field in fields.items()}
    fixed: Json = {
        "id": {"type": "string", "pattern": "^[a-z0-9]{15}$"},
        "collectionName": {"const": name},
        "collectionId": {"const": collection_id(name)},
        "expand": {"type": "object"},
    }
    return {"type": "object", "properties": {**properties, **fixed}, "additionalProperties": False}


POCKETBASE_SCHEMAS: dict[str, Json] = {
    **{f"record_{name}": _record(name, fields) for name, fields in COLLECTIONS.items()},
    "PocketBaseRecord": {"anyOf": [_ref(f"record_{name}") for name in COLLECTIONS]},
    "PocketBaseList": {
        "type": "object",
        "properties": {
            "page": {"type": "integer", "minimum": 1},
            "perPage": {"type": "integer", "minimum": 1, "maximum": 1000},
            "totalItems": {"type": "integer", "minimum": -1},
            "totalPages": {"type": "integer", "minimum": -1},
            "items": {"type": "array", "items": _ref("PocketBaseRecord"), "maxItems": 1000},
        },
        "required": ["page", "perPage", "totalItems", "totalPages", "items"],
        "additionalProperties": False,
    },
    "PocketBaseError": {
        "type": "object",
        "properties": {
            "status": {"type": "integer"},
            "message": {"type": "string"},
            "data": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                },
            },
        },
        "required": ["status", "message", "data"],
        "additionalProperties": False,
    },
}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _error(words: str) -> Json:
    return {"description": words, "content": _json(_ref("PocketBaseError"))}


def _query(name: str, words: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": words, "schema": schema}


def _maybe(format_: str) -> Json:
    return {"anyOf": [{"const": ""}, {"type": "string", "format": format_, "minLength": 1}]}


_NAME = {
    "name": "name", "in": "path", "required": True, "description": "The name of the collection.",
    "schema": {"enum": [*COLLECTIONS, *sorted(CLOSED)]},
}  # fmt: skip
_ID = {
    "name": "id", "in": "path", "required": True, "description": "The id of the record.",
    "schema": {"type": "string", "pattern": "^[a-z0-9]{15}$"},
}  # fmt: skip
_SHAPE = [
    _query("expand", "Relations to follow: round, detection.pilot.", {"type": "string"}),
    _query("fields", "Fields to keep: id, expand.pilot.name.", {"type": "string"}),
]
_LISTED = [
    _query("page", "From 1; less is 1.", {"type": "integer"}),
    _query("perPage", "30 unless told, 1000 at most.", {"type": "integer"}),
    _query("sort", "Fields, - before one that goes downwards.", _maybe(SORT_FORMAT)),
    _query("filter", "PocketBase's filter: lapNumber > 0 && race.valid = true.", _maybe(FILTER_FORMAT)),
    _query("skipTotal", "Do not count.", {"enum": sorted(TRUE_WORDS | FALSE_WORDS)}),
]  # fmt: skip
_NO_COLLECTION = _error("There is no such collection or record.")
_CLOSED = _error("Not for everybody.")


def _write(name: str, summary: str, *parameters: Json) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "description": "Always refused: records are made of what FPVTrackside writes.",
        "parameters": list(parameters),
        "responses": {"403": _CLOSED, "404": _NO_COLLECTION},
    }


def pocketbase_paths() -> Json:
    """Return the paths of the document."""
    records, record = "/api/collections/{name}/records", "/api/collections/{name}/records/{id}"
    listed: Json = {
        "200": {"description": "A page of records.", "content": _json(_ref("PocketBaseList"))},
        "304": {"description": "As the caller has it."},
        "400": _error("A parameter cannot be read."),
        "403": _CLOSED,
        "404": _NO_COLLECTION,
    }
    got: Json = {
        "200": {"description": "The record.", "content": _json(_ref("PocketBaseRecord"))},
        "403": _CLOSED,
        "404": _NO_COLLECTION,
    }
    return {
        records: {
            "get": {
                "operationId": "listRecords",
                "summary": "Records of a collection, as PocketBase lists them",
                "parameters": [_NAME, *_LISTED, *_SHAPE],
                "responses": listed,
            },
            "post": _write("createRecord", "Make a record: refused", _NAME),
        },
        record: {
            "get": {
                "operationId": "getRecord",
                "summary": "One record",
                "parameters": [_NAME, _ID, *_SHAPE],
                "responses": got,
            },
            "patch": _write("updateRecord", "Change a record: refused", _NAME, _ID),
            "delete": _write("deleteRecord", "Delete a record: refused", _NAME, _ID),
        },
        "/api/realtime": {"get": _LISTEN, "post": _SUBSCRIBE},
        "/api/health": {
            "get": {
                "operationId": "health",
                "summary": "That this API answers",
                "responses": {"200": {"description": "It does.", "content": _json(_HEALTH)}},
            }
        },
    }


_HEALTH: Json = {
    "type": "object",
    "properties": {"code": {"const": 200}, "message": {"type": "string"}, "data": {"type": "object"}},
    "required": ["code", "message", "data"],
    "additionalProperties": False,
}
_LISTEN: Json = {
    "operationId": "listen",
    "summary": "Changes of records as server-sent events; the first one, PB_CONNECT, names the client",
    "responses": {
        "200": {
            "description": "Events until the client leaves.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        "503": _error("Too many clients are connected."),
    },
}
_SUBSCRIBE: Json = {
    "operationId": "subscribe",
    "summary": "Set what a client is told of, in place of what was set before",
    "requestBody": {
        "required": True,
        "content": _json(
            {
                "type": "object",
                "properties": {
                    "clientId": {"type": "string", "minLength": 1, "maxLength": 255},
                    "subscriptions": {
                        "type": "array",
                        "items": {"type": "string", "maxLength": 2500},
                        "maxItems": 1000,
                    },
                },
                "required": ["clientId"],
            }
        ),
    },
    "responses": {
        "204": {"description": "They are set."},
        "400": _error("The body cannot be read."),
        "404": _error("No such client is connected."),
        "413": {
            "description": "The body is too long.",
            "content": {**_json(_ref("PocketBaseError")), "text/plain": {"schema": {"type": "string"}}},
        },
        "415": _error("The body is not JSON."),
    },
}
