"""A stream under faults, inside of the daemon that uses it: the network begins right below its WebSocket.

Without faults it is the stream below and nothing else. From the first fault on, what is sent is laid on a belt and
written when its time comes, and what comes is read as it comes and laid on another.
"""

import struct
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from chaos.faults import CaptivePortal, Ignore, Refuse, Stream
from chaos.inside.handed import PIECE_BYTES, HandedBelt
from chaos.model.belt import Belt, Timer
from chaos.model.carried import Carried, InForce
from chaos.model.counts import Counts
from chaos.model.portal import PORTAL

__all__ = ["FaultyStream"]

LINGER_S = 1.0
"""What has got through when a connection is closed is written so long."""

_RST = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


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
        self._belts: tuple[HandedBelt, ...] = ()
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
    def _out(self) -> HandedBelt:
        return self._belts[0]

    @property
    def _in(self) -> HandedBelt:
        return self._belts[1]

    def open(self, meet: Callable[["FaultyStream"], None], *, is_refused: Callable[[], bool]) -> None:
        """Let the faults meet it: first those of new connections, then all."""
        meet(self)
        incoming = Stream.DOWNSTREAM if self._outgoing is Stream.UPSTREAM else Stream.UPSTREAM
        self._belts = (
            HandedBelt(self._outgoing, self._timer, self._counts, self),
            HandedBelt(incoming, self._timer, self._counts, self),
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
