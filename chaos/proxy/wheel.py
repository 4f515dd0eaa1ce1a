"""One timer for everything that is due: bytes that arrive, connections that end.

A task for each connection would be woken for each arrival, and with hundreds of busy connections their turns would
cost more than the delay that they keep. Here one sleeps until the earliest is due and does all that is.
"""

import heapq
import itertools
import math
from collections.abc import Callable

import trio
from attrs import define, field

SLACK_S = 0.0005
"""Trio waits in whole milliseconds, rounded up: what is due within half of one is done now."""


@define(eq=False)
class Wheel:
    """Does things at their time. What it calls must not block and not raise.

    Somebody turns it: `run`, or who gives `on_earlier(when)`, which is called when it is to be turned earlier than
    the last `turn` said.
    """

    slack_s: float = SLACK_S
    on_earlier: Callable[[float], None] | None = None
    _due: list[tuple[float, int, Callable[[float], None]]] = field(factory=list, init=False)
    _numbers: "itertools.count[int]" = field(factory=itertools.count, init=False)
    _next_at: float = field(default=math.inf, init=False)

    def at(self, when: float, do: Callable[[float], None]) -> None:
        """Have `do(now)` called at `when`, in Trio's time."""
        heapq.heappush(self._due, (when, next(self._numbers), do))
        if when < self._next_at:
            self._next_at = when
            if self.on_earlier is not None:
                self.on_earlier(when)

    def turn(self, now: float) -> float:
        """Do all that is due; return when the next is."""
        due = self._due
        if due and due[0][0] <= (until := now + self.slack_s):
            ripe = []  # first all of them: what they put on the wheel waits a turn, even when it is due
            while due and due[0][0] <= until:
                ripe.append(heapq.heappop(due)[2])
            self._next_at = -math.inf  # nobody needs to be told of what comes now
            for do in ripe:
                do(now)
        self._next_at = due[0][0] if due else math.inf
        return self._next_at

    async def run(self) -> None:
        """Turn, until cancelled."""
        while True:
            with trio.CancelScope(deadline=self.turn(trio.current_time())) as sleep:

                def wake(when: float, sleep: trio.CancelScope = sleep) -> None:
                    sleep.deadline = when

                self.on_earlier = wake
                await trio.sleep_forever()
