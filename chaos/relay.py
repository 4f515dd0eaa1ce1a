"""A TCP relay that behaves like a bad uplink: rate with a finite queue, delay, silences, resets, refusals.

The same model of a direction as in the simulated network (`chaos.simnet.link`), on real sockets: bytes are read while
the modem's queue has room, and delivered when they would arrive. Nothing is ever dropped from a stream.
"""

import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from functools import partial

import trio
from attrs import define, field

from chaos.profiles import Profile
from chaos.simnet.link import Conditions, OneWay

_READ_BYTES = 4 * 1024
_SOCKET_BUFFER_BYTES = 16 * 1024
"""The relay's own receive buffer: what the kernel holds here would be a second, hidden modem."""


@define(eq=False)
class Relay:
    """Relays every connection to one target, through one shared model of each direction.

    `pause` is silence (nothing moves, connections stay), `cut` resets what is open, `refuse` closes the port's ear.
    """

    host: str
    port: int
    profile: Profile
    seed: int = 0
    connections: int = field(default=0, init=False)
    up: OneWay = field(init=False)
    down: OneWay = field(init=False)
    _refusing: bool = field(default=False, init=False)
    _open: set[trio.SocketStream] = field(factory=set, init=False)
    _swallowed: set[trio.SocketStream] = field(factory=set, init=False)
    bytes_up: int = field(default=0, init=False)
    bytes_down: int = field(default=0, init=False)
    _moved: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self.up = OneWay(self.profile.up, random.Random(f"{self.seed}/up"))
        self.down = OneWay(self.profile.down, random.Random(f"{self.seed}/down"))

    async def run(
        self, port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve on loopback; `started` hands over the port. Plays the profile's outages. Cancel it to stop."""
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
        for listener in listeners:
            # before anything is accepted: an accepted socket inherits it
            listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._play_outages)
            await nursery.start(trio.serve_listeners, self._serve, listeners)
            task_status.started(listeners[0].socket.getsockname()[1])

    # --- faults --------------------------------------------------------------------------------------------------

    def change(self, up: Conditions | None = None, down: Conditions | None = None) -> None:
        """Adopt new conditions; what is under way keeps its arrival."""
        now = trio.current_time()
        if up is not None:
            self.up.change(up, now)
        if down is not None:
            self.down.change(down, now)
        self._move()

    def pause(self) -> None:
        """Fall silent in both directions: bytes stay where they are, nothing is closed, new connections hang."""
        for way in (self.up, self.down):
            way.pause(trio.current_time())
        self._move()

    def resume(self) -> None:
        """Let everything move again, and accept connections again."""
        self._refusing = False
        for way in (self.up, self.down):
            way.resume(trio.current_time())
        self._move()

    def cut(self) -> None:
        """Reset every open connection (RST both ways)."""
        for stream in list(self._open):
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.socket.close()

    def refuse(self) -> None:
        """Reset what is open and every new connection, until `resume`."""
        self._refusing = True
        self.cut()

    def swallow(self) -> None:
        """Let the connections that are open now fall silent for ever, as a forgotten NAT mapping does. New ones work."""
        self._swallowed |= self._open

    def _move(self) -> None:
        self._moved.set()
        self._moved = trio.Event()

    async def _play_outages(self) -> None:
        for gap_s, length_s in self.profile.outages(random.Random(f"{self.seed}/outages")):
            await trio.sleep(gap_s)
            if self.profile.cuts:
                self.refuse()
            else:
                self.pause()
            await trio.sleep(length_s)
            self.resume()

    # --- connections ---------------------------------------------------------------------------------------------

    async def _serve(self, client: trio.SocketStream) -> None:
        self.connections += 1
        async with client:
            self._open.add(client)
            try:
                if self._refusing:
                    self.cut()
                    return
                while self.up.paused:
                    await self._moved.wait()
                server = await trio.open_tcp_stream(self.host, self.port)
                async with server:
                    self._open.add(server)
                    try:
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(self._pump, client, server, self.up)
                            nursery.start_soon(self._pump, server, client, self.down)
                    finally:
                        self._open.discard(server)
                        self._swallowed.discard(server)
            except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # one end went: closing both, as leaving these blocks does, is all a relay can do
            finally:
                self._open.discard(client)
                self._swallowed.discard(client)

    async def _pump(self, source: trio.SocketStream, target: trio.SocketStream, way: OneWay) -> None:
        under_way: deque[tuple[float, bytes]] = deque()
        queued = trio.Event()

        async def deliver() -> None:
            nonlocal queued
            while True:
                while not under_way:
                    await queued.wait()
                arrives_at, data = under_way[0]
                await self._sleep_until(partial(way.real, arrives_at))
                under_way.popleft()
                if source in self._swallowed or target in self._swallowed:
                    continue
                if not data:
                    await target.send_eof()
                    return
                await target.send_all(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliver)
            last_at = 0.0
            while True:
                await self._sleep_until(lambda: way.room_at(_READ_BYTES, trio.current_time()))
                data = await source.receive_some(_READ_BYTES)
                if way is self.up:
                    self.bytes_up += len(data)
                else:
                    self.bytes_down += len(data)
                _, arrives_at = way.carry(len(data), trio.current_time())
                last_at = max(last_at, arrives_at)  # jitter never reorders a stream
                under_way.append((last_at, bytes(data)))
                queued.set()
                queued = trio.Event()
                if not data:
                    return

    async def _sleep_until(self, when: Callable[[], float]) -> None:
        """Sleep until `when()`, looking again whenever conditions change."""
        while (at := when()) > trio.current_time():
            with trio.move_on_at(at):
                await self._moved.wait()
