"""The port that stays the same while the program behind it goes off, on and over."""

import contextlib
import errno
import socket
import struct
from collections.abc import AsyncIterator

import trio

__all__ = ["bind", "reserved", "reset_on_close"]

BACKLOG = 64
REBIND_ATTEMPTS = 50
REBIND_EVERY_S = 0.02


def reset_on_close(stream: trio.SocketStream) -> None:
    """Let the coming close send RST instead of FIN, as `HttpListener.Abort` does."""
    with contextlib.suppress(OSError):
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.asynccontextmanager
async def reserved(port: int, host: str) -> AsyncIterator[int]:
    """Yield the port to serve on.

    A free one (0) is held by a bound socket that never listens: connections to it are refused, and nobody
    else gets it while the listener is down.
    """
    if port:
        yield port
        return
    family = (await trio.socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM))[0][0]
    with trio.socket.socket(family, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await holder.bind((host, 0))
        yield holder.getsockname()[1]


async def bind(port: int, host: str) -> list[trio.SocketListener]:
    """Listen; the sockets of the listener before may take a moment to go."""
    for _ in range(REBIND_ATTEMPTS):
        try:
            return await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await trio.sleep(REBIND_EVERY_S)
    return await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
