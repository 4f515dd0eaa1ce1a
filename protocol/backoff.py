"""How long the dialer waits before it tries again.

First retry at once, then exponential with full jitter: capped at 1 s while the outage is younger than 2 min
(a race goes on meanwhile), then doubling up to 60 s. Reset only after a connection was good for a while: a
link that comes up and breaks at once must not be hammered. The wait itself is the caller's, who cuts it short
for "reconnect now" and for a network change.
"""

from protocol.linkstatus import RETRY, Status

__all__ = ["Backoff"]

_FIRST_CAP_S = 0.1
_YOUNG_CAP_S = 1.0
_YOUNG_S = 120.0
_CAP_S = 60.0
_STABLE_S = 10.0


class Backoff:
    """Policy of one link over all its connections. `now`: monotonic seconds; `rand`: evenly from [0, 1)."""

    def __init__(self) -> None:
        self._outage_since: float | None = None
        self._ready_since: float | None = None
        self._status = Status.LOST
        self._retry_after_s = 0.0
        self._cap_s = 0.0
        self._is_first = True

    def __repr__(self) -> str:
        return f"<Backoff {self._status}, outage since {self._outage_since}, cap {self._cap_s} s>"

    def succeeded(self, now: float) -> None:
        """Note that the link became ready."""
        self._ready_since = now

    def failed(self, now: float, status: Status, retry_after_s: float = 0.0) -> None:
        """Note that an attempt failed or a connection ended. `retry_after_s`: what the hub asked for."""
        was_stable = self._ready_since is not None and now - self._ready_since >= _STABLE_S
        if was_stable or self._outage_since is None:
            self._outage_since, self._cap_s, self._is_first = now, 0.0, True
        self._ready_since = None
        self._status, self._retry_after_s = status, retry_after_s

    def next_delay(self, now: float, rand: float) -> float:
        """Return how many seconds to wait before the next attempt."""
        policy = RETRY[self._status]
        if not policy.is_backoff:
            return max(policy.least_s, self._retry_after_s) + rand * policy.spread_s
        was_first, self._is_first = self._is_first, False
        is_young = self._outage_since is None or now - self._outage_since < _YOUNG_S
        if not was_first:
            self._cap_s = min(max(_FIRST_CAP_S, 2 * self._cap_s), _YOUNG_CAP_S if is_young else _CAP_S)
        if self._retry_after_s:
            # Everybody was told the same time: spread them.
            return self._retry_after_s + rand * max(self._cap_s, _YOUNG_CAP_S)
        return rand * self._cap_s
