"""What stands between the hosts of a connection and does to it what a relay does: a gate at the way out of each end.

A gate takes what its end sends, lays it on the belt, and puts it on the pipe behind when its time comes; what path and
pipe do comes on top. Like a relay it acknowledges what it takes: an end that sends into silence learns nothing.
"""

import enum
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chaos.faults import CaptivePortal, Ignore, Refuse, Stream
from chaos.model.belt import SLOW_PIECE_BYTES, Belt, Timer
from chaos.model.carried import Carried, InForce
from chaos.model.portal import PORTAL, PORTAL_S

from .endpoint import Endpoint
from .link import SAME_INSTANT_S
from .pipe import Pipe
from .timeline import Timeline
from .wire import Wire

if TYPE_CHECKING:
    from .carrier import PathFaults

_PIECE_BYTES = 64 * 1024
_UNBOUNDED = 2**62
_BEHIND_S = 3 * SAME_INSTANT_S
"""Who had a turn at a line looks again a little behind those who wait for the same moment: they take turns."""


class SimTimer(Timer):
    """Calls back in virtual time."""

    slack_s = SAME_INSTANT_S

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def at(self, when: float, do: Callable[[float], None]) -> None:
        self._timeline.at(when, lambda: do(self._timeline.now()))


class _State(enum.Enum):
    DOOR = enum.auto()
    """The client is connected, the server has heard nothing yet."""
    PORTAL = enum.auto()
    """Somebody else answers."""
    OPEN = enum.auto()
    OVER = enum.auto()


class GatedConnection(Carried):
    """A connection that faults can meet; it has gates from when the first does."""

    def __init__(
        self,
        faults: "PathFaults",
        number: int,
        client: Endpoint,
        server: Endpoint,
        there: Pipe,
        *,
        is_new: bool,
    ) -> None:
        super().__init__(number, faults.draws, faults.timer, faults.counts)
        self.client = client
        self.server = server
        self.ident = there.ident
        self._faults = faults
        self._there = there
        self._gates: tuple[Gate, ...] = ()
        self._state = _State.DOOR if is_new else _State.OPEN
        self._is_ignored: bool | None = None  # None: it has not been at the door yet
        self._ended = 0

    @property
    def belts(self) -> Sequence["Gate"]:
        return self._gates if self._state is _State.OPEN else ()

    @property
    def is_over(self) -> bool:
        return self._state is _State.OVER or self.ident not in self.client.host.network.connections

    @property
    def is_open(self) -> bool:
        """Whether bytes may pass."""
        return self._state is _State.OPEN

    def adopt(self, faults: InForce) -> None:
        if faults.placed and not self._gates:
            self._lay()
        super().adopt(faults)
        if self._state is _State.DOOR:
            self._knock()

    def _lay(self) -> None:
        up = Gate(Stream.UPSTREAM, self, self._faults, self.client, self._there)
        down = Gate(Stream.DOWNSTREAM, self, self._faults, self.server, self.client.inbound)
        up.twin, down.twin = down, up
        self._there.twin, self.client.inbound.twin = down, up
        self.client.outbound, self.server.outbound = up, down
        self._gates = (up, down)

    # --- its beginning -------------------------------------------------------------------------------------------

    def _knock(self) -> None:
        """Let the server hear of it, unless a fault is at the door."""
        if self._is_ignored is None:
            if self.has(Refuse) or self._faults.is_out(self, "reset", "close"):
                self._counts.refused += 1
                self.abort()
                return
            if self.has(CaptivePortal):
                self._state = _State.PORTAL
                now = self.client.host.network.timeline.now()
                self._timer.at(now + PORTAL_S, lambda _: self.close())
                return
        if self.has(Ignore):
            self._is_ignored = True
        elif self._is_ignored:
            self.abort()
        elif self._faults.hangs(self):
            self._is_ignored = False
        else:
            self._state = _State.OPEN
            self._there.send_open()
            self._faults.meet(self)

    def on_request(self, gate: "Gate") -> bool:
        """The client speaks; return whether it is answered by a portal, and what it says goes nowhere."""
        if self._state is not _State.PORTAL:
            return False
        assert isinstance(gate.twin, Gate)
        gate.twin.pipe.accept(memoryview(PORTAL))
        self.close()
        return True

    # --- its end -------------------------------------------------------------------------------------------------

    def on_end(self, gate: "Gate") -> None:
        """The end of one direction has passed."""
        gate.pipe.finish()
        self._ended += 1
        if self._ended == 2:
            self._state = _State.OVER

    def abort(self) -> None:
        was_heard_of = self.is_open
        if self._leave():
            self._counts.resets += 1
            for end in (self.client, self.server):
                end.inbound.vanish()
            self.server.closed = self.server.closed or not was_heard_of
            self.client.on_reset()
            self.server.on_reset()

    def close(self) -> None:
        was_heard_of = self.is_open
        if self._leave():
            self.server.closed = self.server.closed or not was_heard_of
            for end in (self.client, self.server) if was_heard_of else (self.client,):
                end.inbound.finish()
                end.orphan()

    def _leave(self) -> bool:
        if self.is_over:
            return False
        self._state = _State.OVER
        for gate in self._gates:
            gate.drop_unsent()
        return True


class Gate(Belt):
    """Before `pipe`, in the place of which `sender` sends into it: a pipe's face to an endpoint."""

    def __init__(
        self, stream: Stream, connection: GatedConnection, faults: "PathFaults", sender: Endpoint, pipe: Pipe
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
