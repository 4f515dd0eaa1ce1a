"""When to look for the next row.

On Windows the simulator sets an event after each row. Elsewhere (the double, a mapped file) nothing tells: there the
wake-up is locked to the writer's phase, so that one look a tick finds its row a millisecond or two old; looking each
millisecond would cost ten times as much. Most of what a look costs is being woken at all. So on a machine that wakes us on
time two rows are read in one look: both still stand there then (memory.py), with 13 ms to spare. One wake-up that is late, and
each row is looked for alone again, with 33 ms to spare.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog
import trio
from attrs import define, field

__all__ = ["EventPace", "Pace", "Phase", "PhasePace"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")

EARLIER_S: Final = 0.00003
"""Each row that was there already moves the phase this much towards the moment it is written,"""
SEEK_S: Final = 0.0003
"""or this much while that moment is sought: it is found by a look that came too early."""
LATER_S: Final = 0.001
"""A row that had to be waited for moves it later by what was waited, at most this: one late row is not a new phase."""
STEP_S: Final = 0.001
BEHIND_S: Final = 0.003
"""A look for two rows comes this much behind the second, so that it need not be waited for."""
LATE_S: Final = 0.004
"""Woken later than this a machine is not on time."""
PAIRS, WARY = 60, 1200
"""Looks for two rows until the phase is sought again, for the clocks drift; rows read alone after one late look."""
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
    """When the newest row was written, as far as is known."""
    _wake: float | None = field(default=None, init=False)
    _looks: int = field(default=0, init=False)
    _wary: int = field(default=0, init=False)
    _pairs: int = field(default=0, init=False)

    def next(self, now: float, new: int) -> float:
        """Return when to look again; `new`: rows that the look now found."""
        if self._wake is not None and now - self._wake > LATE_S:
            self._wary, self._pairs = WARY, 0
        elif self._pairs and new != 2:
            self._wary, self._pairs, self._due = WARY, 0, None
        self._wake = self._after(now, new) if new else self._in_vain(now)
        return self._wake

    def _after(self, now: float, new: int) -> float:
        """Return when to look behind one that found rows."""
        is_found = self._due is not None and self._looks > 0
        due = now if self._due is None else self._due
        if self._pairs:
            self._pairs -= 1
        else:
            due += min(now - due, LATER_S) if self._looks else -(EARLIER_S if self._wary else SEEK_S)
            self._wary = max(0, self._wary - new)
            self._pairs = PAIRS if is_found and not self._wary else 0
        self._looks = 0
        if self._pairs:
            self._due = due + 2 * self.period_s
            return self._due + BEHIND_S
        due += self.period_s
        while due <= now:  # long not run: the phase stays
            due += self.period_s
        self._due = due
        return due

    def _in_vain(self, now: float) -> float:
        """Return when to look again behind a look that found nothing."""
        self._looks += 1
        if self._looks <= 100:
            return now + STEP_S * (1 << min(2, self._looks // 2))  # 1, 2, 2, 4 ms and so on
        self._due = None  # stands still: whoever writes again begins a phase of his own
        return now + 0.05


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
    a quarter of a second without it too: whether the simulator still runs is not told by any event. An event that cannot
    be waited for is done without."""

    wait_event: Callable[[], Awaitable[None]]
    period_s: float
    _vain: bool = field(default=False, init=False)
    _instead: PhasePace | None = field(default=None, init=False)

    async def wait(self, new: int) -> None:
        """See Pace."""
        if self._instead is not None:
            await self._instead.wait(new)
            return
        if not new and self._vain:
            await trio.sleep(2 * STEP_S)  # the event stays set though nothing is new: not round in circles
        try:
            with trio.move_on_after(EVENT_S) as scope:
                await self.wait_event()
        except OSError as exc:
            _log.warning("capture.event_unusable", words=str(exc))
            self._instead = PhasePace(self.period_s)
            return
        self._vain = not scope.cancelled_caught
