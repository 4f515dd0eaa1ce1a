"""A stream under faults, inside of the daemon that uses it: the network begins right below its WebSocket.

Without faults it is the stream below and nothing else. From the first fault on, what is sent is laid on a belt and
written when its time comes, and what comes is read as it comes and laid on another.
"""

import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from chaos.faults import CaptivePortal, Ignore, Refuse, Stream
from chaos.model.belt import SLOW_PIECE_BYTES, Belt, Timer
from chaos.model.carried import Carried, InForce
from chaos.model.counts import Counts
from chaos.model.portal import PORTAL

__all__ = ["FaultyStream"]

PIECE_BYTES = 64 * 1024
BUFFER_BYTES = 64 * 1024
"""Handed over and not taken yet, each way: as a kernel's buffers have it."""

LINGER_S = 1.0
"""What has got through when a connection is closed is written so long."""

_RST = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


class _Belt(Belt):
    """One direction. What is handed over waits in `handed` until whoever it is for takes it."""

    def __init__(self, stream: Stream, timer: Timer, counts: Counts, connection: "FaultyStream") -> None:
        super().__init__(stream, timer, counts)
        self.handed = bytearray()
        self.has_ended = False
        self.news = trio.lowlevel.ParkingLot()
        """Unparked when something was handed over, and when more may be laid on."""
        self._connection = connection

    @property
    def is_idle(self) -> bool:
        return self.plan.is_plain and not self._flying and not self.handed and not self.is_forgotten

    @property
    def piece_bytes(self) -> int:
        return SLOW_PIECE_BYTES if self.plan.lines or self.plan.slicer else PIECE_BYTES

    @property
    def is_cut(self) -> bool:
        """Whether nothing gets through, not even the news of an end."""
        return self.is_deaf or self.plan.frozen

    def lay(self, data: bytes) -> None:
        self.active_at = now = trio.current_time()
        self._counts.received[self.stream] += len(data)
        self._take(data, now)

    def lay_end(self) -> None:
        self._take_end(trio.current_time())

    def _may_take_at(self, now: float) -> float:
        return math.inf if self._is_full else super()._may_take_at(now)

    async def admitted(self) -> None:
        """Wait until more may be laid on."""
        while not self._connection.is_over and (at := self._may_take_at(now := trio.current_time())) > now:
            with trio.CancelScope(deadline=at):
                await self.news.park()

    async def heard_out(self) -> None:
        """Wait while the end of the stream, like its bytes, would vanish."""
        while self.is_cut and not self._connection.is_over:
            if self.is_deaf:
                self.has_swallowed = self.has_ended_unheard = True
            await self.news.park()

    def taken(self, count: int) -> bytes:
        """Take what was handed over, so many bytes at most."""
        data = bytes(self.handed[:count])
        del self.handed[:count]
        self._is_full = False
        self._flush(trio.current_time())
        return data

    def _hand(self, data: bytes) -> int:
        part = data[: max(0, BUFFER_BYTES - len(self.handed))]
        self.handed += part
        self.news.unpark_all()
        return len(part)

    def _end(self) -> None:
        self.has_ended = True
        self.news.unpark_all()

    def _limit(self) -> None:
        self._connection.close()

    def _fail(self) -> None:
        self._connection.fail()

    def _admit(self) -> None:
        self.news.unpark_all()


class FaultyStream(Carried, trio.abc.Stream):
    """`inner` under the faults that meet it. `outgoing`: the direction in which this program sends.

    Used as any stream, by one sender and one receiver. `spawn(task)` starts what works for it when there are faults.
    """

    def __init__(
        self,
        inner: trio.abc.Stream,
        outgoing: Stream,
        number: int,
        seed: str,
        timer: Timer,
        counts: Counts,
        *,
        spawn: Callable[[Callable[[], Awaitable[object]]], None],
        on_over: Callable[["FaultyStream"], None],
    ) -> None:
        super().__init__(number, seed, timer, counts)
        self.inner = inner
        self._spawn = spawn
        self._on_over = on_over
        self._outgoing = outgoing
        self._belts: tuple[_Belt, ...] = ()
        self._is_struck = False
        self.is_left = False  # by the program: only the far end has not heard of it
        self._is_ignored = False
        self._end: str | None = None
        self._is_shut = False
        self._reading = trio.Lock()
        self._straight = trio.CancelScope()

    @property
    def belts(self) -> Sequence[Belt]:
        return self._belts

    @property
    def is_over(self) -> bool:
        return self._end is not None

    @property
    def _out(self) -> _Belt:
        return self._belts[0]

    @property
    def _in(self) -> _Belt:
        return self._belts[1]

    def open(self, meet: Callable[["FaultyStream"], None], *, is_refused: Callable[[], bool]) -> None:
        """Let the faults meet it: first those of new connections, then all."""
        meet(self)
        incoming = Stream.DOWNSTREAM if self._outgoing is Stream.UPSTREAM else Stream.UPSTREAM
        self._belts = (
            _Belt(self._outgoing, self._timer, self._counts, self),
            _Belt(incoming, self._timer, self._counts, self),
        )
        self._out.twin, self._in.twin = self._in, self._out
        if self.has(Refuse) or is_refused():
            self._counts.refused += 1
            self.abort()
        elif self.has(CaptivePortal):
            self._show_portal()
        elif self.has(Ignore):
            self._is_ignored = True
            self.forget()
        else:
            meet(self)

    def adopt(self, faults: InForce) -> None:
        super().adopt(faults)
        if self.is_over or not self._belts:
            return
        if self._is_ignored and not self.has(Ignore):
            self.abort()
        elif self.is_left and not self._out.is_cut:
            self._drop(is_reset=True)
        elif not self._is_struck and not (self._out.is_idle and self._in.is_idle):
            self._strike()

    def _strike(self) -> None:
        """Read and write by tasks of its own from now on."""
        self._is_struck = True
        self._straight.cancel(reason="a fault has come: what comes is laid on a belt")
        self._spawn(self._pump)
        self._spawn(self._write)

    def _show_portal(self) -> None:
        self._is_struck = True
        if self._outgoing is Stream.UPSTREAM:
            self._out.forget()  # asked for anything, it says this
            self._in.handed += PORTAL
            self._in.has_ended = True
        else:
            self._spawn(self._send_portal)

    async def _send_portal(self) -> None:
        try:
            with trio.move_on_after(1):
                await self.inner.send_all(PORTAL)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it has gone by itself
        self.close()

    # --- ends ----------------------------------------------------------------------------------------------------

    def abort(self) -> None:
        if not self.is_over:
            self._counts.resets += 1
            self._drop(is_reset=True)

    def close(self) -> None:
        if not self.is_over:
            self._drop(is_reset=False)

    def leave(self) -> None:
        """The program drops the connection: the far end hears of it if anything gets through, or when it does again."""
        if self.is_over:
            return
        if self._belts and self._out.is_cut:
            self.is_left = True
            self._wake()
        else:
            self._drop(is_reset=False)

    def _drop(self, *, is_reset: bool) -> None:
        self._end = "reset" if is_reset else "closed"
        for belt in self._belts:
            belt.discard()
        self._straight.cancel(reason="the connection is over")
        self._wake()
        self._on_over(self)
        if self._is_struck and self._out.handed and not is_reset:  # what has got through is written first
            self._timer.at(trio.current_time() + LINGER_S, lambda _: self._shut(is_reset=False))
        else:
            self._shut(is_reset=is_reset)

    def _shut(self, *, is_reset: bool) -> None:
        if self._is_shut:
            return
        self._is_shut = True
        sock = self._socket()
        if sock is None:
            self._spawn(partial(trio.aclose_forcefully, self.inner))
        else:
            if is_reset:
                try:
                    sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, _RST)
                except OSError:
                    pass  # it has gone by itself
            sock.close()

    def _wake(self) -> None:
        for belt in self._belts:
            belt.news.unpark_all()

    def _socket(self) -> trio.socket.SocketType | None:
        under: object = self.inner
        while not isinstance(under, trio.SocketStream):
            under = getattr(under, "transport_stream", None) or getattr(under, "inner", None)
            if under is None:
                return None
        return under.socket

    # --- the program's side --------------------------------------------------------------------------------------

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._check()
        if not self._is_struck:
            self._out.active_at = trio.current_time()
            try:
                await self.inner.send_all(data)
            except trio.ClosedResourceError:
                self._check()
                raise
            return
        rest = memoryview(data)
        while rest:
            await self._out.admitted()
            self._check()
            size = self._out.piece_bytes
            self._out.lay(bytes(rest[:size]))
            rest = rest[size:]
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        self._check()
        if not self._is_struck:
            await self.inner.wait_send_all_might_not_block()
            return
        await trio.lowlevel.checkpoint()
        while self._out.handed and not self.is_over:
            await self._out.news.park()
        await self._out.admitted()
        self._check()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if not self._is_struck and not self.is_over:
            try:
                with trio.CancelScope() as self._straight:
                    async with self._reading:
                        data = await self.inner.receive_some(max_bytes)
                    self._in.active_at = trio.current_time()
                    return data
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                if not self.is_over:
                    raise
        await trio.lowlevel.checkpoint()
        coming = self._in
        while not coming.handed:
            if self._end == "closed" or (coming.has_ended and not self.is_over):
                return b""
            self._check()
            await coming.news.park()
        return coming.taken(max_bytes or PIECE_BYTES)

    async def aclose(self) -> None:
        self.leave()
        await trio.lowlevel.checkpoint()

    def _check(self) -> None:
        if self.is_left:
            raise trio.ClosedResourceError("this stream was closed")
        if self._end is not None:
            raise trio.BrokenResourceError(f"the connection was {self._end} by a fault")

    # --- the network's side --------------------------------------------------------------------------------------

    def forget(self) -> None:
        super().forget()
        if not self._is_struck and not self.is_over:
            self._strike()

    def fail(self) -> None:
        """The connection below broke: so does this, unless the news would vanish on the way."""
        if not self.is_over:
            super().fail()

    async def _pump(self) -> None:
        """Read what comes, and lay it on the belt."""
        coming = self._in
        while not self.is_over:
            await coming.admitted()
            try:
                async with self._reading:
                    data = await self.inner.receive_some(coming.piece_bytes)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await coming.heard_out()
                self.fail()
                return
            if not data:
                await coming.heard_out()
                coming.lay_end()
                return
            if not coming.is_deaf:  # or it has fallen silent meanwhile: then it waits like what follows
                await coming.admitted()
            coming.lay(bytes(data))

    async def _write(self) -> None:
        """Write what the belt has handed over."""
        going = self._out
        while not self._is_shut:
            if data := bytes(going.handed):
                try:
                    await self.inner.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.fail()
                    return
                going.taken(len(data))
            elif self.is_over:
                self._shut(is_reset=False)
            else:
                await going.news.park()
