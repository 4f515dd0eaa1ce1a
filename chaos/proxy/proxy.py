"""One listener of the relay, the server behind it, and the faults between them."""

import contextlib
import random
import socket

import trio
from attrs import define, field

from chaos.faults import Bandwidth, CaptivePortal, Ignore, Outage, Placed, Refuse, Silence, Stream
from chaos.proxy.connection import Connection, reset
from chaos.proxy.counts import Counts
from chaos.proxy.wheel import Wheel
from chaos.simnet.link import Conditions, OneWay

__all__ = ["Proxy", "split_address"]

CONNECTIONS_MAX = 2000
"""Past it new connections are reset, and counted as refused: each costs two files."""

CONNECT_S = 30.0
PORTAL_S = 10.0
PORTAL_PAGE = b"<!doctype html><title>Welcome</title><h1>Guest Wi-Fi</h1><p>Please sign in to go on.</p>\n"
PORTAL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    % len(PORTAL_PAGE)
) + PORTAL_PAGE

STOPPED_BYTES_S = 1e-3
"""A line with rate 0 stands still; this is its rate on paper."""

NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_BOTH = (Stream.UPSTREAM, Stream.DOWNSTREAM)


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of "host:port", "[v6]:port" or ":port". Raises ValueError with words."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


@define(eq=False)
class Proxy:
    """`listen` and `upstream` are "host:port". `seed` decides every draw, with the order of the connections.

    `start` and `stop` it inside `nursery`, on whose `wheel` its bytes ride.
    """

    name: str
    listen: str
    upstream: str
    nursery: trio.Nursery
    wheel: Wheel
    seed: str = "0"
    receive_buffer_bytes: int = 0
    placed: dict[str, Placed] = field(factory=dict, init=False)
    counts: Counts = field(factory=Counts, init=False)
    connections: set[Connection] = field(factory=set, init=False)
    _lines: dict[tuple[str, Stream], OneWay] = field(factory=dict, init=False)
    _out: set[str] = field(factory=set, init=False)
    _outages: dict[str, trio.CancelScope] = field(factory=dict, init=False)
    _listening: trio.CancelScope | None = field(default=None, init=False)
    _listeners: list[trio.SocketListener] = field(factory=list, init=False)

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

    # --- faults --------------------------------------------------------------------------------------------------

    def place(self, placed: Placed) -> None:
        """Add a fault, or change the one of that name, live."""
        before = self.placed.get(placed.name)
        self.placed[placed.name] = placed
        if isinstance(placed.fault, Outage):
            if before is None or before.fault != placed.fault:
                self._end_outage(placed.name)
                scope = self._outages[placed.name] = trio.CancelScope()
                self.nursery.start_soon(self._play, placed.name, placed.fault, scope)
        else:
            self._end_outage(placed.name)
        self._adopt()

    def remove(self, name: str) -> None:
        """End a fault; one that is not there is no matter."""
        if self.placed.pop(name, None) is not None:
            self._end_outage(name)
            self._adopt()

    def clear(self) -> None:
        """End all faults."""
        for name in list(self.placed):
            self.remove(name)

    def _end_outage(self, name: str) -> None:
        self._out.discard(name)
        if (scope := self._outages.pop(name, None)) is not None:
            scope.cancel(reason="the fault ends")

    async def _play(self, name: str, outage: Outage, scope: trio.CancelScope) -> None:
        rng = random.Random(f"{self.seed}/{name}/outage")

        def draw(mean_s: float) -> float:
            return rng.expovariate(1 / mean_s) if outage.spread == "exponential" else mean_s

        with scope:
            while True:
                await trio.sleep(draw(outage.up_s))
                down_s = draw(outage.down_s)
                self._out.add(name)
                self._adopt()
                for connection in list(self.connections):
                    if name in connection.met and outage.how != "silence":
                        (connection.abort if outage.how == "reset" else connection.close)()
                await trio.sleep(min(down_s, outage.most_s) if outage.most_s else down_s)
                self._out.discard(name)
                self._adopt()

    def _adopt(self) -> None:
        now = trio.current_time()
        self._adopt_lines(now)
        for connection in list(self.connections):
            connection.adopt(self.placed, self._lines, frozenset(self._out))

    def _adopt_lines(self, now: float) -> None:
        wanted = {
            (name, stream): one.fault
            for name, one in self.placed.items()
            if isinstance(one.fault, Bandwidth)
            for stream in _BOTH
            if one.stream.covers(stream)
        }
        for key in set(self._lines) - set(wanted):
            del self._lines[key]
            self._hasten(key, 0.0, now)
        for (name, stream), fault in wanted.items():
            rate = fault.rate_bytes_s or STOPPED_BYTES_S
            conditions = Conditions(latency_s=0.0, rate_bytes_s=rate, queue_bytes=fault.queue)
            line = self._lines.get((name, stream))
            if line is None:
                line = OneWay(conditions, random.Random(0))
                self._lines[(name, stream)] = line
            elif line.conditions != conditions:
                self._hasten((name, stream), line.change(conditions, now), now)
            stands = fault.rate_bytes_s == 0 or self._is_silent(stream)
            (line.pause if stands else line.resume)(now)

    def _hasten(self, key: tuple[str, Stream], factor: float, now: float) -> None:
        name, stream = key
        for connection in self.connections:
            for pipe in connection.pipes:
                if pipe.stream is stream and name in connection.met:
                    pipe.hasten(factor, now)

    def _is_silent(self, stream: Stream) -> bool:
        """Whether nobody's bytes move in this direction."""
        return any(
            one.stream.covers(stream)
            and one.toxicity >= 1
            and (isinstance(one.fault, Silence) or one.name in self._out)
            for one in self.placed.values()
        )

    # --- connections ---------------------------------------------------------------------------------------------

    async def _serve(self, stream: trio.SocketStream) -> None:
        client = _taken(stream)
        number, self.counts.connections = self.counts.connections, self.counts.connections + 1
        if len(self.connections) >= CONNECTIONS_MAX:
            self.counts.refused += 1
            reset(client)
            return
        connection = Connection(client, number, f"{self.seed}/{self.name}", self.wheel, self.counts)
        self.connections.add(connection)
        try:
            with connection.scope:
                connection.adopt(self.placed, self._lines, frozenset(self._out))
                await self._join(connection, client)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # one end went, and the other with it
        finally:
            self.connections.discard(connection)
            connection.close()

    async def _join(self, connection: Connection, client: socket.socket) -> None:
        if connection.has(Refuse) or self._is_out(connection, "reset", "close"):
            self.counts.refused += 1
            connection.abort()
            return
        if connection.has(CaptivePortal):
            with trio.move_on_after(PORTAL_S):
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
        while self._hangs(connection):
            await connection.wait_changed()
        host, port = split_address(self.upstream)
        with trio.move_on_after(CONNECT_S) as connecting:
            server = _taken(await trio.open_tcp_stream(host or "127.0.0.1", port))
        if connecting.cancelled_caught:
            return
        connection.join(server)
        connection.adopt(self.placed, self._lines, frozenset(self._out))
        await connection.carry()

    def _is_out(self, connection: Connection, *how: str) -> bool:
        faults = [connection.met[name].fault for name in self._out if name in connection.met]
        return any(isinstance(fault, Outage) and fault.how in how for fault in faults)

    def _hangs(self, connection: Connection) -> bool:
        """Whether the first packet of a connection would not get through."""
        return any(
            one.stream.covers(Stream.UPSTREAM) and (isinstance(one.fault, Silence) or one.name in self._out)
            for one in connection.met.values()
        )


def _taken(stream: trio.SocketStream) -> socket.socket:
    """Take the socket out of a Trio stream, for the pipes; see pipe.py."""
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if NOTSENT_LOWAT is not None:  # Trio's choice keeps little in the kernel, which costs bulk its speed
            sock.setsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT, 2**31 - 1)
    return sock
