"""One timer for everything that is due: bytes that arrive, connections that end.

A task for each connection would be woken for each arrival, and with hundreds of busy connections their turns would
cost more than the delay that they keep. Here one task sleeps until the earliest is due and does all that is.
"""

import heapq
import itertools
import math
from collections.abc import Callable

import trio
from attrs import define, field

SLACK_S = 0.0005
"""The kernel's timer is asked in whole milliseconds, rounded up: what is due within half of one is done now."""


@define(eq=False)
class Wheel:
    """Does things at their time. What it calls must not block and not raise."""

    slack_s: float = SLACK_S
    _due: list[tuple[float, int, Callable[[float], None]]] = field(factory=list, init=False)
    _numbers: "itertools.count[int]" = field(factory=itertools.count, init=False)
    _sleep: trio.CancelScope | None = field(default=None, init=False)

    def at(self, when: float, do: Callable[[float], None]) -> None:
        """Have `do(now)` called at `when`, in Trio's time."""
        heapq.heappush(self._due, (when, next(self._numbers), do))
        if self._sleep is not None and when < self._sleep.deadline:
            self._sleep.deadline = when

    async def run(self) -> None:
        """Turn, until cancelled."""
        due = self._due
        while True:
            now = trio.current_time()
            ripe = []  # first all of them: what they put on the wheel waits a turn, even when it is due
            while due and due[0][0] <= now + SLACK_S:
                ripe.append(heapq.heappop(due)[2])
            for do in ripe:
                do(now)
            with trio.CancelScope(deadline=due[0][0] if due else math.inf) as self._sleep:
                await trio.sleep_forever()
            self._sleep = None
