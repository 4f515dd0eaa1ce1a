"""One connection through the relay: two sockets, two pipes, and the ways it can end."""

import socket
import struct
from collections.abc import Callable, Mapping, Sequence

import trio

from chaos.faults import Placed, Stream
from chaos.model.belt import Timer
from chaos.model.carried import Carried
from chaos.model.counts import Counts
from chaos.proxy.pipe import Pipe
from chaos.simnet.link import OneWay

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

    def __init__(self, client: socket.socket, number: int, seed: str, timer: Timer, counts: Counts) -> None:
        super().__init__(number, seed, timer, counts)
        self.pipes: tuple[Pipe, ...] = ()
        self.scope = trio.CancelScope()
        self._client = client
        self._server: socket.socket | None = None
        self._ended = 0
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def belts(self) -> Sequence[Pipe]:
        return self.pipes

    @property
    def is_over(self) -> bool:
        return self.scope.cancel_called

    def adopt(
        self,
        placed: Mapping[str, Placed],
        lines: Mapping[tuple[str, Stream], OneWay],
        out: frozenset[str],
    ) -> None:
        super().adopt(placed, lines, out)
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
            pipe.discard()
        for sock in (self._client, self._server):
            if sock is not None:
                how(sock)

    # --- carrying ------------------------------------------------------------------------------------------------

    def join(self, server: socket.socket) -> None:
        """Lay the pipes to the server; the faults must be adopted again afterwards."""
        self._server = server
        pipes = [
            Pipe(
                stream,
                source,
                sink,
                self._timer,
                self._counts,
                on_end=self._on_end,
                on_limit=self.close,
                on_error=self.fail,
            )
            for stream, source, sink in (
                (Stream.UPSTREAM, self._client, server),
                (Stream.DOWNSTREAM, server, self._client),
            )
        ]
        pipes[0].twin, pipes[1].twin = pipes[1], pipes[0]
        self.pipes = tuple(pipes)

    async def carry(self) -> None:
        """Carry bytes both ways until both ends are done."""
        async with trio.open_nursery() as nursery:
            for pipe in self.pipes:
                nursery.start_soon(pipe.run)
                nursery.start_soon(pipe.write_when_blocked)

    def _on_end(self, pipe: Pipe) -> None:
        try:
            pipe.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone by itself
        self._ended += 1
        if self._ended == 2:
            self.close()
