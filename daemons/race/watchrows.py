"""The rows of the topic that tells the hub how what it watches stands."""

from attrs import frozen

from daemons.race.exchange import shorten
from daemons.race.fetched import Fetched
from protocol import cbor
from protocol.errors import ErrorCode, RemoteProtocolError, RequestError

__all__ = ["ABSENT", "FAILING", "STALE", "WATCH_TOPIC", "Row", "row_of"]

WATCH_TOPIC = "watch"

ABSENT, STALE, FAILING = 1, 2, 4
"""Flags of a row: the origin has no such file; the last good copy is served; the last read failed."""


@frozen
class Row:
    """A row of the watch topic: [short validator, flags], or [b"", FAILING, error code].

    `until_us`: behind the code, when that ends by itself (a pause), in µs of the site's UTC; 0: left out, not known.
    """

    validator: bytes = b""
    flags: int = 0
    code: str = ""
    until_us: int = 0

    def encode(self) -> bytes:
        why = [str(self.code)] if self.code else []
        return cbor.encode(
            [self.validator, self.flags, *why, *([self.until_us] if why and self.until_us else [])]
        )

    @classmethod
    def decode(cls, data: bytes) -> "Row":
        """Read a row. Raises RemoteProtocolError."""
        match cbor.decode(data):
            case [bytes(validator), int(flags)]:
                return cls(validator, flags)
            case [bytes(validator), int(flags), str(code), int(until_us), *_]:
                return cls(validator, flags, code, max(0, until_us))
            case [bytes(validator), int(flags), str(code), *_]:
                return cls(validator, flags, code)
        raise RemoteProtocolError("a row of the watch topic is [validator, flags] or [b'', flags, code]")

    @property
    def failure(self) -> RequestError | None:
        """What the site's last read ended with, when it failed."""
        if not self.flags & FAILING:
            return None
        code = ErrorCode(self.code) if self.code in ErrorCode.__members__ else ErrorCode.INTERNAL
        return RequestError(code, "the site cannot read it")


def row_of(fetched: Fetched) -> Row:
    """Return the row that tells of a good read."""
    flags = (ABSENT if fetched.absent else 0) | (STALE if fetched.stale else 0)
    return Row(shorten(fetched.validator), flags)
