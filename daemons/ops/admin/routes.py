"""The routes of the admin API, the same on a daemon's Unix socket and, for the operator role, on a hub's port.

GET /admin/status, /admin/metrics, /admin/log, /admin/follow/{what}, /admin/actions, /admin/audit, /admin/audit/verify;
POST /admin/actions/{name} with the parameters as a JSON object.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
import trio
from attrs import asdict, evolve, field, frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from daemons.ops.admin.actions import ActionRefused
from daemons.ops.admin.desk import AdminDesk, describe_action
from daemons.ops.admin.follow import Follow, FollowStream
from daemons.ops.admin.logstream import LogStream
from daemons.ops.admin.watchers import Watchers, Watching
from daemons.ops.authority.audit import Head
from daemons.ops.authority.identity import Identity, Refusal, Role
from daemons.ops.health import Health
from daemons.ops.logring import LogRing
from daemons.ops.metrics import CONTENT_TYPE, Readings, metrics_text
from daemons.ops.speaking import ONLY_LOOKS
from daemons.store.errors import StorageError

__all__ = ["AdminSources", "Held", "admin_routes"]

_log = structlog.stdlib.get_logger("pitlink.ops")

ACTION_S = 60.0
"""The longest an action may take; what it has begun by then is cancelled."""

RETRY_AFTER_S = 5.0
ROWS_MAX = 1000
LINES_MAX = 4000

Held = Callable[[Request], AbstractAsyncContextManager[Identity]]
"""Says who asks, and cancels the block when that is over (revoked). Raises Refusal."""


@frozen
class AdminSources:
    """What a daemon tells of itself. `status()`: everything, as JSON can say it. `ring`: what its log last said;
    `follows`: what else can be followed, by name."""

    status: Callable[[], dict[str, object]]
    readings: Readings
    health: Health
    ring: LogRing
    watchers: Watchers
    follows: Mapping[str, Follow] = field(factory=dict)


def admin_routes(desk: AdminDesk, sources: AdminSources, held: Held) -> list[BaseRoute]:
    """Return the routes under /admin/. Everything takes the operator role; an action what it says itself."""

    async def status(request: Request, identity: Identity) -> Response:
        identity.require(Role.OPERATOR)
        warnings = [{**asdict(w), "severity": str(w.severity)} for w in sources.health.warnings]
        head = desk.trail.head()
        told = {
            "warnings": warnings,
            "audit": {"count": head.count, "head": str(head)},
            "operators": sources.watchers.listed(),
            **sources.status(),
        }
        return _json(200, told)

    async def metrics(request: Request, identity: Identity) -> Response:
        identity.require(Role.OPERATOR)
        return Response(metrics_text(sources.readings()), media_type=CONTENT_TYPE)

    async def log(request: Request, identity: Identity) -> Response:
        identity.require(Role.OPERATOR)
        query = request.query_params
        level = query.get("level", "debug").lower()
        if level not in ("debug", "info", "warning", "error"):
            raise ActionRefused("level is debug, info, warning or error", 400)
        trace = query.get("trace", "")
        if trace and not re.fullmatch("[0-9a-f]{32}", trace):
            raise ActionRefused("a trace is 32 digits of 0-9 and a-f", 400)
        after = _number(request, "after", None)
        count = min(_number(request, "count", 100) or 0, LINES_MAX)
        follow = query.get("follow") == "1"
        lines = LogStream(sources.ring, level=level, count=count, after=after, follow=follow, holding=trace)
        return Watching(lines, sources.watchers, identity.who) if follow else lines

    async def follow(request: Request, identity: Identity) -> Response:
        identity.require(Role.OPERATOR)
        what = request.path_params["what"]
        if what not in sources.follows:
            raise ActionRefused(f"{what[:64]!r} cannot be followed here", 404)
        return FollowStream(sources.follows[what](request.query_params))

    async def actions(request: Request, identity: Identity) -> Response:
        may = [
            a
            for a in desk.registry
            if identity.role.covers(a.role) and not (a.changes and identity.only_looks)
        ]
        return _json(200, [describe_action(a) for a in may])

    async def act(request: Request, identity: Identity) -> Response:
        given = await _params(request)
        with trio.move_on_after(ACTION_S):
            return _json(200, {"result": await desk.perform(request.path_params["name"], given, identity)})
        raise ActionRefused(f"it took longer than {ACTION_S:g} s and was given up", 504)

    async def audit_rows(request: Request, identity: Identity) -> Response:
        identity.require(Role.OPERATOR)
        after = _number(request, "after", 0) or 0
        last = min(_number(request, "last", 50) or 0, ROWS_MAX)
        return _json(200, {"rows": [row.as_data() for row in desk.trail.rows(after=after, last=last)]})

    async def verify(request: Request, identity: Identity) -> Response:
        identity.require(Role.OPERATOR)
        text = request.query_params.get("head")
        try:
            known = None if text is None else Head.parse(text)
        except ValueError as exc:
            raise ActionRefused(str(exc), 400) from exc
        faults, head = await desk.trail.verify(known)
        return _json(200, {"faults": [asdict(fault) for fault in faults], "head": str(head)})

    def route(path: str, answer: Any, method: str = "GET") -> Route:
        return Route(path, _Guarded(answer, held, method), methods=[method])

    return [
        route("/admin/status", status),
        route("/admin/metrics", metrics),
        route("/admin/log", log),
        route("/admin/follow/{what}", follow),
        route("/admin/actions", actions),
        route("/admin/actions/{name}", act, "POST"),
        route("/admin/audit", audit_rows),
        route("/admin/audit/verify", verify),
    ]


class _Guarded:
    """An ASGI application around one handler: who asks is held for as long as the answer takes, streams too."""

    def __init__(self, answer: Any, held: Held, method: str) -> None:
        self._answer = answer
        self._held = held
        self._method = method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method != self._method:
            await _refusal(405, "method", f"{self._method} only")(scope, receive, send)
            return
        is_begun = is_over = False

        async def tell(message: Message) -> None:
            nonlocal is_begun, is_over
            is_begun = True
            await send(message)
            is_over = message["type"] == "http.response.body" and not message.get("more_body", False)

        response = _refusal(401, "revoked", "what let you in does so no more")
        try:
            async with self._held(request) as identity:
                if request.headers.get(ONLY_LOOKS):
                    identity = evolve(identity, only_looks=True)
                await (await self._respond(request, identity))(scope, receive, tell)
        except Refusal as exc:
            response = _refusal(exc.status, exc.code, exc.words)
        except StorageError as exc:
            response = _busy(503, str(exc))
        if not is_begun:
            await response(scope, receive, send)
        elif not is_over:  # revoked in the middle of a stream
            try:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except OSError:
                pass

    async def _respond(self, request: Request, identity: Identity) -> Response:
        try:
            found: Response = await self._answer(request, identity)
        except Refusal as exc:
            _log.info("admin.refused", who=identity.who, path=request.url.path, code=exc.code)
            return _refusal(exc.status, exc.code, exc.words)
        except ActionRefused as exc:
            if exc.status in (429, 503):
                return _busy(exc.status, exc.words, exc.retry_after_s)
            return _refusal(exc.status, "refused", exc.words)
        except StorageError as exc:
            return _busy(503, str(exc))
        return found


async def _params(request: Request) -> dict[str, Any]:
    body = await request.body()
    if not body:
        return {}
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ActionRefused("parameters are a JSON object", 400)
    return given


def _number(request: Request, name: str, default: int | None) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ActionRefused(f"{name} is a whole number", 400)
    return int(text)


def _json(status: int, value: object) -> Response:
    body = json.dumps(value, ensure_ascii=False, default=str).encode()
    return Response(body, status, {"Cache-Control": "no-store"}, media_type="application/json")


def _busy(status: int, words: str, after_s: float | None = None) -> Response:
    response = _refusal(status, "BUSY", words)
    response.headers["Retry-After"] = str(max(1, math.ceil(RETRY_AFTER_S if after_s is None else after_s)))
    return response


def _refusal(status: int, code: str, words: str) -> Response:
    response = _json(status, {"code": code, "words": words})
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
