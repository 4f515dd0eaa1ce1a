"""The addresses of PocketBase's API that are answered here: records to read, their changes, and health.

Whatever would write is refused as PocketBase refuses it to somebody who is not signed in: there is nothing to write.
"""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.race.pocketbase.collections import CLOSED, COLLECTIONS, collection_id
from daemons.race.pocketbase.errors import refuse
from daemons.race.pocketbase.listing import BadQuery, read_query, read_shape
from daemons.race.pocketbase.realtime import TOPICS_MAX, Realtime, RealtimeStream
from daemons.race.pocketbase.topics import CHARACTERS_MAX
from daemons.web.assets import is_known
from daemons.web.refusals import json_response
from daemons.web.resource import Endpoint, Resource

__all__ = ["pocketbase_routes"]

BODY_BYTES_MAX = 256 * 1024
CLIENT_CHARACTERS_MAX = 255
AT_ONCE = 64
"""So many records are looked at before others have their turn."""

_IDS = {collection_id(name): name for name in COLLECTIONS}
_CLOSED = "Only superusers can perform this action."
_BAD_REQUEST = "Something went wrong while processing your request."
_BAD_BODY = "An error occurred while loading the submitted data."
_BAD_DATA = "An error occurred while validating the submitted data."


class _Refused(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def pocketbase_routes(realtime: Realtime) -> list[BaseRoute]:
    """Return the routes: /api/collections/…/records, /api/realtime, /api/health."""
    boot = realtime.urandom(4).hex()

    async def records(request: Request) -> Response:
        name = _collection(request)
        try:
            query = read_query(name, request.query_params)
        except BadQuery as exc:
            return refuse(400, f"{_BAD_REQUEST} {exc}")
        headers = await version(request)
        if headers is None:
            return Response(status_code=304, headers=await version(request, is_asked=False))
        found = []
        every = iter(list(realtime.book.records[name].values()))
        while some := list(islice(every, AT_ONCE)):
            found += query.find(some, realtime.record)
            await trio.lowlevel.checkpoint()
        return json_response(200, query.answer(found, realtime.record), headers)

    async def record(request: Request) -> Response:
        name = _collection(request)
        await realtime.look()
        found = realtime.record(name, request.path_params["id"])
        if found is None:
            return refuse(404, "The requested resource wasn't found.")
        return json_response(200, read_shape(request.query_params).show(found, realtime.record))

    async def version(request: Request, *, is_asked: bool = True) -> Mapping[str, str] | None:
        """Return the headers that name the records as they are; None when the caller has them so."""
        await realtime.look()
        name = f"{boot}-{realtime.book.serial}"
        if is_asked and is_known(request.headers.get("if-none-match"), name):
            return None
        return {"ETag": f'W/"{name}"', "Cache-Control": "no-cache"}

    async def closed(request: Request) -> Response:
        _collection(request)
        return refuse(403, _CLOSED)

    async def listen(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(
                headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
            )
        if realtime.is_full():
            return refuse(503, "Too many clients are connected.")
        return RealtimeStream(realtime)

    async def subscribe(request: Request) -> Response:
        client, topics = await _subscription(request)
        if not realtime.subscribe(client, topics):
            return refuse(404, "Missing or invalid client id.")
        return Response(status_code=204)

    async def health(request: Request) -> Response:
        return json_response(200, {"code": 200, "message": "API is healthy.", "data": {}})

    async def missing(request: Request) -> Response:
        return refuse(404, "The requested resource wasn't found.")

    def resource(methods: Mapping[str, Endpoint]) -> Resource:
        return Resource({name: _answered(endpoint) for name, endpoint in methods.items()}, refuse)

    nowhere = resource(dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), missing))
    return [
        Route("/api/collections/{name}/records", resource({"GET": records, "POST": closed})),
        Route(
            "/api/collections/{name}/records/{id}",
            resource({"GET": record, "PATCH": closed, "DELETE": closed}),
        ),
        Route("/api/collections/{rest:path}", nowhere),
        Route("/api/realtime", resource({"GET": listen, "POST": subscribe})),
        Route("/api/health", resource({"GET": health})),
    ]


def _answered(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except _Refused as exc:
            return exc.response

    return answer


def _collection(request: Request) -> str:
    """Return the name of the collection that is asked for, by name or id."""
    asked: str = request.path_params["name"]
    name = _IDS.get(asked, asked)
    if name in CLOSED:
        raise _Refused(refuse(403, _CLOSED))
    if name not in COLLECTIONS:
        raise _Refused(refuse(404, "Missing collection context."))
    return name


async def _subscription(request: Request) -> tuple[str, list[str]]:
    """Read who subscribes to what."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(refuse(415, "Unsupported media type: send application/json."))
    body = await request.body()  # bounded by the front
    if len(body) > BODY_BYTES_MAX:
        raise _Refused(refuse(413, f"Request entity too large: at most {BODY_BYTES_MAX} bytes."))
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise _Refused(refuse(400, _BAD_BODY)) from exc
    if not isinstance(value, dict):
        raise _Refused(refuse(400, _BAD_BODY))
    client, topics = value.get("clientId"), value.get("subscriptions", [])
    wrong: dict[str, Any] = {}
    if not isinstance(client, str) or not 1 <= len(client) <= CLIENT_CHARACTERS_MAX:
        wrong["clientId"] = {"code": "validation_required", "message": "Cannot be blank."}
    if not isinstance(topics, list) or len(topics) > TOPICS_MAX or not all(map(_is_topic, topics)):
        words = f"At most {TOPICS_MAX} texts of at most {CHARACTERS_MAX} characters."
        wrong["subscriptions"] = {"code": "validation_invalid", "message": words}
    if wrong:
        raise _Refused(refuse(400, _BAD_DATA, wrong))
    return str(client), list(topics)


def _is_topic(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= CHARACTERS_MAX
