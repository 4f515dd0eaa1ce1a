"""The vocabulary of reliable channels: ranges, bounds, and one epoch of a sender.

A message belongs to a channel and, in it, to an *epoch*, which the sender mints at every process start; it is
numbered from 1 inside the epoch. That is what makes a restored backup, a cloned card or a rolled-back machine
visible: its new messages never go under numbers that the peer already knows.
"""

from bisect import bisect_right
from collections import deque
from enum import StrEnum

from attrs import define, field, frozen

ALREADY_DONE = "already-done"
"""The peer acknowledged these once and has forgotten it (it was restored); they must not run again."""
GONE = "gone"
"""The peer acknowledged these once and was restored, and they are no longer kept."""
OVERFLOW = "overflow"
"""The outbox was full and the channel's policy is to drop the oldest."""
EXPIRED = "expired"
"""Older than the channel keeps what it could not deliver."""

Row = tuple[int, int, bytes]
"""A message to send: its number, the length of its body, its encoded frame."""

Range = tuple[int, int, str]
"""Numbers first…last that will never come, and why."""


class Full(StrEnum):
    """What a full outbox does."""

    REFUSE = "refuse"
    DROP_OLDEST = "drop-oldest"


@frozen
class Bounds:
    """What an outbox holds unacknowledged at most: messages, bytes of bodies, seconds.

    `full` says what it does then. Age always drops; None keeps for ever.
    """

    messages: int = 10_000
    body_bytes: int = 64 * 1024 * 1024
    age_s: float | None = None
    full: Full = Full.REFUSE


@frozen
class Load:
    """Read rows first ≤ seq < end of the epoch `key`, in order, up to `messages` or `body_bytes` of them."""

    key: int
    epoch: int
    first: int
    end: int
    messages: int
    body_bytes: int


@frozen
class RolledBack:
    """The peer has committed up to `theirs` in an epoch of ours of which we know only what is below `next`.

    `next` is 0 for an epoch that we do not know at all. `key` is the epoch's key in the database, None when
    unknown.
    """

    epoch: int
    next: int
    theirs: int
    key: int | None


@frozen
class Resumed:
    """What a new connection begins with. Counts of sequence numbers.

    `pending` will be sent; `replayed` of them had been acknowledged once, so the peer was restored. `skipped`
    are the ranges that will be skipped although the peer lacks them. `rolled_back`: this side has lost
    history.
    """

    pending: int
    replayed: int
    skipped: list[tuple[int, Range]]
    rolled_back: list[RolledBack]


@define(eq=False)
class OutEpoch:
    """One epoch: rows are held for first ≤ seq < next; the peer has acknowledged up to `acked`.

    `key` names it in the database. `beyond` is the highest position of the peer past `next` already reported.
    `skips` are durable ranges dropped, in order.
    """

    key: int
    epoch: int
    first: int = 1
    next: int = 1
    acked: int = 0
    beyond: int = 0
    skips: list[Range] = field(factory=list)
    trimmed: int = field(default=0, init=False)  # acked as the database knows it
    # Of the present connection: where sending starts, highest number sent, ranges to skip, what is on its
    # way.
    start: int = field(default=1, init=False)
    sent: int = field(default=0, init=False)
    plan: list[Range] = field(factory=list, init=False)
    flight: deque[tuple[int, int]] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self.trimmed = self.acked
        self.start = self.acked + 1
        self.plan = list(self.skips)

    def drop(self, first: int, last: int, reason: str) -> None:
        """Put a skip in the place of first…last, in the database's ranges and in those of this connection."""
        for ranges in (self.skips, self.plan):
            _insert(ranges, (first, last, reason))

    def begin(self, committed: int, floor: int, reason: str) -> None:
        """Begin a connection to a peer that has `committed`;

        numbers below `floor` cannot be sent any more.
        """
        self.start = committed + 1
        self.sent = committed
        self.flight.clear()
        self.plan = [(self.start, floor - 1, reason)] if self.start < floor else []
        self.plan += [(max(first, floor), last, why) for first, last, why in self.skips if last >= floor]

    def skip_at(self, seq: int) -> Range | None:
        """Return the planned skip that covers `seq`, or else the next one behind it."""
        at = bisect_right(self.plan, seq, key=lambda skip: skip[0])
        if at and self.plan[at - 1][1] >= seq:
            return self.plan[at - 1]
        return self.plan[at] if at < len(self.plan) else None


def _insert(ranges: list[Range], new: Range) -> None:
    """Insert a range in order, joined to its left neighbour when it continues that for the same reason."""
    at = bisect_right(ranges, new[0], key=lambda skip: skip[0])
    if at and ranges[at - 1][1] + 1 == new[0] and ranges[at - 1][2] == new[2]:
        ranges[at - 1] = (ranges[at - 1][0], new[1], new[2])
    else:
        ranges.insert(at, new)
