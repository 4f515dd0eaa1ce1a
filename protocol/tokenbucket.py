"""Token buckets: how much of something may come in a second, and how much at once. Pure: times are passed in.

Rate and burst are given at each use and not kept, so that a limit changed at run time holds from the next
request on. Times are seconds of one monotonic clock.
"""

from collections import OrderedDict

from attrs import define, field

__all__ = ["Bucket", "Buckets"]

_SLACK = 1e-9
"""Rounding must not hold back what is due."""


@define
class Bucket:
    """What may be taken now. Full when it is made; `level` below zero is debt, paid off at the rate."""

    level: float
    at: float

    def fill(self, now: float, rate: float, burst: float) -> None:
        """Add what has flowed in since the last look, up to `burst`. A clock that goes back adds nothing."""
        self.level = min(burst, self.level + max(0.0, now - self.at) * rate)
        self.at = max(now, self.at)

    def take(self, now: float, rate: float, burst: float, *, cost: float = 1.0, keep: float = 0.0) -> float:
        """Take `cost` and return 0.0; or take nothing and return in how many seconds to ask again.

        `keep`: what must be left for others who can wait less.
        """
        self.fill(now, rate, burst)
        lacking = min(cost + keep, burst) - self.level
        if lacking <= _SLACK:
            self.level -= cost
            return 0.0
        return lacking / rate

    def charge(self, now: float, rate: float, burst: float, cost: float) -> float:
        """Take `cost` whatever there is, and return in how many seconds the debt is paid (0.0: there is none)."""
        self.fill(now, rate, burst)
        self.level -= cost
        return max(0.0, -self.level / rate)


@define(eq=False)
class Buckets:
    """A bucket for each of at most `keys_max` keys; the one not used for longest is forgotten, and so is full again.

    Whoever can make up keys without end needs a bucket for all of them beside this. A rate of 0 means no limit.
    """

    keys_max: int = 4096
    forgotten: int = field(default=0, init=False)  # of those, how many were not full
    _buckets: OrderedDict[str, Bucket] = field(factory=OrderedDict, init=False)

    def __len__(self) -> int:
        return len(self._buckets)

    def _of(self, key: str, now: float, rate: float, burst: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is not None:
            self._buckets.move_to_end(key)
            return bucket
        while len(self._buckets) >= self.keys_max:
            _, oldest = self._buckets.popitem(last=False)
            oldest.fill(now, rate, burst)
            self.forgotten += oldest.level < burst - _SLACK
        bucket = self._buckets[key] = Bucket(burst, now)
        return bucket

    def take(
        self, key: str, now: float, rate: float, burst: float, *, cost: float = 1.0, keep: float = 0.0
    ) -> float:
        """Do as `Bucket.take` with the bucket of `key`."""
        if rate <= 0:
            return 0.0
        return self._of(key, now, rate, burst).take(now, rate, burst, cost=cost, keep=keep)

    def charge(self, key: str, now: float, rate: float, burst: float, cost: float) -> float:
        """Do as `Bucket.charge` with the bucket of `key`."""
        return self._of(key, now, rate, burst).charge(now, rate, burst, cost) if rate > 0 else 0.0

    def debt_s(self, key: str, now: float, rate: float, burst: float) -> float:
        """Return in how many seconds `key` is out of debt; 0.0 when it is."""
        bucket = self._buckets.get(key)
        if bucket is None or rate <= 0:
            return 0.0
        return bucket.charge(now, rate, burst, 0.0)
