"""One direction of one connection on real sockets.

Without faults a read is written at once, and nothing is copied; what comes in bulk does not even come up from the
kernel. With faults the bytes are laid on the belt, and the
wheel writes them when their time comes.

Trio's streams pass through the scheduler two or three times for each read and write, which would be most of what a
relay adds. So these are plain non-blocking sockets, and whoever watches them all (ready.py) calls.
"""

import socket
from collections.abc import Callable

import trio
from attrs import frozen

from chaos.faults import Stream
from chaos.model.belt import SLOW_PIECE_BYTES, Belt, Parcel, Timer
from chaos.model.counts import Counts
from chaos.model.plan import Plan
from chaos.proxy.ready import Watch
from chaos.proxy.shortcut import Carried, Shortcut, SinkError

READ_MIN_BYTES = 64 * 1024
READ_MAX_BYTES = 1024 * 1024
"""What is read at once grows while bulk comes and the sink takes it: what the sink does not take is copied."""

BULK_BYTES = 32 * 1024
"""A read of so much is of bulk."""

DELAYED_READ_BYTES = 64 * 1024
SLOW_BUFFER_BYTES = 16 * 1024
"""The relay's own receive buffer before a line: what the kernel holds here would be a second, hidden modem."""

_buffer = memoryview(bytearray(READ_MAX_BYTES))
"""One for all: what is in it is written or copied before anybody else is called."""


@frozen
class End:
    """One of the two sockets of a connection, and who watches it."""

    sock: socket.socket
    watch: Watch


class Pipe(Belt):
    """From `source` to `sink`, once `start` was called.

    `on_end(pipe)` is called when the end of the stream was written, `on_limit()` when a limit of bytes is reached,
    `on_error()` when a socket fails; none of them may block. Whoever closes the sockets calls `stop` before.
    """

    twin: "Pipe"

    def __init__(
        self,
        stream: Stream,
        source: End,
        sink: End,
        timer: Timer,
        counts: Counts,
        shortcut: Shortcut | None,
        *,
        on_end: Callable[["Pipe"], None],
        on_limit: Callable[[], None],
        on_error: Callable[[], None],
    ) -> None:
        super().__init__(stream, timer, counts)
        self.sink = sink.sock
        self._source = source
        self._sink = sink
        self._on_end = on_end
        self._on_limit = on_limit
        self._on_error = on_error
        self._shortcut = shortcut
        self._room = READ_MIN_BYTES
        self._is_straight = True
        self._is_reading = False
        self._is_over = True
        self._last: Callable[[], None] | None = None
        """What is to be done about the end or the failure of the source, once it may be heard."""

    def start(self) -> None:
        """Begin to carry."""
        self._is_over = False
        self._admit()

    def stop(self) -> None:
        """Carry no more, and drop what is under way."""
        self._is_over = True
        self._last = None
        self.discard()

    def adopt(self, plan: Plan, now: float) -> None:
        self._is_straight = plan.is_plain
        super().adopt(plan, now)

    # --- taking --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        now = trio.current_time()
        if self._is_straight and self._is_full:
            self._pause()  # what is left is little, and the sender is held back
            return
        if (at := self._may_take_at(now)) > now:
            self._pause()
            if at < float("inf"):
                self._timer.at(at, lambda _: self._admit())
            return
        is_free = self._is_straight and not self._flying and not self.is_forgotten
        carried: Carried | None = None
        try:
            if is_free and self._room == READ_MAX_BYTES and self._shortcut is not None:
                carried = self._shortcut.carry(self._source.sock.fileno(), self.sink.fileno())
                count = carried.taken
            else:
                count = self._source.sock.recv_into(_buffer, self._read_bytes())
        except BlockingIOError:
            return
        except SinkError:
            self._on_error()
            return
        except OSError:
            self._ends(self._on_error)
            return
        self.active_at = now
        if not count:
            self._ends(lambda: self._take_end(trio.current_time()))
            return
        self._counts.received[self.stream] += count
        if carried is not None:
            self._passed_on(count, carried.sent, carried.rest, now)
        elif is_free:
            self._pass_on(count, now)
        else:
            self._take(bytes(_buffer[:count]), now)

    def _pass_on(self, count: int, now: float) -> None:
        """Write what is in the buffer; what the sink does not take at once is copied, for the buffer is shared."""
        try:
            sent = self.sink.send(_buffer[:count])
        except BlockingIOError:
            sent = 0
        except OSError:
            self._on_error()
            return
        self._passed_on(count, sent, b"" if sent == count else bytes(_buffer[sent:count]), now)

    def _passed_on(self, count: int, sent: int, rest: bytes, now: float) -> None:
        self._counts.sent[self.stream] += sent
        if rest:
            self._append(Parcel(now, rest, now))
            self._block()
        if rest:
            self._room = max(READ_MIN_BYTES, self._room // 4)
        elif count >= BULK_BYTES:
            self._room = min(READ_MAX_BYTES, self._room * 2)
        else:
            self._room = max(READ_MIN_BYTES, self._room // 2)

    def _pause(self) -> None:
        self._is_reading = False
        self._source.watch.read(None)

    def _read_bytes(self) -> int:
        if self._is_straight:
            return self._room
        return SLOW_PIECE_BYTES if self.plan.lines or self.plan.slicer else DELAYED_READ_BYTES

    def _ends(self, last: Callable[[], None]) -> None:
        self._pause()
        self._last = last
        self._hear(0.0)

    def _hear(self, _: float) -> None:
        """The end of the source, like its bytes, vanishes or waits while they would."""
        if (last := self._last) is None:
            return
        if self.is_deaf:
            self.has_swallowed = self.has_ended_unheard = True
            if self.twin.has_ended_unheard:
                self._on_error()  # nobody is left to keep it for
        elif not self.plan.frozen:
            self._last, self._is_over = None, True
            last()

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
        if self._is_reading or self._is_over or (self._is_straight and self._is_full):
            return
        if self._last is not None:
            self._timer.at(
                trio.current_time(), self._hear
            )  # not now: it may end what is being told of a fault
            return
        self._is_reading = True
        self._source.watch.read(self._read)

    def _slow_down(self) -> None:
        # its memory stays small afterwards, which costs speed: the kernel takes none of it back by itself
        self._source.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)

    def _block(self) -> None:
        super()._block()
        self._sink.watch.write(self._write_on)

    def _write_on(self) -> None:
        """The sink, which had been full, has room again."""
        self._is_full = False
        self._flush(trio.current_time())
        if not self._is_full:
            self._sink.watch.write(None)
