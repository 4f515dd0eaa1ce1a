"""What stands between the hosts of a connection and does to it what a relay does: a gate at the way out of each end.

A gate takes what its end sends, lays it on the belt, and puts it on the pipe behind when its time comes; what path and
pipe do comes on top. Like a relay it acknowledges what it takes: an end that sends into silence learns nothing.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from chaos.faults import Stream
from chaos.model.belt import SLOW_PIECE_BYTES, Belt

from .endpoint import Endpoint
from .link import SAME_INSTANT_S
from .pipe import Pipe
from .wire import Wire

if TYPE_CHECKING:
    from .carrier import PathFaults
    from .gated import GatedConnection

_PIECE_BYTES = 64 * 1024
_UNBOUNDED = 2**62
_BEHIND_S = 3 * SAME_INSTANT_S
"""Who had a turn at a line looks again a little behind those who wait for the same moment: they take turns."""


class Gate(Belt):
    """Before `pipe`, in the place of which `sender` sends into it: a pipe's face to an endpoint."""

    def __init__(
        self,
        stream: Stream,
        connection: "GatedConnection",
        faults: "PathFaults",
        sender: Endpoint,
        pipe: Pipe,
    ) -> None:
        super().__init__(stream, faults.timer, faults.counts)
        self.pipe = pipe
        self.send_limit_bytes = pipe.send_limit_bytes
        self._connection = connection
        self._sender = sender
        self._clock = pipe.wire.timeline.now
        self._queue: deque[bytes] = deque()
        self._queue_bytes = 0
        self._last: Callable[[], None] | None = None  # what to do when the queue is empty
        self._looks_at: float | None = None
        self._is_pumping = False
        pipe.send_limit_bytes = _UNBOUNDED  # it is bounded here

    def __repr__(self) -> str:
        return f"<Gate {self.stream} queued={self._queue_bytes} under way={len(self._flying)} {self.pipe}>"

    # --- a pipe's face -------------------------------------------------------------------------------------------

    @property
    def wire(self) -> Wire:
        """The direction that it leads to."""
        return self.pipe.wire

    @property
    def queued_bytes(self) -> int:
        """What waits in the send buffer, on both sides of the belt."""
        return self._queue_bytes + self.pipe.queued_bytes

    @property
    def give_up_s(self) -> float:
        """See Pipe."""
        return self.pipe.give_up_s

    @give_up_s.setter
    def give_up_s(self, seconds: float) -> None:
        self.pipe.give_up_s = seconds

    @property
    def dead(self) -> bool:
        """See Pipe."""
        return self.pipe.dead

    @dead.setter
    def dead(self, is_dead: bool) -> None:
        self.pipe.dead = is_dead

    def accept(self, data: memoryview) -> int:
        """Take as much of `data` as the send buffer holds; return how many bytes that was."""
        data = data[: self.send_limit_bytes - self.queued_bytes]
        self.active_at = self._clock()
        self._counts.received[self.stream] += len(data)
        if self._connection.on_request(self):
            return len(data)
        if self._is_clear():
            self._counts.sent[self.stream] += len(data)
            return self.pipe.accept(data)
        self._queue.append(bytes(data))
        self._queue_bytes += len(data)
        self._pump()
        return len(data)

    def finish(self) -> None:
        """Send a FIN once the buffer is empty."""
        self._last = self._finish
        self._pump()

    def abort(self) -> None:
        """Forget what was not sent; what stands between fails with it."""
        self._queue.clear()
        self._queue_bytes = 0
        self._last = self._connection.fail
        self._pump()

    def drop_unsent(self) -> None:
        """Forget what was not sent, and that there was to be an end."""
        self._queue.clear()
        self._queue_bytes = 0
        self._last = None
        self.discard()
        self.pipe.drop_unsent()

    def vanish(self) -> None:
        """Lose everything that has not arrived."""
        self.drop_unsent()
        self.pipe.vanish()

    # --- onto the belt -------------------------------------------------------------------------------------------

    def _is_clear(self) -> bool:
        """Whether what is sent may go straight through."""
        return (
            self.plan.is_plain
            and not (self._flying or self._queue or self.is_forgotten)
            and self._connection.is_open
        )

    def _pump(self) -> None:
        if self._is_pumping or not self._connection.is_open:
            return
        self._is_pumping = True
        try:
            self._lay_on(self._clock())
        finally:
            self._is_pumping = False

    def _lay_on(self, now: float) -> None:
        queue = self._queue
        has_had_turn = False
        while queue:
            at = self._may_take_at(now)
            if at > now + SAME_INSTANT_S:
                self._look_again(at + _BEHIND_S if has_had_turn else at)
                return
            has_had_turn = True
            size = SLOW_PIECE_BYTES if self.plan.lines or self.plan.slicer else _PIECE_BYTES
            chunk = queue.popleft()
            if len(chunk) > size:
                queue.appendleft(chunk[size:])
                chunk = chunk[:size]
            self._queue_bytes -= len(chunk)
            self._take(chunk, now)
        if self._last is not None and self._is_heard():
            last, self._last = self._last, None
            last()
        if self._sender.writer is not None and self.queued_bytes < self.send_limit_bytes:
            self._sender.wake_writer()

    def _look_again(self, at: float) -> None:
        if at < float("inf") and (self._looks_at is None or at < self._looks_at):
            self._looks_at = at
            self._timer.at(at, self._look)

    def _look(self, now: float) -> None:
        if self._looks_at is not None and now >= self._looks_at - SAME_INSTANT_S:
            self._looks_at = None
            self._pump()

    def _is_heard(self) -> bool:
        """Whether the sender's end would be heard of, and not vanish or wait as its bytes do."""
        if self.is_deaf:
            self.has_swallowed = self.has_ended_unheard = True
            if self.twin.has_ended_unheard:
                self._connection.fail()  # nobody is left to keep it for
            return False
        return not self.plan.frozen

    def _finish(self) -> None:
        self._take_end(self._clock())

    # --- the belt's orders ---------------------------------------------------------------------------------------

    def _hand(self, data: bytes) -> int:
        return self.pipe.accept(memoryview(data))

    def _end(self) -> None:
        self._connection.on_end(self)

    def _limit(self) -> None:
        self._connection.close()

    def _fail(self) -> None:
        self._connection.fail()

    def _admit(self) -> None:
        self._pump()
