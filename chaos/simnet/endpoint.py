"""One end of one TCP connection: its two pipes, who waits on them, and how it ends."""

import errno
import os
from typing import TYPE_CHECKING

import outcome
import trio

from .pipe import Outlet, Pipe

if TYPE_CHECKING:
    from .hosts import Host
    from .sockets import SimSocket


class Endpoint:
    """One end of a connection.

    It outlives its socket until the other end is done too, as a kernel's would.
    """

    inbound: Pipe
    outbound: Outlet
    peer: "Endpoint"

    def __init__(
        self, host: "Host", local: tuple[str, int], remote: tuple[str, int], listener: "SimSocket | None"
    ) -> None:
        self.host = host
        self.local = local
        self.remote = remote
        self.closed = False
        self.lost_power = False
        self._orphaned = False
        self.error: int | None = None
        self.reader: trio.lowlevel.Task | None = None
        self.writer: trio.lowlevel.Task | None = None
        self._listener = listener
        self._calls = 0

    def __repr__(self) -> str:
        state = "closed" if self.closed else errno.errorcode[self.error] if self.error else "open"
        return f"<Endpoint {self.host.name} {self.local[1]}>{self.remote[0]}:{self.remote[1]} {state}>"

    # -- what a socket asks for

    async def receive(self, max_bytes: int) -> bytes:
        """Return 1 to `max_bytes` bytes, or b"" at the end. Waits for them; cancelling takes nothing."""
        await trio.lowlevel.checkpoint_if_cancelled()
        pipe = self.inbound
        if self.readable():
            data = self._take(max_bytes)
            await self._perhaps_give_turn()
            return data
        while True:
            if self.reader is not None:
                raise trio.BusyResourceError("another task is already reading this socket")
            self.reader = trio.lowlevel.current_task()
            pipe.arm()
            await trio.lowlevel.wait_task_rescheduled(self._abort_read)
            if self.readable():
                return self._take(max_bytes)

    async def send(self, data: memoryview) -> int:
        """Put bytes into the send buffer and return how many fitted.

        Waits while it is full; cancelling then sends none.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.writable():
            sent = self.accept(data)
            await self._perhaps_give_turn()
            return sent
        await self._park_writer()
        return self.accept(data)

    async def wait_writable(self) -> None:
        """Wait until `send` would not wait."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.writable():
            await self._perhaps_give_turn()
        else:
            await self._park_writer()

    async def _perhaps_give_turn(self) -> None:
        self._calls += 1
        if not self._calls % self.host.network.turn_given_every:
            await trio.lowlevel.cancel_shielded_checkpoint()

    def readable(self) -> bool:
        """Whether `receive` would not wait."""
        pipe = self.inbound
        pipe.settle(self.host.network.timeline.now())
        return bool(pipe.arrived) or pipe.eof or self.error is not None

    def writable(self) -> bool:
        """Whether `send` would not wait."""
        pipe = self.outbound
        return pipe.queued_bytes < pipe.send_limit_bytes or self.error is not None or self.closed

    def _take(self, max_bytes: int) -> bytes:
        if self.inbound.arrived:
            return self.inbound.take(max_bytes)
        if self.error is not None and not self.inbound.eof:  # a stream that has ended stays so, as in Linux
            raise OSError(self.error, os.strerror(self.error))
        return b""

    def accept(self, data: memoryview) -> int:
        """Put bytes into the send buffer, which is not full, and return how many fitted. Raises OSError."""
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        if self._orphaned:
            # Nobody is there to take it: a reset comes back a round trip later.
            timeline = self.host.network.timeline
            timeline.at(timeline.now() + self.outbound.wire.round_trip_s(), self.on_reset)
            return len(data)
        return self.outbound.accept(data)

    async def _park_writer(self) -> None:
        while not self.writable():
            if self.writer is not None:
                raise trio.BusyResourceError("another task is already waiting to write to this socket")
            self.writer = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort_write)

    def _abort_read(self, _: object) -> trio.lowlevel.Abort:
        self.reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _abort_write(self, _: object) -> trio.lowlevel.Abort:
        self.writer = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake_reader(self) -> None:
        """Let the waiting reader look again."""
        if self.reader is not None:
            task, self.reader = self.reader, None
            trio.lowlevel.reschedule(task)

    def wake_writer(self) -> None:
        """Let the waiting writer look again."""
        if self.writer is not None:
            task, self.writer = self.writer, None
            trio.lowlevel.reschedule(task)

    # -- how it ends

    def close(self, *, abortive: bool) -> None:
        """Close as a kernel does:

        FIN after the buffer; a reset instead when abortive or when bytes were left unread.
        """
        if self.closed:
            return
        self.inbound.settle(self.host.network.timeline.now())
        self.closed = True
        for task in (self.reader, self.writer):
            if task is not None:
                trio.lowlevel.reschedule(
                    task, outcome.Error(trio.ClosedResourceError("another task closed this socket"))
                )
        self.reader = self.writer = None
        if self.error is None:
            if abortive or self.inbound.arrived:
                self.outbound.abort()
            else:
                self.outbound.finish()
        self.inbound.arrived.clear()
        self.inbound.arm()  # what is still under way to us has to be answered with a reset
        self._forget_when_done()

    def lose_power(self) -> None:
        """Vanish without a word: the buffer is lost, and nothing answers until the host is back."""
        self.outbound.vanish()
        self.outbound.dead = True
        self.inbound.die()
        self.closed = self.lost_power = True
        self.fail(errno.ENETDOWN)

    def regain_power(self) -> None:
        """Be answered for by a host that remembers nothing: what the peer sends again meets a reset."""
        self.outbound.dead = False
        self.inbound.revive_with_probe()

    def fail(self, code: int) -> None:
        """End with an errno that every later call raises; what had arrived may still be read.

        The peer is not told.
        """
        if self.error is None:
            self.error = code
        self.outbound.drop_unsent()
        self.wake_reader()
        self.wake_writer()
        self._forget_when_done()

    def on_reset(self) -> None:
        """A reset arrived."""
        self.fail(errno.EPIPE if self.inbound.eof else errno.ECONNRESET)

    def orphan(self) -> None:
        """Lose the peer to somebody in between who closed for it."""
        self._orphaned = True

    def on_timeout(self) -> None:
        """Nothing was acknowledged for too long."""
        self.fail(errno.ETIMEDOUT)

    def reach_listener(self) -> bool:
        """The handshake is complete: queue for `accept`.

        False when nobody listens any more or the backlog is full.
        """
        return self._listener is not None and self._listener.enqueue(self)

    def _forget_when_done(self) -> None:
        if (self.closed or self.error is not None) and (self.peer.closed or self.peer.error is not None):
            for pipe in (self.peer.inbound, self.inbound):
                pipe.wire.forget(pipe)
            self.host.network.connections.pop(min(self.peer.inbound.ident, self.inbound.ident), None)
