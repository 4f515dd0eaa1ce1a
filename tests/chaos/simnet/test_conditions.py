"""Latency, rate, queue and loss are as set, in virtual time."""

import pytest
import trio

from bench.loss import KERNEL, simulated
from chaos.simnet import Conditions, World, run_world
from chaos.simnet.link import next_retransmission

from .helpers import connected, read_exactly


async def one_way_s(client: trio.SocketStream, server: trio.SocketStream, size: int = 100) -> float:
    """Measure one message's way from its sending to its last byte's arrival."""
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, b"x" * size)
        await read_exactly(server, size)
    return trio.current_time() - began


def test_connecting_takes_one_round_trip_and_a_message_one_way() -> None:
    async def main(world: World) -> None:
        path = world.net.link("a", "b")
        path.set(latency_s=0.3)
        path.set(toward="a", latency_s=0.1)
        async with connected(world) as (client, server):
            assert trio.current_time() == pytest.approx(0.4 + 0.3)  # accepted when the third part arrived
            assert await one_way_s(client, server) == pytest.approx(0.3)
            assert await one_way_s(server, client) == pytest.approx(0.1)
            path.set(latency_s=2)
            assert await one_way_s(server, client) == pytest.approx(2)

    run_world(1, main)


def test_jitter_spreads_but_never_reorders() -> None:
    async def main(world: World) -> list[float]:
        async with connected(world) as (client, server):
            world.net.link("a", "b").set(latency_s=0.1, jitter_s=0.05)
            return [await one_way_s(client, server) for _ in range(500)]

    delays = run_world(1, main).value
    assert min(delays) == pytest.approx(0.05, abs=0.002)
    assert max(delays) == pytest.approx(0.15, abs=0.002)
    assert sum(delays) / 500 == pytest.approx(0.1, abs=0.005)


def test_the_rate_holds_over_all_connections_of_a_path_together() -> None:
    async def main(world: World) -> None:
        world.net.link("a", "b").set(rate_bytes_s=250_000, queue_bytes=64_000)
        async with connected(world) as (one, one_end), connected(world) as (two, two_end):
            began = trio.current_time()
            finished: list[float] = []

            async def transfer(sender: trio.SocketStream, receiver: trio.SocketStream) -> None:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(sender.send_all, b"x" * 500_000)
                    await read_exactly(receiver, 500_000)
                finished.append(trio.current_time() - began)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(transfer, one, one_end)
                nursery.start_soon(transfer, two, two_end)
            assert finished[1] == pytest.approx(4.02, abs=0.01)
            assert finished[0] == pytest.approx(4.0, abs=0.15)  # they shared it fairly

    run_world(1, main)


def test_a_full_queue_delays_what_comes_behind_it() -> None:
    async def main(world: World) -> None:
        world.net.link("a", "b").set(rate_bytes_s=250_000, queue_bytes=256_000)
        async with connected(world) as (bulk, bulk_end), connected(world) as (command, command_end):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bulk.send_all, b"x" * 2_000_000)
                nursery.start_soon(read_exactly, bulk_end, 2_000_000)
                await trio.sleep(3)
                # One second of queue (256,000 bytes, shared with another's turns), then the way.
                assert await one_way_s(command, command_end) == pytest.approx(1.02, abs=0.1)

    run_world(1, main)


def test_a_changed_rate_retimes_what_waits_in_the_queue() -> None:
    async def main(world: World) -> None:
        path = world.net.link("a", "b")
        path.set(rate_bytes_s=1000)
        async with connected(world) as (client, server), trio.open_nursery() as nursery:
            began = trio.current_time()
            nursery.start_soon(client.send_all, b"x" * 10_000)
            await trio.sleep(5)
            path.set(rate_bytes_s=10_000)
            await read_exactly(server, 10_000)
            assert trio.current_time() - began == pytest.approx(5.5 + 0.02, abs=0.1)

    run_world(1, main)


def test_what_waits_unsent_is_bounded_by_notsent_lowat() -> None:
    async def main(world: World) -> int:
        async with connected(world) as (client, _):
            world.net.link("a", "b").freeze()
            sent = 0
            with trio.move_on_after(1):
                while True:
                    sent += await client.socket.send(b"x" * 1000)
        return sent

    assert run_world(1, main).value == 16_384  # what SocketStream sets


@pytest.mark.parametrize("loss", [0.05, 0.2])
def test_loss_stalls_as_a_kernel_does(loss: float) -> None:
    ours, kernel = simulated(loss, 1, 40, 500, is_native=True), KERNEL[loss]
    assert ours.p95 == pytest.approx(kernel.p95, rel=0.3)
    assert ours.p99 == pytest.approx(kernel.p99, rel=0.3)
    assert ours.p90 == pytest.approx(kernel.p90, rel=0.3, abs=2)
    assert ours.late == pytest.approx(kernel.late, rel=0.5)


def test_the_carriers_loss_is_that_of_a_path() -> None:
    ours, kernel = simulated(0.2, 1, 10, 400, is_native=False), KERNEL[0.2]
    assert ours.p95 == pytest.approx(kernel.p95, rel=0.5)
    assert ours.late == pytest.approx(kernel.late, rel=0.6)


def test_little_loss_is_mostly_mended_by_the_next_message() -> None:
    ours, kernel = simulated(0.01, 1, 10, 400, is_native=True), KERNEL[0.01]
    assert ours.p95 < 1
    assert ours.p99 == pytest.approx(kernel.p99, rel=0.3)


def test_retransmissions_double_up_to_two_minutes() -> None:
    assert next_retransmission(10.0, 0.1, 10.0) == pytest.approx(10.3)
    assert next_retransmission(10.0, 0.1, 10.4) == pytest.approx(10.9)
    assert next_retransmission(10.0, 0.1, 1000.0) - 1000.0 < 120


@pytest.mark.parametrize("wrong", [{"loss": 1.0}, {"latency_s": -1}, {"rate_bytes_s": 0}, {"split": 2}])
def test_impossible_conditions_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Conditions(**wrong)  # type: ignore[arg-type]
