"""What can go wrong between two peers, named by what the other side is told.

A machine raises `LocalProtocolError` when its own caller broke a rule (a bug here) and `RemoteProtocolError` when
the peer did; the latter carries the close code to answer with. The idea of the pair is h11's.
"""

from enum import IntEnum, StrEnum


class CloseCode(IntEnum):
    """WebSocket close codes of the link."""

    NORMAL = 1000
    INTERNAL = 1011
    PROTOCOL_ERROR = 4000
    SUPERSEDED = 4001
    DUPLICATE_SITE = 4002
    INCOMPATIBLE = 4003
    UNAUTHORISED = 4004
    TOO_LARGE = 4005
    PEER_SILENT = 4006
    GOING_AWAY = 4007


class ErrorCode(StrEnum):
    """Why a request was not answered with a result; the same code from end to end."""

    DENIED = "DENIED"
    BAD_REQUEST = "BAD_REQUEST"
    BUSY = "BUSY"
    TOO_LARGE = "TOO_LARGE"
    TIMEOUT = "TIMEOUT"
    ORIGIN_DOWN = "ORIGIN_DOWN"
    ORIGIN_INVALID = "ORIGIN_INVALID"
    PAUSED = "PAUSED"
    DISCONNECTED = "DISCONNECTED"
    INCOMPATIBLE = "INCOMPATIBLE"
    INTERNAL = "INTERNAL"


HTTP_STATUS: dict[ErrorCode, int] = {
    ErrorCode.DENIED: 403,
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.BUSY: 503,
    ErrorCode.TOO_LARGE: 502,
    ErrorCode.TIMEOUT: 504,
    ErrorCode.ORIGIN_DOWN: 502,
    ErrorCode.ORIGIN_INVALID: 502,
    ErrorCode.PAUSED: 503,
    ErrorCode.DISCONNECTED: 503,
    ErrorCode.INCOMPATIBLE: 502,
    ErrorCode.INTERNAL: 500,
}


class ProtocolError(Exception):
    """Either side broke a rule of the protocol."""


class LocalProtocolError(ProtocolError):
    """Our own code broke a rule: a bug here, closed as internal."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule. The connection is to be closed with `code` and these words."""

    def __init__(self, words: str, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> None:
        super().__init__(words)
        self.code = code


class RequestError(Exception):
    """A request that ended with an error code instead of a result; crosses the link unchanged."""

    def __init__(self, code: ErrorCode, words: str = "") -> None:
        super().__init__(f"{code}: {words}" if words else str(code))
        self.code = code
        self.words = words
