"""What was decided and is not on the disk yet: mostly nothing, and all of it while the disk is full, slow or broken. Pure."""

from collections import deque
from collections.abc import Mapping

from attrs import define, field

from daemons.heating.state import HouseState
from protocol.heating import HeatEvent
from protocol.heatsamples import HeatSamples

__all__ = ["Backlog", "Lot"]

EVENTS_MAX = 20_000
"""Some weeks of a house; about 10 MB. Past it the oldest are dropped, and counted."""
SAMPLES_MAX = 2_000
"""Messages of samples: a week."""


@define
class Lot:
    """What goes into one transaction. `memory` None: as it was."""

    events: list[HeatEvent] = field(factory=list)
    samples: list[HeatSamples] = field(factory=list)
    memory: Mapping[str, object] | None = None
    state: HouseState | None = None


@define(eq=False)
class Backlog:
    """Everything that waits, in order."""

    dropped: int = field(default=0, init=False)
    _events: deque[HeatEvent] = field(factory=deque, init=False)
    _samples: deque[HeatSamples] = field(factory=deque, init=False)
    _memory: Mapping[str, object] | None = field(default=None, init=False)
    _state: HouseState | None = field(default=None, init=False)

    def __bool__(self) -> bool:
        return bool(self._events or self._samples or self._memory is not None)

    @property
    def waiting(self) -> int:
        """How many events and messages of samples."""
        return len(self._events) + len(self._samples)

    def add(self, lot: Lot) -> None:
        """Have this wait behind what does."""
        self._events.extend(lot.events)
        self._samples.extend(lot.samples)
        self._memory = lot.memory if lot.memory is not None else self._memory
        self._state = lot.state if lot.state is not None else self._state
        self._shorten()

    def take(self) -> Lot:
        """Return all that waits; it waits no more."""
        lot = Lot(list(self._events), list(self._samples), self._memory, self._state)
        self._events.clear()
        self._samples.clear()
        self._memory = None
        return lot

    def put_back(self, lot: Lot) -> None:
        """Have what was taken and not done wait again, before what came since."""
        self._events.extendleft(reversed(lot.events))
        self._samples.extendleft(reversed(lot.samples))
        self._memory = self._memory if self._memory is not None else lot.memory
        self._shorten()

    def _shorten(self) -> None:
        while len(self._events) > EVENTS_MAX:
            self._events.popleft()
            self.dropped += 1
        while len(self._samples) > SAMPLES_MAX:
            self._samples.popleft()
            self.dropped += 1
