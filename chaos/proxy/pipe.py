"""One direction of one connection on real sockets.

Without faults a read is written in the same turn of the task, and nothing is copied. With faults the bytes are given a
time of arrival when they are read, and the wheel writes them when it comes; what came before is always written before.

Trio's streams pass through the scheduler two or three times for each read and write, which would be most of what a
relay adds. So these are plain non-blocking sockets, and the task passes once, to wait for the next bytes.
"""

import math
import socket
from collections import deque
from collections.abc import Callable

import trio

from chaos.faults import Stream
from chaos.proxy.counts import Counts
from chaos.proxy.plan import PLAIN, Plan
from chaos.proxy.wheel import SLACK_S, Wheel
from chaos.simnet.link import OneWay
from chaos.simnet.loss import Recovery
from chaos.simnet.pipe import Flight, Mark

READ_BYTES = 256 * 1024
DELAYED_READ_BYTES = 64 * 1024
SLOW_READ_BYTES = 4 * 1024
"""Through a line: a modem takes segments, and what is large keeps the others waiting."""

SLOW_BUFFER_BYTES = 16 * 1024
"""The relay's own receive buffer before a line: what the kernel holds here would be a second, hidden modem."""

UNDER_WAY_BYTES = 16 * 1024 * 1024
"""Of one pipe; past it the sender waits, as at a window that is full."""

SLICED_BYTES = 16 * 1024
"""Of one pipe that slices: a slice may be a byte, and each waits on its own."""

_buffer = bytearray(READ_BYTES)
"""One for all: what is in it is written or copied before the task gives its turn away."""


class Parcel(Flight):
    """Bytes under way, or the end of the stream. Times are Trio's; an arrival of `inf` is stuck."""

    __slots__ = ("taken_at",)

    def __init__(self, arrival: float, data: bytes | Mark, taken_at: float) -> None:
        super().__init__(arrival, arrival, data)
        self.taken_at = taken_at


class Pipe:
    """From `source` to `sink`. `on_end(pipe)` is called when the end of the stream was written, `on_limit()` when a
    limit of bytes is reached, `on_error()` when a socket fails; none of them may block."""

    twin: "Pipe"
    """The other direction: its delay is half of a loss's round trip."""

    def __init__(
        self,
        stream: Stream,
        source: socket.socket,
        sink: socket.socket,
        wheel: Wheel,
        counts: Counts,
        *,
        on_end: Callable[["Pipe"], None],
        on_limit: Callable[[], None],
        on_error: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.source = source
        self.sink = sink
        self.plan: Plan = PLAIN
        self.airs: dict[str, OneWay] = {}
        self.is_forgotten = False
        self.has_swallowed = False
        self.has_ended_unheard = False
        self.active_at = trio.current_time()
        self._wheel = wheel
        self._counts = counts
        self._on_end = on_end
        self._on_limit = on_limit
        self._on_error = on_error
        self._recovery = Recovery()
        self._flying: deque[Parcel] = deque()
        self._under_way_bytes = 0
        self._passed: dict[str, int] = {}
        self._sliced_until = 0.0
        self._frozen_at = 0.0
        self._armed_for = math.inf
        self._is_full = False
        self._gate = trio.lowlevel.ParkingLot()
        self._stopped = trio.lowlevel.ParkingLot()

    def adopt(self, plan: Plan, now: float) -> None:
        """Go on under another plan. What is under way keeps its arrival, later by as long as it was frozen."""
        before, self.plan = self.plan, plan
        if plan.frozen and not before.frozen:
            self._frozen_at = now
        elif before.frozen and not plan.frozen:
            self._postpone(now - self._frozen_at)
        if plan.largest_bytes > before.largest_bytes:
            for parcel in self._flying:
                if parcel.arrival == math.inf:
                    parcel.arrival = now
        if before.slicer is not None and plan.slicer != before.slicer:
            self._sliced_until = 0.0
            self.hasten(0.0, now)
        self._passed = {name: self._passed.get(name, 0) for name in plan.limits}
        if plan.lines and not before.lines:
            # its memory stays small afterwards, which costs speed: the kernel takes none of it back by itself
            self.source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
        self._flush(now)
        self._gate.unpark_all()

    def hasten(self, factor: float, now: float) -> None:
        """Let what has not left the modem's queue leave it in `factor` times the time: the line changed its rate."""
        for parcel in self._flying:
            if parcel.departure > now and parcel.arrival < math.inf:
                earlier = (parcel.departure - now) * (1.0 - factor)
                parcel.departure -= earlier
                parcel.arrival -= earlier

    @property
    def is_deaf(self) -> bool:
        """Whether what it is given vanishes."""
        return self.plan.swallowing or self.is_forgotten

    def forget(self) -> None:
        """Let everything vanish from now on, and tell nobody."""
        self.is_forgotten = self.has_swallowed = True
        self.discard()
        self._gate.unpark_all()

    def discard(self) -> None:
        """Drop what is under way."""
        self._flying.clear()
        self._under_way_bytes = 0

    async def run(self) -> None:
        """Carry bytes until the source ends; `write_when_blocked` must run beside it.

        A socket that fails is told to `on_error`; raises trio.ClosedResourceError when the sockets were closed.
        """
        while True:
            await self._admitted()
            if self.source.fileno() < 0:
                return  # ended before this task had its turn
            await trio.lowlevel.wait_readable(self.source)
            now = trio.current_time()
            if self._may_read_at(now) > now:
                continue  # the world changed while there was nothing to read
            try:
                count = self.source.recv_into(_buffer, self._read_bytes())
            except BlockingIOError:
                continue
            except OSError:
                await self._heard_out()
                self._on_error()
                return
            self.active_at = now
            if not count:
                await self._heard_out()
                self._take_end(trio.current_time())
                return
            self._counts.received[self.stream] += count
            if self.plan.is_plain and not self._flying and not self.is_forgotten:
                await self._straight(count)
            else:
                self._take(bytes(memoryview(_buffer)[:count]), now)

    async def write_when_blocked(self) -> None:
        """Write on when the sink, which had been full, has room again. Until cancelled."""
        while True:
            while not self._is_full:
                await self._stopped.park()
            if self.sink.fileno() < 0:
                return
            await trio.lowlevel.wait_writable(self.sink)
            self._is_full = False
            self._flush(trio.current_time())

    # --- taking --------------------------------------------------------------------------------------------------

    async def _admitted(self) -> None:
        while (at := self._may_read_at(now := trio.current_time())) > now:
            with trio.move_on_at(at):
                await self._gate.park()

    def _may_read_at(self, now: float) -> float:
        if self.plan is PLAIN:
            return now if self._under_way_bytes < UNDER_WAY_BYTES else math.inf
        if self.plan.frozen or self._under_way_bytes >= UNDER_WAY_BYTES:
            return math.inf
        if self.plan.slicer and self._under_way_bytes >= SLICED_BYTES:
            return math.inf
        return max((line.room_at(SLOW_READ_BYTES, now) for line in self.plan.lines), default=now)

    def _read_bytes(self) -> int:
        if self.plan.is_plain:
            return READ_BYTES
        return SLOW_READ_BYTES if self.plan.lines or self.plan.slicer else DELAYED_READ_BYTES

    async def _heard_out(self) -> None:
        """Wait while the end of the source, like its bytes, would vanish."""
        while self.is_deaf or self.plan.frozen:
            if self.is_deaf:
                self.has_swallowed = self.has_ended_unheard = True
                if self.twin.has_ended_unheard:
                    self._on_error()  # nobody is left to keep it for
            await self._gate.park()

    async def _straight(self, count: int) -> None:
        """Write what is in the buffer; what the sink does not take at once is copied, for the buffer is shared."""
        rest = memoryview(_buffer)[:count]
        is_copied = False
        while True:
            try:
                sent = self.sink.send(rest)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._on_error()
                return
            self._counts.sent[self.stream] += sent
            if sent == len(rest):
                return
            rest = rest[sent:]
            if not is_copied:
                rest, is_copied = memoryview(bytes(rest)), True
            await trio.lowlevel.wait_writable(self.sink)
            if not self.plan.is_plain or self.is_forgotten or self.sink.fileno() < 0:
                now = trio.current_time()
                if not self.is_forgotten:
                    self._append(Parcel(now, bytes(rest), now))
                    self._flush(now)
                return

    def _take(self, data: bytes, now: float) -> None:
        plan = self.plan
        if self.is_deaf:
            self.has_swallowed = True
            self._counts.swallowed[self.stream] += len(data)
            return
        begins = max(now, self._sliced_until) if plan.slicer else now
        for after_s, piece in plan.pieces(data):
            at = begins + after_s
            if plan.slicer:
                self._sliced_until = at + plan.slicer.delay_s
            for line in plan.lines:
                departure, _ = line.carry(len(piece), at)
                at = line.real(departure)
            parcel = Parcel(at, piece, now)
            for air in plan.airs:
                parcel.arrival += air.carry(0, at)[1] - at
            if plan.stall.loss or self.twin.plan.stall.loss:
                self._recovery.send(parcel, len(piece), plan.stall, self.twin.plan.stall)
            if len(piece) > plan.largest_bytes:
                parcel.arrival = math.inf
            self._append(parcel)
        self._arm()

    def _take_end(self, now: float) -> None:
        arrival = max(now, self._flying[-1].arrival) if self._flying else now
        for air in self.plan.airs:
            arrival = max(arrival, air.carry(0, now)[1])
        self._append(Parcel(arrival + self.plan.slow_close_s, Mark.FIN, now))
        self._flush(now)

    def _append(self, parcel: Parcel) -> None:
        self._flying.append(parcel)
        if isinstance(parcel.data, bytes):
            self._under_way_bytes += len(parcel.data)

    # --- delivering ----------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._flying and not self._is_full and not self.plan.frozen:
            arrival = self._flying[0].arrival
            if arrival < self._armed_for:
                self._armed_for = arrival
                self._wheel.at(arrival, self._due)

    def _due(self, now: float) -> None:
        if now >= self._armed_for - SLACK_S:
            self._armed_for = math.inf
        self._flush(now)

    def _flush(self, now: float) -> None:
        """Write what has arrived, as far as the sink takes it."""
        flying = self._flying
        while flying and not self._is_full and not self.plan.frozen and flying[0].arrival <= now + SLACK_S:
            if not self._deliver(flying[0], now):
                break
        self._arm()
        if self._under_way_bytes < (SLICED_BYTES if self.plan.slicer else UNDER_WAY_BYTES):
            self._gate.unpark_all()

    def _deliver(self, parcel: Parcel, now: float) -> bool:
        """Write one parcel; return whether to go on with the next."""
        data = parcel.data
        if isinstance(data, Mark):
            self._flying.popleft()
            self._on_end(self)
            return False
        left = min(
            (limit - self._passed[name] for name, limit in self.plan.limits.items()), default=len(data)
        )
        if left <= 0:
            self._on_limit()
            return False
        try:
            sent = self.sink.send(data[:left])
        except BlockingIOError:
            sent = 0
        except OSError:
            self.discard()
            self._on_error()
            return False
        self._counts.sent[self.stream] += sent
        self._under_way_bytes -= sent
        for name in self._passed:
            self._passed[name] += sent
        if any(self._passed[name] >= limit for name, limit in self.plan.limits.items()):
            self._on_limit()
            return False
        if sent < len(data):
            parcel.data = data[sent:]
            if sent < left:
                self._block()
                return False
            return True
        self._flying.popleft()
        self._counts.delay_s[self.stream] += now - parcel.taken_at
        return True

    def _block(self) -> None:
        self._is_full = True
        self._stopped.unpark_all()

    def _postpone(self, by_s: float) -> None:
        for parcel in self._flying:
            parcel.arrival += by_s
            parcel.departure += by_s
        self._armed_for = math.inf
