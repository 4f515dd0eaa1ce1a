"""Programs at both ends of a relay, and the relay between them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define

from chaos.proxy.board import Board, open_board
from chaos.proxy.proxy import Proxy


@define(eq=False)
class Server:
    """Takes connections and keeps them; `next()` gives them in order."""

    port: int
    _taken: trio.MemoryReceiveChannel[trio.SocketStream]

    async def next(self) -> trio.SocketStream:
        return await self._taken.receive()


@define(eq=False)
class Bench:
    """A board with one proxy, "relay", to `server`."""

    board: Board
    proxy: Proxy
    server: Server
    clients: list[trio.SocketStream]

    async def dial(self) -> trio.SocketStream:
        """Connect to the relay alone: the server has heard nothing yet, perhaps."""
        self.clients.append(await trio.open_tcp_stream("127.0.0.1", self.proxy.port))
        return self.clients[-1]

    async def pair(self) -> tuple[trio.SocketStream, trio.SocketStream]:
        """Return both ends of a connection that the relay carries."""
        client = await self.dial()
        server = await self.server.next()
        while not all(connection.pipes for connection in self.proxy.connections):
            await trio.sleep(0.001)
        return client, server


@asynccontextmanager
async def open_bench(*, seed: str = "1", lease_s: float = 0.0) -> AsyncIterator[Bench]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    send, taken = trio.open_memory_channel[trio.SocketStream](100)
    async with trio.open_nursery() as nursery, open_board(seed=seed, lease_s=lease_s) as board:

        async def keep(stream: trio.SocketStream) -> None:
            await send.send(stream)
            await trio.sleep_forever()

        nursery.start_soon(trio.serve_listeners, keep, listeners)
        port = listeners[0].socket.getsockname()[1]
        proxy = await board.create("relay", "127.0.0.1:0", f"127.0.0.1:{port}")
        bench = Bench(board, proxy, Server(port, taken), [])
        try:
            with trio.fail_after(20):
                yield bench
        finally:
            for client in bench.clients:
                client.socket.close()
            nursery.cancel_scope.cancel()


async def read(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    """Read exactly so much, or what comes until the end."""
    found = b""
    while len(found) < count:
        data = await stream.receive_some(count - len(found))
        if not data:
            break
        found += data
    return found


async def is_silent(stream: trio.abc.ReceiveStream, seconds: float = 0.15) -> bool:
    """Whether nothing comes for a while, not even an end."""
    with trio.move_on_after(seconds):
        await stream.receive_some(1)
        return False
    return True


async def is_reset(stream: trio.abc.ReceiveStream) -> bool:
    """Whether the connection is reset, and not closed in order."""
    try:
        await stream.receive_some(1)
    except trio.BrokenResourceError as exc:
        return isinstance(exc.__cause__, ConnectionResetError)
    return False
