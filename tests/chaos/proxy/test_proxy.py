"""Each fault on real connections: what both ends see, live, idle, and after it has gone."""

import hashlib
import os
from pathlib import Path

import trio
import trio.testing

from chaos.faults import (
    Bandwidth,
    BitFlip,
    CaptivePortal,
    Fault,
    Fin,
    HalfOpen,
    Ignore,
    Latency,
    LimitData,
    LimitTime,
    Loss,
    MtuHole,
    NatTimeout,
    Outage,
    Placed,
    Refuse,
    ResetPeer,
    Silence,
    Slicer,
    SlowClose,
    Stream,
    Timeout,
    Trace,
)
from tests.chaos.proxy.ends import Bench, is_reset, is_silent, open_bench, read


def put(bench: Bench, fault: Fault, stream: Stream = Stream.BOTH, toxicity: float = 1.0) -> None:
    bench.proxy.place(Placed("fault", fault, stream, toxicity))


async def test_bytes_pass_both_ways_and_each_end_closes_its_half() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        body = os.urandom(3_000_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, body)
            assert hashlib.sha256(await read(server, len(body))).digest() == hashlib.sha256(body).digest()
        await client.send_eof()
        assert await server.receive_some() == b""
        await server.send_all(b"still open")
        assert await read(client, 10) == b"still open"
        await server.aclose()
        assert await client.receive_some() == b""
        counts = bench.proxy.counts
        assert counts.received[Stream.UPSTREAM] == counts.sent[Stream.UPSTREAM] == len(body)


async def test_a_slow_reader_holds_the_sender_back_and_loses_nothing() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        body = os.urandom(8_000_000)
        with trio.move_on_after(0.3) as waiting:
            await client.send_all(bytes(64_000_000))
        assert waiting.cancelled_caught
        counts = bench.proxy.counts
        assert counts.received[Stream.UPSTREAM] < 40_000_000
        await client.aclose()
        client, server = await bench.pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, body)
            await trio.sleep(0.1)
            put(bench, Latency(0.01))
            await trio.sleep(0.05)
            assert await read(server, len(body)) == body


async def test_latency_each_way_and_live() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, Latency(0.4), Stream.UPSTREAM)
        began = trio.current_time()
        await client.send_all(b"up")
        assert await read(server, 2) == b"up"
        assert trio.current_time() - began > 0.39
        began = trio.current_time()
        await server.send_all(b"down")
        assert await read(client, 4) == b"down"
        assert trio.current_time() - began < 0.39
        assert bench.proxy.counts.delay_s[Stream.UPSTREAM] > 0.39


async def test_a_line_is_shared_by_its_connections_and_drains_at_once_when_it_is_removed() -> None:
    async with open_bench() as bench:
        ends = [await bench.pair() for _ in range(2)]
        put(bench, Bandwidth(50_000, 20_000), Stream.UPSTREAM)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for client, server in ends:
                nursery.start_soon(client.send_all, bytes(20_000))
                nursery.start_soon(read, server, 20_000)
        assert (
            trio.current_time() - began > 0.6
        )  # 40,000 bytes at 50,000 a second; one line each would take 0.4
        client, server = ends[0]
        put(bench, Bandwidth(100, 20_000), Stream.UPSTREAM)
        await client.send_all(bytes(4_000))
        assert await is_silent(server)
        bench.proxy.remove("fault")
        assert len(await read(server, 4_000)) == 4_000


async def test_a_rate_of_nothing_stops_the_line() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, Bandwidth(0))
        await client.send_all(b"wait")
        assert await is_silent(server)
        put(bench, Bandwidth(1e6))
        assert await read(server, 4) == b"wait"


async def test_a_recorded_line_lets_through_what_the_real_one_did_and_drains_when_it_is_removed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "line.json"
    file.write_text('{"unit": "bytes per 100 ms", "up": [10000, 0, 0, 0, 20000, 10000, 0, 0, 0, 0, 0, 0]}')
    fault = Trace(f"{file}#up", queue_bytes=16_000)
    async with open_bench() as bench:
        client, server = await bench.pair()
        placed_at = trio.current_time()
        put(bench, fault, Stream.UPSTREAM)
        body, line, found = os.urandom(60_000), fault.load(), b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, body)
            while len(found) < 40_000:
                found += await server.receive_some(65536)
                assert len(found) <= line.passed(trio.current_time() + 0.001 - placed_at)
            assert trio.current_time() - placed_at > 0.55  # the outage is over
            bench.proxy.remove("fault")
            with trio.fail_after(0.5):  # the next outage would last longer
                found += await read(server, len(body) - len(found))
        assert found == body
        await server.send_all(b"down")
        assert await read(client, 4) == b"down"


async def test_loss_is_a_stall_and_never_missing_bytes() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, Loss(0.3))
        body = os.urandom(60)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                for i in range(60):
                    await client.send_all(body[i : i + 1])
                    await trio.sleep(0.01)

            nursery.start_soon(send)
            assert await read(server, 60) == body
        assert trio.current_time() - began > 0.6
        assert bench.proxy.counts.delay_s[Stream.UPSTREAM] > 0.2


async def test_silence_goes_on_where_it_stood_and_new_connections_hang() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, Silence())
        await client.send_all(b"kept")
        late = await bench.dial()
        await late.send_all(b"late")
        assert await is_silent(server)
        bench.proxy.remove("fault")
        assert await read(server, 4) == b"kept"
        assert await read(await bench.server.next(), 4) == b"late"


async def test_half_open_swallows_one_direction_and_ends_with_a_reset() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, HalfOpen(), Stream.UPSTREAM)
        await client.send_all(b"gone")
        await server.send_all(b"there")
        assert await read(client, 5) == b"there"
        assert await is_silent(server)
        bench.proxy.remove("fault")
        assert await is_reset(client)
        assert await is_reset(server)
        assert bench.proxy.counts.swallowed[Stream.UPSTREAM] == 4


async def test_a_half_open_connection_hides_the_end_of_its_client() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, HalfOpen(), Stream.UPSTREAM)
        await client.aclose()
        await server.send_all(bytes(1000))
        assert await is_silent(server)
        await server.send_all(bytes(1000))
        assert await is_silent(server)


async def test_an_idle_connection_is_forgotten_and_a_new_one_works() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, NatTimeout(0.2))
        await client.send_all(b"a")
        assert await read(server, 1) == b"a"
        await trio.sleep(0.4)
        await client.send_all(b"gone")
        assert await is_silent(server)
        client, server = await bench.pair()
        await client.send_all(b"new")
        assert await read(server, 3) == b"new"


async def test_large_writes_are_stuck_in_an_mtu_hole_and_come_when_it_is_mended() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, MtuHole(1400))
        await client.send_all(b"small")
        assert await read(server, 5) == b"small"
        await client.send_all(bytes(2000))
        assert await is_silent(server)
        bench.proxy.remove("fault")
        assert len(await read(server, 2000)) == 2000


async def test_bits_are_turned_one_at_a_time() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, BitFlip(1.0))
        await client.send_all(bytes(100))
        assert sum(byte.bit_count() for byte in await read(server, 100)) == 1


async def test_slices_come_one_after_the_other() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, Slicer(10, 0, 0.05))
        began = trio.current_time()
        await client.send_all(bytes(range(40)))
        assert len(await server.receive_some(100)) == 10
        assert await read(server, 30) == bytes(range(10, 40))
        assert trio.current_time() - began > 0.14


async def test_slices_keep_their_distance_across_writes_and_go_at_once_when_the_fault_is_removed() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, Slicer(1, 0, 0.1))
        for byte in b"abc":
            await client.send_all(bytes([byte]))
            await trio.sleep(0.01)
        began = trio.current_time()
        assert await read(server, 3) == b"abc"
        assert trio.current_time() - began > 0.12
        await client.send_all(bytes(4000))
        await trio.sleep(0.05)
        bench.proxy.remove("fault")
        assert len(await read(server, 4000)) == 4000


async def test_faults_set_again_and_again_leave_one_timer() -> None:
    async with open_bench() as bench:
        await bench.pair()
        for number in range(50):
            put(bench, NatTimeout(30 + number))
        assert len(bench.board.ready.wheel._due) <= 2


async def test_exactly_so_many_bytes_pass() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        await client.send_all(b"before")
        assert await read(server, 6) == b"before"
        put(bench, LimitData(5), Stream.UPSTREAM)
        await client.send_all(b"0123456789")
        assert await read(server, 100) == b"01234"


async def test_the_end_comes_late() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, SlowClose(0.3))
        await client.send_eof()
        assert await is_silent(server)
        assert await server.receive_some(1) == b""


async def test_a_real_reset_live_and_idle_and_for_new_ones() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, ResetPeer())
        assert await is_reset(client)
        assert await is_reset(server)
        assert await is_reset(await bench.dial())
        assert bench.proxy.counts.resets == 2


async def test_a_reset_of_one_end_is_a_reset_at_the_other() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        client.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.socket.close()
        assert await is_reset(server)


async def test_a_timeout_swallows_and_closes_in_time_under_traffic() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, Timeout(0.4))
        began = trio.current_time()
        while True:
            try:
                await client.send_all(b"again")
            except trio.BrokenResourceError:
                break
            await trio.sleep(0.05)
        assert 0.3 < trio.current_time() - began < 2
        assert bench.proxy.counts.sent[Stream.UPSTREAM] == 0
        assert await server.receive_some(1) == b""


async def test_limits_of_time_and_an_orderly_close() -> None:
    async with open_bench() as bench:
        for fault in (LimitTime(0.1), Fin()):
            client, server = await bench.pair()
            put(bench, fault)
            assert await client.receive_some(1) == b""
            assert await server.receive_some(1) == b""
            bench.proxy.remove("fault")


async def test_refused_ignored_and_shown_a_portal() -> None:
    async with open_bench() as bench:
        old, old_server = await bench.pair()
        put(bench, Refuse())
        assert await is_reset(await bench.dial())
        put(bench, Ignore())
        ignored = await bench.dial()
        await ignored.send_all(b"hello?")
        assert await is_silent(ignored)
        put(bench, CaptivePortal())
        assert await is_reset(ignored)
        guest = await bench.dial()
        await guest.send_all(b"GET /link HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        assert (await read(guest, 10_000)).startswith(b"HTTP/1.1 200 OK\r\n")
        await old.send_all(b"as ever")
        assert await read(old_server, 7) == b"as ever"


async def test_a_portal_on_a_connection_that_is_reset_at_once_harms_nobody_else() -> None:
    async with open_bench() as bench:
        bench.proxy.place(Placed("portal", CaptivePortal()))
        bench.proxy.place(Placed("reset", ResetPeer(0.0)))
        assert await is_reset(await bench.dial())
        bench.proxy.clear()
        client, server = await bench.pair()
        await client.send_all(b"as ever")
        assert await read(server, 7) == b"as ever"


async def test_outages_come_and_go() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        put(bench, Outage(0.1, 0.3, spread="fixed"))
        await trio.sleep(0.2)
        began = trio.current_time()
        await client.send_all(b"after")
        assert await read(server, 5) == b"after"
        assert trio.current_time() - began > 0.1
        put(bench, Outage(0.1, 30, spread="fixed", how="reset"))
        assert await is_reset(client)
        assert await is_reset(await bench.dial())
        bench.proxy.remove("fault")
        client, server = await bench.pair()
        await client.send_all(b"well")
        assert await read(server, 4) == b"well"


async def was_refused(stream: trio.SocketStream) -> bool:
    with trio.move_on_after(0.05):
        return await is_reset(stream)
    return False


async def test_the_seed_says_which_connections_a_toxicity_hits() -> None:
    async def pattern(seed: str) -> list[bool]:
        async with open_bench(seed=seed) as bench:
            put(bench, Refuse(), toxicity=0.5)
            found = []
            for number in range(16):
                stream = await bench.dial()
                bench.proxy.place(Placed(f"other {number}", Latency(0.001)))  # which draws nothing anew
                found.append(await was_refused(stream))
            return found

    first = await pattern("42")
    assert first == await pattern("42")
    assert 2 < sum(first) < 14
    assert first != await pattern("43")


async def test_a_proxy_that_stops_refuses_and_closes_and_listens_again_where_it_was() -> None:
    async with open_bench() as bench:
        client, _ = await bench.pair()
        port = bench.proxy.port
        await bench.board.change("relay", enabled=False)
        assert await client.receive_some(1) == b""
        await trio.testing.wait_all_tasks_blocked()
        refused = False
        try:
            await bench.dial()
        except OSError:
            refused = True
        assert refused
        await bench.board.change("relay", enabled=True)
        await bench.pair()
        assert bench.proxy.port == port


async def test_a_server_that_is_not_there_ends_the_connection() -> None:
    async with open_bench() as bench:
        await bench.board.change("relay", upstream="127.0.0.1:1")
        client = await bench.dial()
        assert await client.receive_some(1) == b""
