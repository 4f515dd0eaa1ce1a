"""What the dialer's link is at the moment, what may follow, and how each state is retried.

┌────────────► CONNECTING ──► READY
│                  │            │
│                  ▼            ▼
└── LOST · REFUSED · SUPERSEDED · INCOMPATIBLE
"""

from enum import StrEnum

from attrs import define, frozen

from protocol.errors import CloseCode, LocalProtocolError

__all__ = ["RETRY", "TRANSITIONS", "LinkStatus", "RetryPolicy", "Status", "status_of_close"]


class Status(StrEnum):
    """Named by what has to happen next."""

    CONNECTING = "connecting"
    READY = "ready"
    LOST = "lost"
    """The connection broke or could not be made: retried fast."""
    REFUSED = "refused"
    """The hub does not want us (another of our name is connected, the token is not valid): tell the
    operator."""
    SUPERSEDED = "superseded"
    """Another of our name took over: coming back at once would be a kicking contest."""
    INCOMPATIBLE = "incompatible"
    """No common protocol version: one side has to be updated."""


_ENDED = frozenset({Status.LOST, Status.REFUSED, Status.SUPERSEDED, Status.INCOMPATIBLE})

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.CONNECTING: _ENDED | {Status.READY},
    Status.READY: _ENDED,
    Status.LOST: frozenset({Status.CONNECTING}),
    Status.REFUSED: frozenset({Status.CONNECTING}),
    Status.SUPERSEDED: frozenset({Status.CONNECTING}),
    Status.INCOMPATIBLE: frozenset({Status.CONNECTING}),
}


@frozen
class RetryPolicy:
    """Wait between `least_s` and `least_s + spread_s`, evenly spread; `is_backoff`: see
    `protocol.backoff`."""

    least_s: float = 0.0
    spread_s: float = 0.0
    is_backoff: bool = False


RETRY: dict[Status, RetryPolicy] = {
    Status.LOST: RetryPolicy(is_backoff=True),
    Status.REFUSED: RetryPolicy(30.0, 30.0),
    Status.SUPERSEDED: RetryPolicy(60.0, 10.0),
    Status.INCOMPATIBLE: RetryPolicy(60.0, 60.0),
}

_BY_CODE: dict[int, Status] = {
    CloseCode.SUPERSEDED: Status.SUPERSEDED,
    CloseCode.DUPLICATE_SITE: Status.REFUSED,
    CloseCode.UNAUTHORISED: Status.REFUSED,
    CloseCode.INCOMPATIBLE: Status.INCOMPATIBLE,
}


def status_of_close(code: int) -> Status:
    """Return what a connection that ended with this close code (the peer's or ours) leaves behind."""
    return _BY_CODE.get(code, Status.LOST)


@define
class LinkStatus:
    """The present status, with the words to show and since when (monotonic seconds)."""

    since: float
    status: Status = Status.CONNECTING
    words: str = ""

    def move(self, status: Status, now: float, words: str = "") -> None:
        """Change the status. Raises LocalProtocolError when the table does not allow it."""
        if status not in TRANSITIONS[self.status]:
            raise LocalProtocolError(f"link status {self.status} → {status}")
        self.status, self.since, self.words = status, now, words
