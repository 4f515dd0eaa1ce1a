"""Libraries run unchanged: trio-websocket at both ends, httpx against an h11 server, also on localhost."""

import contextlib

import h11
import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, open_websocket_url, serve_websocket

from chaos.simnet import World, run_world


async def echo(request: WebSocketRequest) -> None:
    socket = await request.accept()
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.send_message(await socket.get_message())


def test_trio_websocket_at_both_ends() -> None:
    async def main(world: World) -> float:
        async with trio.open_nursery() as nursery:
            with world.net.host("hub"):
                await nursery.start(serve_websocket, echo, None, 8443, None)
            with world.net.host("edge"):
                async with open_websocket_url("ws://hub:8443/link") as socket:
                    began = trio.current_time()
                    for size in (0, 1, 200, 100_000):
                        message = world.rng("payload").randbytes(size)
                        await socket.send_message(message)
                        assert await socket.get_message() == message
                    await socket.ping()
                    took_s = trio.current_time() - began
            nursery.cancel_scope.cancel()
        return took_s

    # Five round trips of 40 ms, and nothing else takes time.
    assert run_world(1, main).value == pytest.approx(0.2)


async def answer_http(stream: trio.SocketStream) -> None:
    connection = h11.Connection(h11.SERVER)
    while connection.our_state is not h11.MUST_CLOSE:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some())
        elif event is h11.PAUSED:
            connection.start_next_cycle()
        elif isinstance(event, h11.EndOfMessage):
            body = b"lap " * 50_000
            head = h11.Response(status_code=200, headers=[("content-length", str(len(body)))])
            await stream.send_all(connection.send(head) or b"")
            await stream.send_all(connection.send(h11.Data(body)) or b"")
            await stream.send_all(connection.send(h11.EndOfMessage()) or b"")
        elif isinstance(event, h11.ConnectionClosed):
            break
    await stream.aclose()


@pytest.mark.parametrize("server", ["pits", "elsewhere"])
def test_httpx_fetches_from_an_h11_server(server: str) -> None:
    async def main(world: World) -> int:
        connections = 0

        async def count_and_answer(stream: trio.SocketStream) -> None:
            nonlocal connections
            connections += 1
            await answer_http(stream)

        async with trio.open_nursery() as nursery:
            with world.net.host(server):
                await nursery.start(trio.serve_tcp, count_and_answer, 8080)
            with world.net.host("pits"):
                url = f"http://{'localhost' if server == 'pits' else server}:8080/"
                async with httpx.AsyncClient() as client:
                    first = await client.get(url)
                    await trio.sleep(1)  # kept alive
                    second = await client.get(url)
                    await trio.sleep(60)  # expired, by virtual time
                    third = await client.get(url)
            nursery.cancel_scope.cancel()
        assert first.content == second.content == third.content == b"lap " * 50_000
        return connections

    assert run_world(1, main).value == 2
