"""One direction of one path at work:

`OneWay` plus the pipes that use it, and who is woken when it changes.
"""

import random
from collections import deque
from typing import TYPE_CHECKING

from .link import MSS_BYTES, SAME_INSTANT_S, Conditions, OneWay
from .timeline import Timeline

if TYPE_CHECKING:
    from .pipe import Pipe


class Wire(OneWay):
    """One direction of a path with everything that travels it. `back` is the opposite direction.

    Pipes that find the queue full wait here in turn, a quantum each, so that two connections share the rate.
    """

    def __init__(self, name: str, conditions: Conditions, rng: random.Random, timeline: Timeline) -> None:
        super().__init__(conditions, rng)
        self.name = name
        self.back = self
        self.timeline = timeline
        self.pipes: dict[int, Pipe] = {}
        self.dropping = False
        self.refusing = False
        self.ignoring = False
        self._waiting: deque[Pipe] = deque()
        self._turn: Pipe | None = None
        self._drain_at: float | None = None

    def __repr__(self) -> str:
        state = "dropping" if self.dropping else "frozen" if self.paused else "up"
        return f"<Wire {self.name} {state} pipes={len(self.pipes)}>"

    def round_trip_s(self) -> float:
        """Return the path's latency there and back."""
        return self.conditions.latency_s + self.back.conditions.latency_s

    def freeze(self) -> None:
        """Stand still: nothing is lost, everything arrives later by the length of the pause."""
        self.pause(self.timeline.now())
        self.dropping = False

    def drop(self) -> None:
        """Drop every packet, silently.

        TCP goes on trying: after `heal` the bytes come with the next retransmission.
        """
        now = self.timeline.now()
        self.pause(now)
        self.dropping = True
        for pipe in list(self.pipes.values()):
            pipe.on_drop(now)

    def heal(self) -> None:
        """End a freeze or a drop, and let new connections pass."""
        self.refusing = self.ignoring = False
        if not self.paused:
            return
        now = self.timeline.now()
        dropped, self.dropping = self.dropping, False
        self.resume(now)
        for pipe in list(self.pipes.values()):
            pipe.on_resume(now, after_loss=dropped)
        for pipe in list(self.back.pipes.values()):
            pipe.on_heard(now)
        self._arm()

    def set(self, conditions: Conditions) -> None:
        """Change the conditions; what waits in the queue is re-timed to the new rate."""
        now = self.timeline.now()
        local = self.local(now)
        factor = self.change(conditions, now)
        for pipe in list(self.pipes.values()):
            if factor != 1.0:
                pipe.retime(local, factor)
            pipe.pump(now)
        self._arm()

    def room_for(self, pipe: "Pipe", wanted: int, now: float) -> int:
        """Return how many of `wanted` bytes may go on the wire now: 0 while others have waited longer or room
        is scant.
        """
        if pipe is self._turn:
            self._turn = None  # one quantum a turn
        elif self._waiting:
            return 0
        room = round(self.room_bytes(now)) + 1  # one more: as above, rounding must not leave a byte short
        quantum = self._quantum()
        return min(room, wanted, quantum) if room >= min(wanted, quantum) else 0

    def wait_for_room(self, pipe: "Pipe") -> None:
        """Queue `pipe` to be pumped when the modem's queue has room for a quantum."""
        if pipe not in self._waiting:
            self._waiting.append(pipe)
        self._arm()

    def forget(self, pipe: "Pipe") -> None:
        """Drop a finished pipe."""
        self.pipes.pop(pipe.ident, None)
        if pipe in self._waiting:
            self._waiting.remove(pipe)

    def _quantum(self) -> int:
        return min(max(MSS_BYTES, self.conditions.queue_bytes // 8), self.conditions.queue_bytes)

    def _arm(self) -> None:
        if self._waiting and not self.paused:
            at = self.room_at(self._quantum(), self.timeline.now())
            if self._drain_at is None or at < self._drain_at:
                self._drain_at = at
                self.timeline.at(at, self._drain)

    def _drain(self) -> None:
        now = self.timeline.now()
        if self._drain_at is None or now < self._drain_at:
            return  # superseded by an earlier one
        self._drain_at = None
        if self._waiting and not self.paused and self.room_at(self._quantum(), now) <= now + SAME_INSTANT_S:
            self._turn = self._waiting.popleft()
            try:
                self._turn.pump(now)
            finally:
                self._turn = None
        self._arm()
