"""One direction of one connection on real sockets.

Without faults a read is written in the same turn of the task, and nothing is copied. With faults the bytes are laid on
the belt, and the wheel writes them when their time comes.

Trio's streams pass through the scheduler two or three times for each read and write, which would be most of what a
relay adds. So these are plain non-blocking sockets, and the task passes once, to wait for the next bytes.
"""

import socket
from collections.abc import Callable

import trio

from chaos.faults import Stream
from chaos.model.belt import SLOW_PIECE_BYTES, Belt, Parcel, Timer
from chaos.model.counts import Counts

READ_BYTES = 256 * 1024
DELAYED_READ_BYTES = 64 * 1024
SLOW_BUFFER_BYTES = 16 * 1024
"""The relay's own receive buffer before a line: what the kernel holds here would be a second, hidden modem."""

_buffer = bytearray(READ_BYTES)
"""One for all: what is in it is written or copied before the task gives its turn away."""


class Pipe(Belt):
    """From `source` to `sink`. `on_end(pipe)` is called when the end of the stream was written, `on_limit()` when a
    limit of bytes is reached, `on_error()` when a socket fails; none of them may block."""

    twin: "Pipe"

    def __init__(
        self,
        stream: Stream,
        source: socket.socket,
        sink: socket.socket,
        timer: Timer,
        counts: Counts,
        *,
        on_end: Callable[["Pipe"], None],
        on_limit: Callable[[], None],
        on_error: Callable[[], None],
    ) -> None:
        super().__init__(stream, timer, counts)
        self.source = source
        self.sink = sink
        self._on_end = on_end
        self._on_limit = on_limit
        self._on_error = on_error
        self._gate = trio.lowlevel.ParkingLot()
        self._stopped = trio.lowlevel.ParkingLot()

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
            if self._may_take_at(now) > now:
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
        while (at := self._may_take_at(now := trio.current_time())) > now:
            with trio.move_on_at(at):
                await self._gate.park()

    def _read_bytes(self) -> int:
        if self.plan.is_plain:
            return READ_BYTES
        return SLOW_PIECE_BYTES if self.plan.lines or self.plan.slicer else DELAYED_READ_BYTES

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

    # --- the belt's orders ---------------------------------------------------------------------------------------

    def _hand(self, data: bytes) -> int:
        try:
            return self.sink.send(data)
        except BlockingIOError:
            return 0

    def _end(self) -> None:
        self._on_end(self)

    def _limit(self) -> None:
        self._on_limit()

    def _fail(self) -> None:
        self._on_error()

    def _admit(self) -> None:
        self._gate.unpark_all()

    def _slow_down(self) -> None:
        # its memory stays small afterwards, which costs speed: the kernel takes none of it back by itself
        self.source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)

    def _block(self) -> None:
        super()._block()
        self._stopped.unpark_all()
