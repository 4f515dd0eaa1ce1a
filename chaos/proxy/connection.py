"""One connection through the relay: two sockets, two pipes, and the ways it can end."""

import socket
import struct
from collections.abc import Callable, Sequence

import trio

from chaos.faults import Stream
from chaos.model.carried import Carried, InForce
from chaos.model.counts import Counts
from chaos.proxy.pipe import End, Pipe
from chaos.proxy.ready import Ready, Watch

_RST = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


def reset(sock: socket.socket) -> None:
    """Close with a real RST, whatever is in the buffers."""
    if sock.fileno() < 0:
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    except OSError:
        pass  # it has gone by itself
    close(sock)


def close(sock: socket.socket) -> None:
    """Close in order; who waits for the socket is woken with trio.ClosedResourceError."""
    if sock.fileno() >= 0:
        trio.lowlevel.notify_closing(sock)
        sock.close()


class Connection(Carried):
    """What a client opened. Whoever works for it does so inside `scope`, which `abort` and `close` cancel."""

    def __init__(self, client: socket.socket, number: int, seed: str, ready: Ready, counts: Counts) -> None:
        super().__init__(number, seed, ready.wheel, counts)
        self.pipes: tuple[Pipe, ...] = ()
        self.scope = trio.CancelScope()
        self._client = client
        self._server: socket.socket | None = None
        self._ready = ready
        self._watches: list[Watch] = []
        self._ended = 0
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def belts(self) -> Sequence[Pipe]:
        return self.pipes

    @property
    def is_over(self) -> bool:
        return self.scope.cancel_called

    def adopt(self, faults: InForce) -> None:
        super().adopt(faults)
        self._changed.unpark_all()

    async def wait_changed(self) -> None:
        """Wait until the faults change."""
        await self._changed.park()

    # --- ends ----------------------------------------------------------------------------------------------------

    def abort(self) -> None:
        if not self.scope.cancel_called:
            self._counts.resets += 1
            self._end(reset)

    def close(self) -> None:
        self._end(close)

    def _end(self, how: Callable[[socket.socket], None]) -> None:
        self.scope.cancel(reason="the relay ends the connection")
        for pipe in self.pipes:
            pipe.stop()
        for watch in self._watches:
            watch.leave()
        for sock in (self._client, self._server):
            if sock is not None:
                how(sock)

    # --- carrying ------------------------------------------------------------------------------------------------

    def join(self, server: socket.socket) -> None:
        """Lay the pipes to the server; the faults must be adopted again afterwards."""
        self._server = server
        ends = [End(sock, self._ready.watch(sock)) for sock in (self._client, server)]
        self._watches = [end.watch for end in ends]
        up, down = self._pipe(Stream.UPSTREAM, *ends), self._pipe(Stream.DOWNSTREAM, *reversed(ends))
        up.twin, down.twin = down, up
        self.pipes = (up, down)

    def _pipe(self, stream: Stream, source: End, sink: End) -> Pipe:
        return Pipe(
            stream,
            source,
            sink,
            self._timer,
            self._counts,
            self._ready.shortcut,
            on_end=self._on_end,
            on_limit=self.close,
            on_error=self.fail,
        )

    async def carry(self) -> None:
        """Carry bytes both ways until both ends are done."""
        for pipe in self.pipes:
            pipe.start()
        await trio.sleep_forever()  # `scope` ends it

    def _on_end(self, pipe: Pipe) -> None:
        try:
            pipe.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone by itself
        self._ended += 1
        if self._ended == 2:
            self.close()
