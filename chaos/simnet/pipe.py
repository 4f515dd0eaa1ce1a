"""One direction of one TCP connection: send buffer, bytes under way, receive buffer.

The life of a byte: accepted into the send buffer (bounded: `send` waits when it is full), put on the wire
when path, window and the modem's queue allow, under way until its arrival time, then readable. Arrival is
lazy: nothing runs when bytes arrive unless a task waits for them; whoever looks at the pipe first calls
`settle`.

What a sender learns is what TCP would let it learn: nothing at all while the path drops its packets, until
the buffer is full; ETIMEDOUT after the retransmissions have gone unanswered for `give_up_s`; ECONNRESET when
the other side's host has no such connection any more.

Deviations from a kernel, all small beside the latencies simulated: the window reopens at the moment the
reader reads, not a trip later; there is no congestion window but for the ten segments allowed while no
acknowledgement comes back.
"""

import enum
import math
from collections import deque
from typing import TYPE_CHECKING, Protocol

from .link import MSS_BYTES, SAME_INSTANT_S, next_retransmission
from .loss import Recovery
from .wire import Wire

if TYPE_CHECKING:
    from .endpoint import Endpoint

SEND_BUFFER_BYTES = 64 * 1024
WINDOW_BYTES = 256 * 1024
"""What may be under way and unread together (the receive buffer)."""

DEAF_WINDOW_BYTES = 10 * MSS_BYTES
"""What still leaves while no acknowledgement can come back: the initial congestion window (RFC 6928)."""

GIVE_UP_S = 924.6
"""Linux's tcp_retries2 = 15: so long unanswered, a connection times out. TCP_USER_TIMEOUT sets another."""

CONTROL_BYTES = 40
"""A segment without payload."""


class Mark(enum.IntEnum):
    """What travels in a pipe besides bytes."""

    OPEN = 1
    """The last part of the handshake: the connection reaches the listener's backlog."""
    FIN = 2
    RESET = 3
    PROBE = 4
    """A retransmission to a host that may have forgotten the connection."""


class Outlet(Protocol):
    """What an endpoint sends into: a pipe, or what stands before one."""

    send_limit_bytes: int
    give_up_s: float
    dead: bool

    @property
    def wire(self) -> Wire:
        """The direction that it leads to."""

    @property
    def queued_bytes(self) -> int:
        """What waits in the send buffer."""

    def accept(self, data: memoryview) -> int:
        """Take as much of `data` into the send buffer as it holds; return how many bytes that was."""

    def finish(self) -> None:
        """Send a FIN once the buffer is empty."""

    def abort(self) -> None:
        """Forget what was not sent and send a reset."""

    def drop_unsent(self) -> None:
        """Forget what was not sent, and that there was to be an end."""

    def vanish(self) -> None:
        """Lose everything that has not arrived, and the send buffer."""


class Flight:
    """One chunk or mark under way; times are the wire's local ones."""

    __slots__ = ("arrival", "data", "departure")

    def __init__(self, arrival: float, departure: float, data: bytes | Mark) -> None:
        self.arrival = arrival
        self.departure = departure
        self.data = data


class Pipe:
    """One direction of a connection, from `sender` to `receiver` over `wire`.

    `twin` is the other direction.
    """

    twin: Outlet

    def __init__(self, ident: int, wire: Wire, sender: "Endpoint", receiver: "Endpoint") -> None:
        self.ident = ident
        self.wire = wire
        self.sender = sender
        self.receiver = receiver
        self.trace = sender.host.network.trace
        self.send_limit_bytes = SEND_BUFFER_BYTES
        self.give_up_s = GIVE_UP_S
        self.dead = False
        self.finishing = False
        self.eof = False
        self.queued: deque[bytes] = deque()
        self.queued_bytes = 0
        self.flying: deque[Flight] = deque()
        self.arrived: deque[bytes] = deque()
        self.outstanding_bytes = 0
        self._recovery = Recovery()
        self._hold_until = -math.inf
        self._deaf_sent_bytes = 0
        self._stuck_since: float | None = None
        self._armed_for: float | None = None
        self._now = wire.timeline.now
        wire.pipes[ident] = self

    def __repr__(self) -> str:
        return (
            f"<Pipe #{self.ident} {self.wire.name} queued={self.queued_bytes} under way={len(self.flying)}"
            f" unread={sum(map(len, self.arrived))}{' dead' if self.dead else ''}>"
        )

    # -- the sender's side

    def accept(self, data: memoryview) -> int:
        """Take as much of `data` into the send buffer as it holds; return how many bytes that was."""
        chunk = bytes(data[: self.send_limit_bytes - self.queued_bytes])
        self.queued.append(chunk)
        self.queued_bytes += len(chunk)
        self.pump(self._now())
        return len(chunk)

    def finish(self) -> None:
        """Send a FIN once the buffer is empty."""
        self.finishing = True
        self.pump(self._now())

    def abort(self) -> None:
        """Forget what was not sent and send a reset, which is lost if the path drops it."""
        self.drop_unsent()
        if not (self.dead or self.wire.dropping):
            self._send_mark(Mark.RESET, self._now())

    def drop_unsent(self) -> None:
        """Forget what was not sent, and that there was to be an end."""
        self.queued.clear()
        self.queued_bytes = 0
        self.finishing = False

    def send_open(self) -> None:
        """Send the last part of the handshake."""
        self._send_mark(Mark.OPEN, self._now())

    def pump(self, now: float) -> None:
        """Move from the send buffer to the wire what may go now, and see to it that somebody comes back for
        the rest.
        """
        queued = self.queued
        while queued:
            room = self._room(queued[0], now)
            if room <= 0:
                return
            chunk = queued.popleft()
            if len(chunk) > room:
                queued.appendleft(chunk[room:])
                chunk = chunk[:room]
            self.queued_bytes -= len(chunk)
            self._transmit(chunk, now)
        if self.finishing and not self._blocked(now):
            self.finishing = False
            self._send_mark(Mark.FIN, now)
        if self.sender.writer is not None and self.queued_bytes < self.send_limit_bytes:
            self.sender.wake_writer()

    def _blocked(self, now: float) -> bool:
        if self.dead or self.wire.paused:
            self._note_stuck(now)
            return True
        return now < self._hold_until

    def _room(self, chunk: bytes, now: float) -> int:
        wire = self.wire
        if self._blocked(now):
            return 0
        wanted = min(len(chunk), WINDOW_BYTES - self.outstanding_bytes)
        if wire.back.paused or self.twin.dead:
            wanted = min(wanted, DEAF_WINDOW_BYTES - self._deaf_sent_bytes)
            self._note_stuck(now)
        if wanted <= 0 or wire.rate_bytes_s == math.inf:
            return wanted
        room = wire.room_for(self, wanted, now)
        if not room:
            wire.wait_for_room(self)
        return room

    def _transmit(self, chunk: bytes, now: float) -> None:
        wire = self.wire
        self.trace.record(now, self.ident, chunk)
        departure, arrival = wire.carry(len(chunk), now)
        self.outstanding_bytes += len(chunk)
        if wire.back.paused or self.twin.dead:
            self._deaf_sent_bytes += len(chunk)
        flight = Flight(arrival, departure, chunk)
        if wire.loss:
            self._recovery.send(flight, len(chunk), wire, wire.back)
        self.flying.append(flight)
        if wire.split and len(chunk) > 1 and wire.rng.random() < wire.split:
            cut = wire.rng.randrange(1, len(chunk))
            flight.data = chunk[:cut]
            self.flying.append(Flight(flight.arrival + wire.rng.uniform(0, 0.002), departure, chunk[cut:]))
        if self.receiver.reader is not None or self.receiver.closed:
            self.arm()  # also when this one rescued an earlier one

    def _send_mark(self, mark: Mark, now: float) -> None:
        self.trace.mark(now, self.ident, mark)
        departure, arrival = self.wire.carry(CONTROL_BYTES, now)
        self.flying.append(Flight(arrival, departure, mark))
        self.arm()

    # -- the receiver's side

    def settle(self, now: float) -> None:
        """Let everything that is due arrive."""
        flying = self.flying
        if not flying or now < self._hold_until:
            return
        local = self.wire.local(now) + SAME_INSTANT_S
        while flying and flying[0].arrival <= local:
            data = flying.popleft().data
            if isinstance(data, Mark):
                self._arrive(data)
            elif self.receiver.closed:
                self.outstanding_bytes -= len(data)
                self._refuse()
            else:
                self.arrived.append(data)

    def take(self, max_bytes: int) -> bytes:
        """Read up to `max_bytes` of what has arrived (there must be some), and reopen the window by it."""
        arrived = self.arrived
        data = arrived.popleft()
        if arrived or len(data) > max_bytes:
            parts, size = [data], len(data)
            while arrived and size < max_bytes:
                parts.append(arrived.popleft())
                size += len(parts[-1])
            data = b"".join(parts)
            if size > max_bytes:
                arrived.appendleft(data[max_bytes:])
                data = data[:max_bytes]
        self.outstanding_bytes -= len(data)
        if self.queued:
            self.pump(self._now())
        return data

    def arm(self) -> None:
        """See to it that the next arrival is noticed: somebody waits for it, or it is more than bytes."""
        if not self.flying or self.wire.paused:
            return
        at = max(self.wire.real(self.flying[0].arrival), self._hold_until, self._now())
        if self._armed_for is None or at < self._armed_for:
            self._armed_for = at
            self.wire.timeline.at(at, self._on_arrival)

    def _on_arrival(self) -> None:
        now = self._now()
        if self._armed_for is None or now < self._armed_for:
            return  # superseded by an earlier one
        self._armed_for = None
        self.settle(now)
        receiver = self.receiver
        if receiver.reader is not None and (self.arrived or self.eof):
            receiver.wake_reader()
        # Marks do not wait to be asked for, and bytes for a closed socket have to be answered.
        if self.flying and (receiver.reader is not None or receiver.closed or self._mark_under_way()):
            self.arm()

    def _mark_under_way(self) -> bool:
        return any(isinstance(flight.data, Mark) for flight in self.flying)

    def _arrive(self, mark: Mark) -> None:
        receiver = self.receiver
        if mark is Mark.OPEN:
            if receiver.closed or not receiver.reach_listener():
                receiver.closed = True
                self._refuse()
        elif mark is Mark.FIN:
            self.eof = True
        elif mark is Mark.RESET:
            receiver.on_reset()
        elif receiver.closed:
            self._refuse()

    def _refuse(self) -> None:
        # The receiving host has no such connection: it says so, unless it has no power.
        if self.receiver.host.powered:
            self.twin.abort()

    # -- what the path does

    def on_drop(self, now: float) -> None:
        """The path began to drop packets: what is under way is lost and will have to be sent again."""
        self.settle(now)
        if self.flying or self.queued:
            self._note_stuck(now)

    def on_resume(self, now: float, *, after_loss: bool) -> None:
        """The path goes on; after a loss, with the next tick of the retransmission timer."""
        if self.dead:
            return
        if after_loss and self._stuck_since is not None:
            self._hold_until = next_retransmission(self._stuck_since, self.wire.round_trip_s(), now)
            self.wire.timeline.at(self._hold_until, self._on_unheld)
        else:
            self.pump(now)
        self._stuck_since = None
        self.arm()

    def on_heard(self, now: float) -> None:
        """The opposite direction goes on: acknowledgements come back again."""
        self._deaf_sent_bytes = 0
        if not self.dead and not self.wire.paused:
            self._stuck_since = None
            self.pump(now)

    def _on_unheld(self) -> None:
        self.pump(self._now())
        self.arm()

    def retime(self, local: float, factor: float) -> None:
        """The rate changed: what has not left the queue leaves it sooner or later by `factor`."""
        for flight in self.flying:
            if flight.departure > local:
                shift = (flight.departure - local) * (factor - 1.0)
                flight.departure += shift
                flight.arrival += shift
        self.arm()

    def die(self) -> None:
        """Swallow everything from now on, for good and silently."""
        now = self._now()
        self.settle(now)
        if self.flying or self.queued:
            self._note_stuck(now)
        self.flying.clear()
        self.dead = True

    def revive_with_probe(self) -> None:
        """The receiving host is back without memory of this connection: what was unanswered is sent again."""
        now = self._now()
        self.dead = False
        if self._stuck_since is None:
            return
        self._hold_until = next_retransmission(self._stuck_since, self.wire.round_trip_s(), now)
        self._send_mark(Mark.PROBE, now)

    def vanish(self) -> None:
        """Lose everything that has not arrived, and the send buffer."""
        self.settle(self._now())
        self.drop_unsent()
        self.flying.clear()

    def _note_stuck(self, now: float) -> None:
        if self._stuck_since is None:
            self._stuck_since = now
            self.wire.timeline.at(now + self.give_up_s, self._give_up)

    def _give_up(self) -> None:
        since = self._stuck_since
        if since is not None and self._now() >= since + self.give_up_s:
            self.sender.on_timeout()
