"""What one local client and the relay say to each other, without the socket under it: JSON texts in, JSON texts out.

The messages are those of docs/relay-local.md. Nothing of the car is told before a client has proven itself.
"""

import json
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from attrs import define, field, frozen

from daemons.ops.authority.identity import Identity, Unauthorised
from daemons.telemetry.snapshot import instant

__all__ = ["VERSION", "CloseAs", "Closed", "LocalSession", "message"]

VERSION = "1.0"
TEXT_MAX = 256
"""What a client may say of itself: kept for the log, no longer than this."""


class CloseAs(IntEnum):
    """Close codes of the local socket: those below 4000 as RFC 6455 has them."""

    NORMAL = 1000
    GOING_AWAY = 1001
    UNSUPPORTED = 1003
    POLICY = 1008
    UNAUTHORISED = 4004
    TOO_SLOW = 4008


class Closed(Exception):
    """The client is to be sent away: `code`, and words for whoever reads its log."""

    def __init__(self, code: CloseAs, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def message(kind: str, data: Mapping[str, Any]) -> str:
    """Return one message as the socket carries it. Raises ValueError for what JSON does not know, such as NaN."""
    return json.dumps({"type": kind, "data": data}, separators=(",", ":"), allow_nan=False)


@frozen
class Client:
    """A client that is in, and what it says it is."""

    identity: Identity
    kind: str
    version: str


@define(eq=False)
class LocalSession:
    """One client. `identify`: who a token proves; raises Unauthorised. `server`: names this start of the relay."""

    server: str
    identify: Callable[[str], Identity]
    client: Client | None = field(default=None, init=False)

    def welcome(self, utc_s: float) -> str:
        """Return what is said first."""
        data = {"serverId": self.server, "timestamp": instant(round(utc_s * 1e6)), "version": VERSION}
        return message("connection_established", data)

    def take(self, text: str) -> str | None:
        """Take what the client says; return what to answer, if anything.

        A client that is in may say what it likes: what is not known is left alone, as the messages of later versions
        will be. Raises Closed, for one that is not in and does not prove itself; then `refusal` is to be sent before.
        """
        if self.client is not None:
            return None
        data = _authenticate(text)
        token = data.get("token")
        try:
            if not isinstance(token, str) or not token:
                raise Unauthorised('"authenticate" has no token', "missing")
            identity = self.identify(token)
        except Unauthorised as refusal:
            raise Closed(CloseAs.UNAUTHORISED, refusal.words) from None
        self.client = Client(identity, _said(data, "clientType"), _said(data, "version"))
        return _result(is_in=True, name=identity.name, role=identity.role.value)

    @staticmethod
    def refusal() -> str:
        """Return what a client is told that has not proven itself."""
        return _result(is_in=False, name="", role="")


def _result(*, is_in: bool, name: str, role: str) -> str:
    return message("authentication_result", {"success": is_in, "userId": name, "role": role})


def _authenticate(text: str) -> Mapping[str, Any]:
    """Return the data of an "authenticate". Raises Closed for anything else."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise Closed(CloseAs.UNSUPPORTED, "not JSON") from None
    match said:
        case {"type": "authenticate", "data": dict(data)}:
            return data
        case {"type": str(kind)}:
            words = f'"{kind[:TEXT_MAX]}" came before "authenticate"'
        case _:
            words = 'a message is {"type": "authenticate", "data": {"token": "..."}}'
    raise Closed(CloseAs.POLICY, words)


def _said(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value[:TEXT_MAX] if isinstance(value, str) else ""
