"""One listener of the relay, the server behind it, and the faults between them."""

import contextlib
import socket

import trio

from chaos.faults import CaptivePortal, Ignore, Refuse
from chaos.model.placing import Placing
from chaos.model.portal import PORTAL, PORTAL_S
from chaos.proxy.connection import Connection, reset
from chaos.proxy.ready import Ready

__all__ = ["Proxy", "split_address"]

CONNECTIONS_MAX = 2000
"""Past it new connections are reset, and counted as refused: each costs two files."""

CONNECT_S = 30.0

NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", None)


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of "host:port", "[v6]:port" or ":port". Raises ValueError with words."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Proxy(Placing):
    """`listen` and `upstream` are "host:port". `seed` decides every draw, with the order of the connections.

    `start` and `stop` it inside `nursery`, where `ready` runs.
    """

    def __init__(
        self,
        name: str,
        listen: str,
        upstream: str,
        nursery: trio.Nursery,
        ready: Ready,
        seed: str = "0",
    ) -> None:
        super().__init__(seed, nursery)
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.ready = ready
        self.receive_buffer_bytes = 0
        self._connections: set[Connection] = set()
        self._listening: trio.CancelScope | None = None
        self._listeners: list[trio.SocketListener] = []

    @property
    def connections(self) -> set[Connection]:
        return self._connections

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self._listening is not None

    @property
    def port(self) -> int:
        return split_address(self.listen)[1]

    async def start(self) -> None:
        """Listen. Raises OSError, and ValueError for an address that is none; then nothing has changed."""
        if self._listening is not None:
            return
        host, port = split_address(self.listen)
        split_address(self.upstream)
        listeners = await trio.open_tcp_listeners(port, host=host or None)
        for listener in listeners:
            if self.receive_buffer_bytes:  # before anything is accepted: an accepted socket inherits it
                size = self.receive_buffer_bytes
                listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        if not port:
            port = listeners[0].socket.getsockname()[1]
            for listener in listeners[1:]:  # another family, on a port of its own: one is enough
                await listener.aclose()
            self.listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            listeners = listeners[:1]
        self._listeners = listeners
        self._listening = trio.CancelScope()
        self.nursery.start_soon(self._accept, listeners, self._listening)

    def stop(self) -> None:
        """Stop listening, and close what is open. Faults stay as they are."""
        if self._listening is not None:
            self._listening.cancel(reason="the proxy stops")
            self._listening = None
            for listener in self._listeners:
                listener.socket.close()
        for connection in list(self.connections):
            connection.close()

    async def _accept(self, listeners: list[trio.SocketListener], scope: trio.CancelScope) -> None:
        with scope:
            try:
                await trio.serve_listeners(self._serve, listeners, handler_nursery=self.nursery)
            except* trio.ClosedResourceError:
                pass  # stopped before the cancellation came to it
            finally:
                for listener in listeners:
                    listener.socket.close()

    # --- connections ---------------------------------------------------------------------------------------------

    async def _serve(self, stream: trio.SocketStream) -> None:
        client = _taken(stream)
        number, self.counts.connections = self.counts.connections, self.counts.connections + 1
        if len(self.connections) >= CONNECTIONS_MAX:
            self.counts.refused += 1
            reset(client)
            return
        seed = f"{self.seed}/{self.name}"
        connection = Connection(client, number, seed, self.ready, self.counts)
        self.connections.add(connection)
        try:
            with connection.scope:
                self.meet(connection)
                await self._join(connection, client)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # one end went, and the other with it
        finally:
            self.connections.discard(connection)
            connection.close()

    async def _join(self, connection: Connection, client: socket.socket) -> None:
        if connection.has(Refuse) or self.is_out(connection, "reset", "close"):
            self.counts.refused += 1
            connection.abort()
            return
        if connection.has(CaptivePortal):
            with trio.move_on_after(PORTAL_S):
                await trio.lowlevel.checkpoint()  # nobody waits for a socket that is closed already
                await trio.lowlevel.wait_readable(client)
                client.recv(64 * 1024)
                client.send(PORTAL)
                client.shutdown(socket.SHUT_WR)
                await trio.lowlevel.wait_readable(client)  # or else a reset overtakes the page
            return
        if connection.has(Ignore):
            while connection.has(Ignore):
                await connection.wait_changed()
            connection.abort()
            return
        while self.hangs(connection):
            await connection.wait_changed()
        host, port = split_address(self.upstream)
        with trio.move_on_after(CONNECT_S) as connecting:
            server = _taken(await trio.open_tcp_stream(host or "127.0.0.1", port))
        if connecting.cancelled_caught:
            return
        connection.join(server)
        self.meet(connection)
        await connection.carry()


def _taken(stream: trio.SocketStream) -> socket.socket:
    """Take the socket out of a Trio stream, for the pipes; see pipe.py."""
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if NOTSENT_LOWAT is not None:  # Trio's choice keeps little in the kernel, which costs bulk its speed
            sock.setsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT, 2**31 - 1)
    return sock
