"""When to look for the next row.

On Windows the simulator sets an event after each row. Elsewhere (the double, a mapped file) nothing tells: there the
wake-up is locked to the writer's phase, so that one look a tick finds its row less than a millisecond old. Looking each
millisecond would cost ten times as much.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import trio
from attrs import define, field

__all__ = ["EventPace", "Pace", "Phase", "PhasePace"]

EARLIER_S: Final = 0.00005
"""Each row that was there already moves the phase this much towards the moment it is written."""
LATER_S: Final = 0.0005
"""A row that had to be waited for moves it later by what was waited, at most this: one late row is not a new phase."""
STEP_S: Final = 0.001
EVENT_S: Final = 0.25


class Pace(Protocol):
    """Waits for the moment of the next look."""

    async def wait(self, new: int) -> None:
        """Wait; `new`: how many rows the look before found."""


@define
class Phase:
    """The phase of who writes a row each `period_s`: pure. Times in seconds of any monotonic clock."""

    period_s: float
    _due: float | None = field(default=None, init=False)
    _looks: int = field(default=0, init=False)

    def next(self, now: float, new: int) -> float:
        """Return when to look again; `new`: rows that the look now found."""
        if new:
            due = now if self._due is None else self._due
            late = self._looks > 0
            due += min(now - due, LATER_S) if late else -EARLIER_S
            due += self.period_s
            while due <= now:  # long not run: the phase stays
                due += self.period_s
            self._due, self._looks = due, 0
            return due
        self._looks += 1
        waited = 0.0 if self._due is None else now - self._due
        if self._looks <= 16:
            return now + STEP_S
        if waited > 1 or self._looks > 100:
            self._due = None  # stands still: whoever writes again begins a phase of his own
            return now + 0.05
        return now + 4 * STEP_S


@define(eq=False)
class PhasePace:
    """Sleeps by the phase of the writer."""

    period_s: float
    _phase: Phase = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._phase = Phase(self.period_s)

    async def wait(self, new: int) -> None:
        """See Pace."""
        await trio.sleep_until(self._phase.next(trio.current_time(), new))


@define(eq=False)
class EventPace:
    """Awaits the simulator's event (`wait_event`: `trio.lowlevel.WaitForSingleObject` of its handle), and looks after
    a quarter of a second without it too: whether the simulator still runs is not told by any event."""

    wait_event: Callable[[], Awaitable[None]]
    _vain: bool = field(default=False, init=False)

    async def wait(self, new: int) -> None:
        """See Pace. Raises OSError when the event cannot be waited for."""
        if not new and self._vain:
            await trio.sleep(2 * STEP_S)  # the event stays set though nothing is new: not round in circles
        with trio.move_on_after(EVENT_S) as scope:
            await self.wait_event()
        self._vain = not scope.cancelled_caught
