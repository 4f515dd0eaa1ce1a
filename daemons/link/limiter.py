"""What the far end of a link may ask for and send, over all its connections.

Requests past the rate of their type are answered BUSY. Bytes past theirs wait: the reader pauses, TCP pushes back, and
a peer that floods us is slowed down instead of slowing us.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from attrs import define, field

from daemons.ops.limits import BURST_S
from protocol.tokenbucket import Buckets

__all__ = ["PAUSE_MAX_S", "LinkLimiter", "per_type"]

PAUSE_MAX_S = 1.0
"""The longest pause at once: the heartbeat lives on what is read."""

_ONE = "all"


def per_type(buckets: Buckets, type_: str, rates: Mapping[str, float], now: float, *, of: str = "") -> float:
    """Take one of `type_`; return 0.0, or in how many seconds to ask again. A type without a rate has no limit."""
    rate = rates.get(type_, 0.0)
    return buckets.take(f"{of} {type_}", now, rate, max(1.0, rate * BURST_S))


@define(eq=False)
class LinkLimiter:
    """Counts what the peer does. `rates()`: requests a second by type. `flow()`: bytes a second, and at once."""

    rates: Callable[[], Mapping[str, float]] = dict
    flow: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)
    busy: Counter[str] = field(factory=Counter, init=False)  # requests refused, by type
    paused_s: float = field(default=0.0, init=False)
    _requests: Buckets = field(factory=Buckets, init=False)
    _bytes: Buckets = field(factory=lambda: Buckets(1), init=False)

    def on_request(self, type_: str, now: float) -> float:
        """Count a request whose type is known here; return 0.0, or in how many seconds it would be welcome."""
        wait_s = per_type(self._requests, type_, self.rates(), now)
        if wait_s:
            self.busy[type_] += 1
        return wait_s

    def on_bytes(self, count: int, now: float) -> float:
        """Count bytes as they are unpacked; return for how long to pause before more are read."""
        rate, burst = self.flow()
        if rate <= 0:
            return 0.0
        pause_s = min(PAUSE_MAX_S, self._bytes.charge(_ONE, now, rate, burst, count))
        self.paused_s += pause_s
        return pause_s
