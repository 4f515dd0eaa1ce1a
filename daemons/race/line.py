"""Who waits for the origin. Pure but for the event a caller waits on: times are passed in.

Callers that ask for one path at once share one `Fetch`. Fetches wait in two queues, those of callers and the
daemon's own, which take turns: callers cannot starve the watch on the live race, nor that the callers. Both
are bounded, and refuse with BUSY when full.
"""

from collections import deque

import trio
from attrs import define, field

from daemons.race.bodies import Verdict
from daemons.race.budget import Budget
from daemons.race.fetched import Fetched
from protocol.errors import ErrorCode, RequestError

__all__ = ["Fetch", "Line"]


@define(eq=False)
class Fetch:
    """One path that somebody wants, from the first who asks until all have their answer."""

    path: str
    target: str
    is_own: bool
    first_sent_at: float | None = None
    not_before: float = 0.0
    was_retried: bool = False
    doubts: list[Verdict] = field(factory=list)
    _callers: dict[object, float] = field(factory=dict)
    _outcome: Fetched | RequestError | None = None
    _settled: trio.Event = field(factory=trio.Event)

    def __repr__(self) -> str:
        return f"<Fetch {self.path} callers={len(self._callers)} settled={self.is_settled}>"

    @property
    def is_settled(self) -> bool:
        return self._outcome is not None

    @property
    def has_callers(self) -> bool:
        return bool(self._callers)

    def is_wanted(self, now: float) -> bool:
        """Does anybody still wait whose own deadline has not passed?"""
        return not self.is_settled and any(deadline > now for deadline in self._callers.values())

    def settle(self, outcome: Fetched | RequestError) -> None:
        """Give all callers their answer. The first one counts."""
        if self._outcome is None:
            self._outcome = outcome
            self._settled.set()

    async def wait(self) -> Fetched:
        """Return the answer when it is there, or raise its RequestError."""
        await self._settled.wait()
        if isinstance(self._outcome, RequestError):
            # One exception an asker: a shared one would collect all their tracebacks.
            raise RequestError(self._outcome.code, self._outcome.words)
        assert self._outcome is not None
        return self._outcome


class Line:
    """The fetches that are not settled, and which of them is next.

    At most `fetches_max` of the callers and as many own ones, counting those that are being answered.
    """

    def __init__(self, fetches_max: int) -> None:
        self.fetches_max = fetches_max
        self.shared = 0  # joined a fetch that was there
        self.never_sent = 0  # given up by all callers before its turn
        self._open: dict[str, Fetch] = {}
        self._queues: dict[bool, deque[Fetch]] = {True: deque(), False: deque()}
        self._again: list[Fetch] = []  # sent before, to be sent once more at `not_before`
        self._own_is_next = True

    def __repr__(self) -> str:
        return f"<Line {len(self._open)} open, {self.waiting} waiting>"

    @property
    def open(self) -> list[Fetch]:
        """All unsettled fetches, also those being answered."""
        return list(self._open.values())

    @property
    def waiting(self) -> int:
        return len(self._again) + sum(map(len, self._queues.values()))

    def join(self, path: str, target: str, caller: object, deadline: float, *, is_own: bool) -> Fetch:
        """Put `caller` in line for `path`. Raises RequestError(BUSY)."""
        fetch = self._open.get(path)
        if fetch is None:
            if sum(1 for other in self._open.values() if other.is_own is is_own) >= self.fetches_max:
                raise RequestError(
                    ErrorCode.BUSY, f"{self.fetches_max} fetches wait for FPVTrackside already"
                )
            fetch = Fetch(path, target, is_own)
            self._open[path] = fetch
            self._queues[is_own].append(fetch)
        else:
            self.shared += 1
        fetch._callers[caller] = deadline
        return fetch

    def leave(self, fetch: Fetch, caller: object) -> None:
        """`caller` waits no longer. A fetch that nobody wants and that has its turn still to come is
        dropped."""
        fetch._callers.pop(caller, None)
        if not fetch.has_callers:
            self._drop(fetch)

    def _drop(self, fetch: Fetch) -> None:
        queue = self._queues[fetch.is_own]
        if fetch in queue:
            queue.remove(fetch)
            self.never_sent += 1
        elif fetch in self._again:
            self._again.remove(fetch)
        else:
            return  # being answered, or settled
        self.settle(fetch, RequestError(ErrorCode.TIMEOUT, "nobody waits for it any more"))

    def settle(self, fetch: Fetch, outcome: Fetched | RequestError) -> None:
        """End a fetch: who asks for its path from now on starts another one."""
        fetch.settle(outcome)
        if self._open.get(fetch.path) is fetch:
            del self._open[fetch.path]
        if fetch in self._again:
            self._again.remove(fetch)

    def settle_all(self, error: RequestError) -> None:
        """End all fetches with one error."""
        for fetch in self.open:
            self.settle(fetch, error)
        self._again.clear()
        for queue in self._queues.values():
            queue.clear()

    def again(self, fetch: Fetch, at: float) -> None:
        """Let a fetch be sent once more, not before `at`."""
        fetch.not_before = at
        self._again.append(fetch)

    def pick(self, now: float, budget: Budget) -> tuple[Fetch | None, float]:
        """Take the fetch to send now out of the line; or return None and when to ask again."""
        self._drop_unwanted(now)
        if self._again:
            fetch = min(self._again, key=lambda waiting: waiting.not_before)
            at = max(fetch.not_before, budget.free_at(now, is_follow_up=True))
            if at <= now:
                self._again.remove(fetch)
                return fetch, now
        else:
            at = float("inf")
        if not any(self._queues.values()):
            return None, at
        free_at = budget.free_at(now)
        if free_at > now:
            return None, min(at, free_at)
        queue = self._queues[self._own_is_next] or self._queues[not self._own_is_next]
        fetch = queue.popleft()
        self._own_is_next = not fetch.is_own
        return fetch, now

    def _drop_unwanted(self, now: float) -> None:
        waiting = [*self._again, *self._queues[True], *self._queues[False]]
        for fetch in waiting:
            if not fetch.is_wanted(now):
                self._drop(fetch)
