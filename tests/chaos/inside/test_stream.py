"""Faults on a daemon's own stream: what arrives, what breaks and how, on loopback sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define

from chaos.faults import FAULTS
from chaos.inside.inside import Inside, open_inside
from chaos.inside.stream import FaultyStream
from chaos.model.portal import PORTAL
from tests.chaos.proxy.ends import is_reset, is_silent, read


@define(eq=False)
class Bench:
    inside: Inside
    listener: trio.SocketListener
    ends: list[trio.SocketStream]

    async def pair(self) -> tuple[FaultyStream, trio.SocketStream]:
        """Return a stream of the daemon's, and the far end of it."""
        far = await trio.open_tcp_stream("127.0.0.1", self.listener.socket.getsockname()[1])
        self.ends.append(far)
        near = await self.listener.accept()
        self.ends.append(near)
        stream = self.inside.wrapper("field")(near)
        assert isinstance(stream, FaultyStream)
        return stream, far

    def begin(self, kind: str, stream: str = "both", **attributes: Any) -> None:
        self.inside.begin(kind, kind, attributes, stream, 1.0, "", 60.0)


@asynccontextmanager
async def open_bench(side: str = "site") -> AsyncIterator[Bench]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, open_inside(side, lambda: 0.0) as inside:
        bench = Bench(inside, listener, [])
        try:
            with trio.fail_after(20):
                yield bench
        finally:
            for end in bench.ends:
                end.socket.close()


async def some(stream: trio.abc.Stream, size: int) -> bytes:
    """Read exactly so many bytes."""
    data = bytearray()
    while len(data) < size:
        part = await stream.receive_some(size - len(data))
        assert part, f"it ended after {len(data)} bytes"
        data += part
    return bytes(data)


async def send_for_ever(stream: trio.abc.Stream) -> None:
    """Send until it raises: a stream is closed behind the back of who sends."""
    while True:
        await stream.send_all(b"too much")


async def echo_once(near: trio.abc.Stream, far: trio.abc.Stream) -> float:
    """Say something each way; return how long that took."""
    began = trio.current_time()
    await near.send_all(b"ping")
    assert await some(far, 4) == b"ping"
    await far.send_all(b"pong")
    assert await some(near, 4) == b"pong"
    return trio.current_time() - began


async def test_without_faults_it_is_the_stream_below() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        await near.wait_send_all_might_not_block()
        assert await echo_once(near, far) < 0.3
        await near.send_all(memoryview(b"x" * 100_000))
        assert await some(far, 100_000) == b"x" * 100_000
        assert not near._is_struck
        await far.send_eof()
        assert await near.receive_some() == b""
        await near.aclose()
        assert await far.receive_some() == b""
        assert not bench.inside.connections
        with pytest.raises(trio.BrokenResourceError):
            await near.send_all(b"x")


@pytest.mark.parametrize("side", ["site", "hub"])
async def test_latency_is_added_to_a_live_connection_in_one_direction_and_taken_away(side: str) -> None:
    up = "upstream" if side == "site" else "downstream"  # what this side sends
    async with open_bench(side) as bench:
        near, far = await bench.pair()
        assert await echo_once(near, far) < 0.3
        async with trio.open_nursery() as nursery:
            # A read that waits already is under the fault too.
            async def late() -> None:
                assert await some(near, 5) == b"hello"
                assert 0.39 < trio.current_time() - began < 2

            nursery.start_soon(late)
            await trio.testing.wait_all_tasks_blocked(0.01)
            bench.begin("latency", "downstream" if up == "upstream" else "upstream", latency=400)
            began = trio.current_time()
            await far.send_all(b"hello")
        began = trio.current_time()
        await near.send_all(b"quick")
        assert await some(far, 5) == b"quick"
        assert trio.current_time() - began < 0.39
        bench.begin("latency", up, latency=150)  # another stream under the same name: the old one is over
        assert 0.14 < await echo_once(near, far) < 1
        assert bench.inside.end("latency")
        assert await echo_once(near, far) < 0.3
        assert bench.inside.touched() == {"latency": 1}


async def test_a_line_holds_the_sender_back() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        bench.begin("bandwidth", "upstream", rate=200, queue=16)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send_all, bytes(100_000))
            assert await some(far, 100_000) == bytes(100_000)
        assert 0.4 < trio.current_time() - began < 0.9


async def test_silence_keeps_everything_and_tells_nobody() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        bench.begin("silence")
        with trio.move_on_after(0.1) as sending:
            await near.send_all(b"never sent")
        assert sending.cancelled_caught
        await far.send_all(b"kept")
        with trio.move_on_after(0.1) as reading:
            await near.receive_some()
        assert reading.cancelled_caught
        bench.inside.reset()
        assert await some(near, 4) == b"kept"
        assert await echo_once(near, far) < 0.3


async def test_who_drops_a_silent_connection_is_not_heard_before_the_silence_ends() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        bench.begin("silence")
        near.leave()
        with pytest.raises(trio.ClosedResourceError):
            await near.send_all(b"x")
        assert await is_silent(far, 0.1)
        assert len(bench.inside.connections) == 1
        bench.inside.end("silence")
        assert await is_reset(far)
        assert not bench.inside.connections


async def test_what_half_open_has_swallowed_ends_the_connection_when_it_is_removed() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        bench.begin("half_open", "upstream")
        for _ in range(50):
            await near.send_all(bytes(10_000))
        assert await is_silent(far, 0.05)
        await far.send_all(b"still there")
        assert await some(near, 11) == b"still there"
        bench.inside.end("half_open")
        assert await is_reset(far)
        with pytest.raises(trio.BrokenResourceError):
            await near.receive_some()


async def test_a_live_and_idle_connection_is_reset() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        async with trio.open_nursery() as nursery:

            async def reader() -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await near.receive_some()

            nursery.start_soon(reader)
            await trio.testing.wait_all_tasks_blocked(0.01)
            bench.begin("reset_peer")
        assert await is_reset(far)
        with pytest.raises(trio.BrokenResourceError):
            await near.send_all(b"x")


async def test_an_idle_connection_is_forgotten_while_one_that_talks_lives() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        bench.begin("nat_timeout", idle=200)
        for _ in range(4):
            await trio.sleep(0.1)
            assert await echo_once(near, far) < 0.3
        await trio.sleep(0.3)
        await near.send_all(b"into the void")
        assert await is_silent(far, 0.05)


async def test_limits_cut_exactly_and_slices_and_flips_reach_the_reader() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        bench.begin("limit_data", "upstream", bytes=1000)
        for _ in range(4):
            await near.send_all(bytes(300))
        with pytest.raises(trio.BrokenResourceError):
            await send_for_ever(near)
        assert len(await read(far, 1000)) == 1000
        assert await far.receive_some() == b""
        bench.inside.reset()
        near, far = await bench.pair()
        bench.begin("bit_flip", "downstream", share=1)
        await far.send_all(bytes(64))
        got = await some(near, 64)
        assert sum(byte.bit_count() for byte in got) == 1
        bench.inside.reset()
        bench.begin("slicer", "downstream", average_size=10, delay=1000)
        await far.send_all(bytes(100))
        assert 5 <= len(await near.receive_some()) <= 20


@pytest.mark.parametrize("kind", ["refuse", "ignore", "captive_portal"])
async def test_what_is_done_to_new_connections_leaves_open_ones_alone(kind: str) -> None:
    async with open_bench() as bench:
        old, old_far = await bench.pair()
        bench.begin(kind)
        near, far = await bench.pair()
        if kind == "refuse":
            assert await is_reset(far)
            with pytest.raises(trio.BrokenResourceError):
                await near.send_all(b"x")
        else:
            await near.send_all(b"GET / HTTP/1.1\r\n\r\n")
            assert await is_silent(far, 0.05)
        if kind == "captive_portal":
            assert await some(near, len(PORTAL)) == PORTAL
            assert await near.receive_some() == b""
        assert await echo_once(old, old_far) < 0.3
        assert bench.inside.touched() == {kind: 1}
        bench.inside.reset()
        newer, newer_far = await bench.pair()
        assert await echo_once(newer, newer_far) < 0.3
        if kind == "ignore":
            assert await is_reset(far)


async def test_a_hub_answers_a_site_with_the_portals_page() -> None:
    async with open_bench("hub") as bench:
        bench.begin("captive_portal")
        near, far = await bench.pair()
        assert await read(far, len(PORTAL)) == PORTAL
        assert await far.receive_some() == b""
        with pytest.raises(trio.BrokenResourceError):
            await near.send_all(b"101")


KINDS = [kind for kind, fault in FAULTS.items() if not fault.knows_messages and kind != "trace"]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_fault_comes_and_goes_on_a_live_connection(kind: str) -> None:
    """Nothing of it stays: whatever has become of the old connection, a new one is as before."""
    async with open_bench() as bench:
        near, _ = await bench.pair()
        bench.begin(kind)
        (shown,) = bench.inside.show()
        assert (shown["name"], shown["type"], shown["stream"]) == (kind, kind, "both")
        assert 59 < shown["lease_left_s"] <= 60
        with trio.move_on_after(0.05):
            try:
                await near.send_all(bytes(2000))
                await near.receive_some()
            except trio.BrokenResourceError:
                pass
        bench.inside.end(kind)
        assert bench.inside.show() == []
        await near.aclose()
        fresh, fresh_far = await bench.pair()
        assert await echo_once(fresh, fresh_far) < 0.3
        assert not fresh._is_struck


async def test_a_fault_that_nobody_renews_ends_by_itself() -> None:
    async with open_bench() as bench:
        near, far = await bench.pair()
        changes = []
        bench.inside.on_change = lambda: changes.append(len(bench.inside.show()))
        bench.inside.begin("dark", "silence", {}, lease_s=0.3)
        await far.send_all(b"x")
        for _ in range(3):
            with trio.move_on_after(0.2) as reading:
                await near.receive_some()
            assert reading.cancelled_caught
            assert bench.inside.renew() == 1
        assert await some(near, 1) == b"x"
        assert (bench.inside.leases_ended, changes) == (1, [1, 0])
