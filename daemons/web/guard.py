"""What the front lets in: by client and over all, in requests, bytes, streams and attempts to become the link.

One client over its own limits gets 429. When all clients together ask for too much, what can best wait gets 503
first: half of what may come at once is kept for live pages, half of that for what tells how the daemon is.
"""

import math
from collections import Counter
from collections.abc import Callable
from enum import IntEnum

from attrs import define, field, frozen

from daemons.ops.limits import FrontLimits
from daemons.web.head import Head
from daemons.web.proxies import client_key
from protocol.tokenbucket import Buckets

__all__ = ["REASONS", "Guard", "Rank", "Refusal"]

_ALL = "all"
REASONS = ("client_requests", "client_bytes", "client_upgrades", "client_in_flight", "requests")
"""Which limit refused: each is a figure of its own."""


class Rank(IntEnum):
    """How well a request can wait; the highest is refused first."""

    ESSENTIAL = 0
    LIVE = 1
    OTHER = 2


_KEPT = {Rank.ESSENTIAL: 0.0, Rank.LIVE: 0.25, Rank.OTHER: 0.5}
"""Which share of what may come at once a request leaves to those of lower rank."""


@frozen
class Refusal:
    """Why a request is not served: an HTTP status, words, and in how many whole seconds to come back."""

    status: int
    words: str
    retry_after_s: int
    reason: str


def _refusal(status: int, words: str, wait_s: float, reason: str) -> Refusal:
    return Refusal(status, words, max(1, min(math.ceil(wait_s), 3600)), reason)


@define(eq=False)
class Guard:
    """Counts what clients do. Every method is quick and never waits; `now` is of one monotonic clock.

    `client` is an address as `client_of` gives it.
    """

    limits: Callable[[], FrontLimits] = FrontLimits
    rank_of: Callable[[Head], Rank] = lambda head: Rank.LIVE
    refused: Counter[str] = field(factory=Counter, init=False)  # by reason
    _requests: Buckets = field(factory=Buckets, init=False)
    _bytes: Buckets = field(factory=Buckets, init=False)
    _upgrades: Buckets = field(factory=Buckets, init=False)
    _in_flight: Counter[str] = field(factory=Counter, init=False)
    _all: Buckets = field(factory=lambda: Buckets(1), init=False)

    def __repr__(self) -> str:
        return f"<Guard {len(self._requests)} clients, {dict(self.refused)}>"

    def on_request(self, client: str, now: float) -> Refusal | None:
        """Count a request of this client; return why it is refused, if it is."""
        limits, key = self.limits(), client_key(client)
        wait_s = self._requests.take(key, now, limits.client_requests_per_s, limits.client_requests_burst)
        if wait_s:
            return self._refuse(
                _refusal(429, "too many requests from your address", wait_s, "client_requests")
            )
        wait_s = self._bytes.debt_s(key, now, limits.client_bytes_per_s, limits.client_bytes_burst)
        if wait_s:
            return self._refuse(_refusal(429, "too many bytes for your address", wait_s, "client_bytes"))
        return None

    def on_upgrade(self, client: str, now: float) -> Refusal | None:
        """Count an attempt to become the link, before anybody looks at who it is."""
        limits = self.limits()
        wait_s = self._upgrades.take(
            client_key(client), now, limits.client_upgrades_per_s, limits.client_upgrades_burst
        )
        if wait_s:
            words = "too many connections for the link from your address"
            return self._refuse(_refusal(429, words, wait_s, "client_upgrades"))
        return None

    def begin(self, client: str, head: Head, now: float) -> Refusal | None:
        """Let a request into the application, or return why not. Let in, `end` must follow."""
        limits, key = self.limits(), client_key(client)
        if self._in_flight[key] >= limits.client_requests_in_flight:
            words = "too many requests from your address are under way"
            return self._refuse(_refusal(429, words, 1, "client_in_flight"))
        kept = limits.requests_burst * _KEPT[self.rank_of(head)]
        wait_s = self._all.take(_ALL, now, limits.requests_per_s, limits.requests_burst, keep=kept)
        if wait_s:
            return self._refuse(_refusal(503, "too busy for this now", wait_s, "requests"))
        self._in_flight[key] += 1
        return None

    def end(self, client: str) -> None:
        """Note that a request that `begin` let in is over."""
        key = client_key(client)
        self._in_flight[key] -= 1
        if self._in_flight[key] <= 0:
            del self._in_flight[key]

    def moved(self, client: str, count: int, now: float) -> None:
        """Count bytes that went to or came from this client."""
        limits = self.limits()
        self._bytes.charge(
            client_key(client), now, limits.client_bytes_per_s, limits.client_bytes_burst, count
        )

    def _refuse(self, refusal: Refusal) -> Refusal:
        self.refused[refusal.reason] += 1
        return refusal
