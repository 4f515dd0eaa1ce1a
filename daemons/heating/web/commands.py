"""Commands over HTTP: given, listed, withdrawn; dead letters tried again or dropped. In words, audited, not too many."""

import json
import math
from collections.abc import Callable
from typing import Any

import trio
from attrs import define, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.heating.look import HouseLook, lifetime_of
from daemons.web.access import Access, BadRequest, NotThere, guarded
from daemons.web.refusals import json_response
from protocol import cbor
from protocol.errors import ErrorCode, LocalProtocolError, RequestError
from protocol.heating import HeatAction
from protocol.messages import action_from_map, action_to_map
from protocol.tokenbucket import Buckets

__all__ = ["COMMANDS_BURST", "COMMANDS_PER_S", "Commands"]

BODY_BYTES_MAX = 64 * 1024
"""Weeks of every zone of a house fit."""

LIFETIME_S_MAX = 30 * 86400.0
VERSION_MAX = 2**53
NAME_MAX = 64

COMMANDS_PER_S, COMMANDS_BURST = 1.0, 60
"""Of one person or key: a week copied to every zone of a large house is one command a zone."""

_UNDECIDED = frozenset({"QUEUED", "SENT", "UNKNOWN"})
_KEYS = frozenset({"house", "action", "lifetime_s", "against"})


class _TooMany(RequestError):
    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            ErrorCode.BUSY, f"you give too many commands; the next in {math.ceil(retry_after_s)} s"
        )
        self.retry_after_s = retry_after_s


@define(eq=False)
class Commands:
    """The routes of commands. `find(house)` returns the look, or raises NotThere."""

    access: Access
    find: Callable[[str], HouseLook]
    _paces: Buckets = field(factory=Buckets, init=False)

    def routes(self) -> list[BaseRoute]:
        one = "/api/houses/{house}"
        return [
            Route("/api/commands", guarded(self._give), methods=["POST"]),
            Route(f"{one}/commands", guarded(self._listed), methods=["GET"]),
            Route(f"{one}/commands/{{id}}", guarded(self._one), methods=["GET"]),
            Route(f"{one}/commands/{{id}}/withdraw", guarded(self._withdraw), methods=["POST"]),
            Route(f"{one}/dead", guarded(self._dead), methods=["GET"]),
            Route(f"{one}/dead/{{id}}/requeue", guarded(self._requeue), methods=["POST"]),
            Route(f"{one}/dead/{{id}}/drop", guarded(self._drop), methods=["POST"]),
        ]

    async def _give(self, request: Request) -> Response:
        identity = self.access.authoriser.identify(request.headers.get("authorization"))
        given = _read(await _body(request))
        house = given["house"]
        identity = await self.access.operator(request, house, "command")
        look = self.find(house)
        action = given["action"]
        wait_s = self._paces.take(identity.who, trio.current_time(), COMMANDS_PER_S, COMMANDS_BURST)
        if wait_s:
            refused = _TooMany(wait_s)
            await self.access.trail.note_refused(identity.who, "command", look.name, refused.words)
            raise refused
        lifetime_s = given.get("lifetime_s", lifetime_of(action, look.switch_s))
        command = await look.command(action, identity, lifetime_s=lifetime_s, against=given.get("against", 0))
        where = f"/api/houses/{look.name}/commands/{command['id']}"
        status = 202 if command["status"] in _UNDECIDED else 200
        return json_response(status, {**command, "href": where}, {"Location": where})

    async def _listed(self, request: Request) -> Response:
        look = self._readable(request)
        return json_response(200, {"commands": await look.commands()})

    async def _one(self, request: Request) -> Response:
        look, id_ = self._readable(request), request.path_params["id"]
        for command in await look.commands():
            if command["id"] == id_:
                return json_response(200, command)
        raise _no_command()

    async def _dead(self, request: Request) -> Response:
        return json_response(200, {"dead": await self._readable(request).dead_letters()})

    def _readable(self, request: Request) -> HouseLook:
        house = request.path_params["house"]
        self.access.reader(request, house)
        return self.find(house)

    async def _withdraw(self, request: Request) -> Response:
        house, id_ = request.path_params["house"], request.path_params["id"]
        identity = await self.access.operator(request, house, "command.withdraw")
        try:
            return json_response(200, await self.find(house).withdraw(id_, identity))
        except KeyError:
            raise _no_command() from None

    async def _requeue(self, request: Request) -> Response:
        house, id_ = request.path_params["house"], request.path_params["id"]
        identity = await self.access.operator(request, house, "dead.requeue")
        try:
            return json_response(200, await self.find(house).requeue(id_, identity))
        except KeyError:
            raise _no_letter() from None

    async def _drop(self, request: Request) -> Response:
        house, id_ = request.path_params["house"], request.path_params["id"]
        identity = await self.access.operator(request, house, "dead.drop")
        try:
            return json_response(200, await self.find(house).drop(id_, identity))
        except KeyError:
            raise _no_letter() from None


def _no_command() -> NotThere:
    return NotThere("NO_COMMAND", "there is no such command at this house")


def _no_letter() -> NotThere:
    return NotThere("NO_LETTER", "there is no such dead letter at this house")


async def _body(request: Request) -> bytes:
    body = await request.body()  # bounded by the front; parsing is what would take long
    if len(body) > BODY_BYTES_MAX:
        raise RequestError(ErrorCode.TOO_LARGE, f"a command has at most {BODY_BYTES_MAX} bytes")
    return body


def _read(body: bytes) -> dict[str, Any]:
    """Return what a body asks for. Raises BadRequest."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON") from None
    if not isinstance(given, dict) or not _is_name(given.get("house")):
        raise BadRequest('the body is an object with "house", a name, and "action"')
    if unknown := sorted(given.keys() - _KEYS):
        raise BadRequest(f"{unknown[0][:40]!r} is none of {', '.join(sorted(_KEYS))}")
    try:
        action = action_from_map(given.get("action"))
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"no command: {exc}") from None
    try:
        cbor.encode(action_to_map(action))
    except (LocalProtocolError, ValueError, OverflowError):
        raise BadRequest("no command: it holds a number or a text that cannot be sent") from None
    if not isinstance(action, HeatAction):
        raise BadRequest("no command: this is nothing that a house can do")
    read: dict[str, Any] = {"house": given["house"], "action": action}
    if given.get("lifetime_s") is not None:
        read["lifetime_s"] = _number(given["lifetime_s"], "lifetime_s", 1.0, LIFETIME_S_MAX)
    if given.get("against") is not None:
        against = given["against"]
        read["against"] = int(
            _number(against, "against", 0, VERSION_MAX, "a version of the settings, 0 for any")
        )
    return read


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and 1 <= len(value) <= NAME_MAX


def _number(value: object, name: str, lowest: float, highest: float, what: str = "seconds") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise BadRequest(f"{name} is a number ({what}), {lowest:g} to {highest:g}")
    return float(value)
