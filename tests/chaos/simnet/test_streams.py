"""The contract of Trio's streams, on the simulated network."""

import errno
import os
import struct
from contextlib import suppress

import pytest
import trio
import trio.testing

from chaos.simnet import Conditions, World, run_world

from .helpers import connected, read_exactly


@pytest.mark.parametrize("latency_s", [0.0, 0.05])
def test_socket_streams_keep_trios_contract(latency_s: float) -> None:
    async def main(world: World) -> None:
        with world.net.host("b"):
            (listener,) = await trio.open_tcp_listeners(80)

        async def make_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
            with world.net.host("a"):
                client = await trio.open_tcp_stream("b", 80)
            return client, await listener.accept()

        async def make_clogged_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
            left, right = await make_pair()
            for stream in (left, right):
                with trio.move_on_after(10):
                    while True:
                        await stream.socket.send(b"x" * 65536)
            return left, right

        await trio.testing.check_half_closeable_stream(make_pair, make_clogged_pair)

    run_world(1, main, conditions=Conditions(latency_s=latency_s))


def test_bytes_arrive_in_order_and_whole_however_they_are_cut() -> None:
    async def main(world: World) -> None:
        sent = world.rng("payload").randbytes(300_000)
        async with connected(world) as (client, server), trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, sent)
            assert await read_exactly(server, len(sent)) == sent

    conditions = Conditions(
        latency_s=0.03, jitter_s=0.03, rate_bytes_s=100_000, queue_bytes=5000, loss=0.1, split=0.5
    )
    run_world(1, main, conditions=conditions)


def test_os_write_takes_what_there_is_room_for_and_never_waits() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            fd = client.socket.fileno()
            written = os.write(fd, b"first")
            with suppress(BlockingIOError):
                while True:
                    written += os.write(fd, bytes(100_000))
            assert 256 * 1024 < written < 350 * 1024
            data = await read_exactly(server, written)
            assert data[:5] == b"first" and not any(data[5:])
            assert os.write(fd, b"more") == 4
            await client.send_eof()
            with pytest.raises(BrokenPipeError):
                os.write(fd, b"behind the end")
            await client.aclose()
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(fd, b"to nobody")
        read_end, write_end = os.pipe()
        assert os.write(write_end, b"a real one") == 10
        for real in (read_end, write_end):
            os.close(real)

    run_world(1, main)


def test_send_waits_while_the_reader_does_not_read() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            accepted = 0
            with trio.move_on_after(60):
                while True:
                    accepted += await client.socket.send(b"x" * 10_000)
            assert 256 * 1024 < accepted < 350 * 1024
            with trio.move_on_after(1) as scope:
                await client.wait_send_all_might_not_block()
            assert scope.cancelled_caught
            await read_exactly(server, 100_000)
            with trio.fail_after(1):
                await client.wait_send_all_might_not_block()

    run_world(1, main)


def test_a_closed_listener_refuses() -> None:
    async def main(world: World) -> None:
        world.net.add_host("b")
        with world.net.host("a"):
            with pytest.raises(OSError, match="all attempts") as caught:
                await trio.open_tcp_stream("b", 80)
            refused = caught.value.__cause__
            assert isinstance(refused, ExceptionGroup)
            assert refused.subgroup(ConnectionRefusedError) is not None
            assert trio.current_time() == pytest.approx(0.04)  # one round trip
            with pytest.raises(OSError, match="no host named"):
                await trio.open_tcp_stream("nowhere", 80)

    run_world(1, main)


def test_a_full_backlog_leaves_the_client_trying() -> None:
    async def main(world: World) -> None:
        with world.net.host("b"):
            (listener,) = await trio.open_tcp_listeners(80, backlog=1)
        async with trio.open_nursery() as nursery:
            with world.net.host("a"):
                first = await trio.open_tcp_stream("b", 80)
                await trio.sleep(1)
                nursery.start_soon(trio.open_tcp_stream, "b", 80)
            await trio.sleep(0.5)
            await listener.accept()
            with trio.fail_after(1.1):  # the second SYN, a second after the first
                await listener.accept()
            await first.aclose()

    run_world(1, main)


def test_closing_with_linger_0_resets_an_idle_peer() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            linger = struct.pack("ii", 1, 0)
            client.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
            await client.aclose()
            with pytest.raises(trio.BrokenResourceError) as caught:
                await server.receive_some()
            assert isinstance(caught.value.__cause__, ConnectionResetError)

    run_world(1, main)


def test_closing_sends_what_was_buffered_and_then_eof() -> None:
    async def main(world: World) -> None:
        world.net.link("a", "b").set(rate_bytes_s=10_000, queue_bytes=2000)
        async with connected(world) as (client, server):
            await client.send_all(b"x" * 15_000)
            await client.aclose()
            assert await read_exactly(server, 15_000) == b"x" * 15_000
            assert await server.receive_some() == b""

    run_world(1, main)


def test_sending_to_a_closed_socket_is_answered_with_a_reset() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            await server.aclose()
            assert await client.receive_some() == b""
            await client.send_all(b"too late")
            await trio.sleep(0.05)
            with pytest.raises(trio.BrokenResourceError):
                await client.send_all(b"x")

    run_world(1, main)


def test_bytes_that_meet_a_closed_socket_are_answered_with_a_reset() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            await client.send_all(b"under way")
            await server.aclose()
            assert await client.receive_some() == b""
            await trio.sleep(0.05)
            assert await client.receive_some() == b""  # a reset behind the end is heard by who sends
            with pytest.raises(trio.BrokenResourceError) as broken:
                await client.send_all(b"x")
            assert isinstance(broken.value.__cause__, BrokenPipeError)

    run_world(1, main)


def test_closing_a_listener_resets_what_nobody_accepted() -> None:
    async def main(world: World) -> None:
        with world.net.host("b"):
            (listener,) = await trio.open_tcp_listeners(80)
        with world.net.host("a"):
            client = await trio.open_tcp_stream("b", 80)
        await trio.sleep(1)
        await listener.aclose()
        with trio.fail_after(1), pytest.raises(trio.BrokenResourceError, match="reset"):
            await client.receive_some()

    run_world(1, main)


def test_two_listeners_cannot_share_a_port_and_addresses_are_told() -> None:
    async def main(world: World) -> None:
        with world.net.host("b"):
            (listener,) = await trio.open_tcp_listeners(80)
            with pytest.raises(OSError, match="in use") as caught:
                await trio.open_tcp_listeners(80, host="localhost")
            assert caught.value.errno == errno.EADDRINUSE
            (free,) = await trio.open_tcp_listeners(0)
            port = free.socket.getsockname()[1]
            local = await trio.open_tcp_stream("localhost", port)
            assert local.socket.getpeername() == ("127.0.0.1", port)
            accepted, peer = await free.socket.accept()
            assert accepted.getpeername() == local.socket.getsockname() == peer
        await listener.aclose()

    run_world(1, main)
