"""Two hosts and a connection between them, for tests that are about one connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from chaos.simnet import World


@asynccontextmanager
async def connected(world: World) -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    """Yield (client's stream on host "a", server's stream on host "b")."""
    with world.net.host("b"):
        (listener,) = await trio.open_tcp_listeners(80)
    with world.net.host("a"):
        client = await trio.open_tcp_stream("b", 80)
    server = await listener.accept()
    await listener.aclose()
    async with client, server:
        yield client, server


async def read_exactly(stream: trio.SocketStream, size: int) -> bytes:
    """Read `size` bytes; fail at an early end."""
    data = b""
    while len(data) < size:
        part = await stream.receive_some(size - len(data))
        assert part, f"the stream ended {size - len(data)} bytes early"
        data += part
    return data
