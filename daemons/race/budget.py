"""How many requests FPVTrackside may be sent. Pure: times are passed in, in seconds of one monotonic clock.

Two token buckets. The first holds always: never more than 40 requests in any 10 s, sent smoothly rather than
forty at once. The second is "one per 5 s when no race is live", as a rate in the long run: what was not used
is saved up, to at most `idle_saved`, so that somebody who looks at an event for the first time gets its files
in seconds and not in minutes. While a race is live the savings are full.
"""

__all__ = ["Budget"]

_SLACK = 1e-9  # of a request: rounding must not hold one back for another turn


class _Bucket:
    """`level` requests may be sent now, at most `size`; one more each `1/rate` seconds."""

    def __init__(self, size: float, rate: float, now: float) -> None:
        self.size = size
        self.rate = rate
        self._level = size
        self._at = now

    def level(self, now: float) -> float:
        return min(self.size, self._level + (now - self._at) * self.rate)

    def set(self, level: float, now: float) -> None:
        self._level = level
        self._at = now

    def free_at(self, now: float) -> float:
        lacking = 1 - self.level(now)
        return now if lacking <= _SLACK else now + lacking / self.rate


class Budget:
    """The allowance of one origin. Ask `free_at`, send when it is not later than now, say so with `spend`."""

    def __init__(
        self,
        now: float,
        *,
        per_window: int = 40,
        window_s: float = 10.0,
        burst: int = 4,
        idle_interval_s: float = 5.0,
        idle_saved: int = 120,
    ) -> None:
        if not 0 < burst < per_window - 1:
            raise ValueError("burst must leave room in the window")
        # In any window at most `burst` saved ones and what flows in meanwhile; and one more that was sent
        # just before it and arrived late, because the origin was busy.
        self._always = _Bucket(burst, (per_window - 1 - burst) / window_s, now)
        self._idle = _Bucket(idle_saved, 1 / idle_interval_s, now)
        self._race_is_live = False

    def begin(self, now: float) -> None:
        """Have one request and nothing saved for a burst: another of us may have been killed a moment ago, with all of its
        own spent. While that one was down at least one came in that nobody sent.
        """
        self._always.set(1.0, now)

    @property
    def race_is_live(self) -> bool:
        """Is the faster pace allowed?"""
        return self._race_is_live

    def set_race_is_live(self, race_is_live: bool, now: float) -> None:
        """Change the pace. When a race has ended, the savings are full."""
        if self._race_is_live and not race_is_live:
            self._idle.set(self._idle.size, now)
        self._race_is_live = race_is_live

    def free_at(self, now: float, *, is_follow_up: bool = False) -> float:
        """Return when the next request may be sent: `now`, or a later time.

        A follow-up finishes what was begun (another read of a torn file): it need not wait for the idle rate,
        only be paid back to it.
        """
        free_at = self._always.free_at(now)
        if not self._race_is_live and not is_follow_up:
            free_at = max(free_at, self._idle.free_at(now))
        return free_at

    def spend(self, now: float) -> None:
        """Note that a request is sent now."""
        self._always.set(self._always.level(now) - 1, now)
        if not self._race_is_live:
            self._idle.set(self._idle.level(now) - 1, now)
