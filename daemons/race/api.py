"""The hub's HTTP for callers: which sites there are, and each site's origin through the link and the cache."""

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.link.outbox import OutboxFull
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.identity import Forbidden, Identity, Refusal, Role
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.trace import bound
from daemons.pair.desk import CommandDesk, TooManyCommands
from daemons.pair.issuing import issue_audited
from daemons.race.fetched import Fetched
from daemons.race.hub import HubSite
from daemons.race.record import EventRecord
from daemons.store.errors import StorageError
from daemons.web.assets import is_known
from daemons.web.refusals import json_response as _json
from daemons.web.refusals import refusal_response, storage_response
from protocol.errors import HTTP_STATUS, ErrorCode, RemoteProtocolError, RequestError
from protocol.messages import action_from_map

ID_DIGITS_MAX = 18
"""Of the id of an event: what SQLite's integers hold."""

Endpoint = Callable[[Request], Awaitable[Response]]

COMMAND_BYTES_MAX = 16 * 1024
"""A command is a word and a path; what is larger would only be parsed for long."""

RETRY_AFTER_S = {ErrorCode.BUSY: 1, ErrorCode.PAUSED: 10, ErrorCode.DISCONNECTED: 5}


class Member(Protocol):
    """What the API needs of one site."""

    @property
    def site(self) -> HubSite: ...

    @property
    def desk(self) -> CommandDesk: ...

    @property
    def record(self) -> EventRecord: ...


def api_routes(
    members: Mapping[str, Member],
    *,
    authoriser: Authoriser,
    trail: AuditTrail,
    utc_now: Callable[[], float],
    fetch_s: Callable[[], float],
) -> list[BaseRoute]:
    """Return the routes under /api/sites. Commands, also those refused, leave rows of the audit before they go out."""

    async def commander(request: Request, site: str) -> Identity:
        authorization = request.headers.get("authorization")
        try:
            return authoriser.require(authorization, Role.OPERATOR, site)
        except Forbidden as exc:
            if request.method == "POST":
                who = authoriser.identify(authorization).who
                await trail.note_refused(who, "command", site[:64], exc.words)
            raise

    async def list_sites(request: Request) -> Response:
        return _json(200, [describe_site(member.site, utc_now()) for member in members.values()])

    async def origin(request: Request) -> Response:
        name = request.path_params["site"]
        identity = authoriser.require(request.headers.get("authorization"), Role.VIEWER, name)
        if name not in members:
            return _no_site(name)
        site = members[name].site
        try:
            path, timeout_s = _raw_path(request), fetch_s()
            with trio.move_on_after(timeout_s), bound(identity=identity.who):
                fetched = await site.remote.fetch(path, method=request.method)
                return _answer(request, fetched, utc_now())
            raise RequestError(ErrorCode.TIMEOUT, f"no answer in {timeout_s:g} s")
        except RequestError as exc:
            return _error(exc, site, utc_now())

    async def events(request: Request) -> Response:
        name = request.path_params["site"]
        authoriser.require(request.headers.get("authorization"), Role.VIEWER, name)
        if name not in members:
            return _no_site(name)
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= ID_DIGITS_MAX):
            return _json(400, {"code": ErrorCode.BAD_REQUEST, "words": "after is the id of an event"})
        return _json(200, await members[name].record.listed(int(after)))

    async def commands(request: Request) -> Response:
        name = request.path_params["site"]
        identity = await commander(request, name)
        if name not in members:
            return _no_site(name)
        desk = members[name].desk
        if request.method == "GET":
            return _json(200, await desk.listed())
        try:
            action = action_from_map(json.loads(await _command_body(request)))
            return _json(202, {"id": await issue_audited(trail, desk, action, identity)})
        except RequestError as exc:
            return _refused_command(exc)
        except (ValueError, RecursionError, RemoteProtocolError) as exc:
            return _json(400, {"code": ErrorCode.BAD_REQUEST, "words": f"no command: {exc}"})
        except OutboxFull as exc:
            return _json(503, {"code": ErrorCode.BUSY, "words": str(exc)}, {"Retry-After": "5"})

    return [
        Route("/api/sites", list_sites, methods=["GET"]),
        Route("/api/sites/{site}/origin/{path:path}", _guarded(origin), methods=["GET", "HEAD"]),
        Route("/api/sites/{site}/events", _guarded(events), methods=["GET"]),
        Route("/api/sites/{site}/commands", _guarded(commands), methods=["GET", "POST"]),
    ]


async def _command_body(request: Request) -> bytes:
    body = await request.body()  # bounded by the front; parsing is what would take long
    if len(body) > COMMAND_BYTES_MAX:
        raise RequestError(ErrorCode.TOO_LARGE, f"a command has at most {COMMAND_BYTES_MAX} bytes")
    return body


def _refused_command(exc: RequestError) -> Response:
    if isinstance(exc, TooManyCommands):
        retry = {"Retry-After": str(math.ceil(exc.retry_after_s))}
        return _json(429, {"code": exc.code, "words": exc.words}, retry)
    status = 413 if exc.code is ErrorCode.TOO_LARGE else HTTP_STATUS[exc.code]
    return _json(status, {"code": exc.code, "words": exc.words})


def _raw_path(request: Request) -> str:
    """Return the origin's path as the caller wrote it, still percent-encoded: only the site's gate decodes it."""
    raw: bytes = request.scope["raw_path"]
    parts = raw.split(b"/", 5)  # "", api, sites, {site}, origin, what follows
    if len(parts) < 6:
        raise RequestError(ErrorCode.BAD_REQUEST, "the site's name holds an escaped slash")
    path = b"/" + parts[5]
    if request.url.query:
        raise RequestError(ErrorCode.BAD_REQUEST, "the origin takes no query string")
    return path.decode("ascii", errors="replace")


def _guarded(work: Endpoint) -> Endpoint:
    """Answer for callers who are not let in."""

    async def endpoint(request: Request) -> Response:
        try:
            return await work(request)
        except Refusal as exc:
            return refusal_response(exc)
        except StorageError as exc:
            return storage_response(exc)

    return endpoint


def _no_site(name: str) -> Response:
    return _json(404, {"code": "NO_SITE", "words": f"there is no site {name!r} here"})


def iso(utc: float | None) -> str | None:
    """Return an instant as ISO 8601 in UTC, or None."""
    return None if utc is None else datetime.fromtimestamp(utc, UTC).isoformat(timespec="milliseconds")


def describe_site(site: HubSite, now: float) -> dict[str, object]:
    """Return what anybody may know of a site: is it there, how old is what is shown."""
    as_of = site.keeper.as_of
    return {
        "site": site.peer.site,
        "connected": site.peer.connection is not None,
        "last_seen": iso(now if site.peer.connection is not None else site.peer.last_seen_at),
        "as_of": iso(as_of),
        "age_s": None if as_of is None else round(max(0.0, now - as_of), 3),
        "event": site.keeper.board.get("event"),
    }


def _answer(request: Request, fetched: Fetched, now: float) -> Response:
    version = fetched.digest.hex()
    headers = {
        "ETag": f'"{version}"',
        "Age": str(int(max(0.0, now - fetched.fetched_at))),
        "Cache-Control": "no-cache",
        "Pitlink-As-Of": iso(fetched.fetched_at) or "",
    }
    if fetched.stale:
        headers["Pitlink-Stale"] = "true"
    if fetched.absent:
        headers["Pitlink-Origin"] = "absent"
    if fetched.content_type:
        headers["Content-Type"] = fetched.content_type
    if is_known(request.headers.get("if-none-match"), version):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(status_code=200, headers={**headers, "Content-Length": str(len(fetched.body))})
    return Response(fetched.body, 200, headers)


def _error(exc: RequestError, site: HubSite, now: float) -> Response:
    headers = {}
    if exc.code in RETRY_AFTER_S:
        headers["Retry-After"] = str(RETRY_AFTER_S[exc.code])
    last_success = iso(site.remote.last_success_at)
    value = {"code": str(exc.code), "words": exc.words, "last_success": last_success}
    return _json(HTTP_STATUS[exc.code], value, headers)
