"""Faults do what their names say, and tell each end no more than TCP would."""

import contextlib
import errno
import struct

import pytest
import trio

from chaos.simnet import Mishap, Path, Program, World, random_faults, run_world, swizzle
from chaos.simnet.faults import EVERYDAY

from .helpers import connected, read_exactly


def path_of(world: World) -> Path:
    return world.net.link("a", "b")


async def assert_silent(stream: trio.SocketStream, seconds: float) -> None:
    with trio.move_on_after(seconds) as scope:
        await stream.receive_some()
    assert scope.cancelled_caught, "something arrived"


def test_half_open_swallows_what_is_sent_until_the_buffer_is_full() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            await client.send_all(b"before")
            await read_exactly(server, 6)
            await client.send_all(b"under way")
            path_of(world).half_open(toward="b")
            swallowed = 0
            with trio.move_on_after(30):
                while True:
                    await client.send_all(b"x" * 200)
                    swallowed += 200
            assert 10_000 < swallowed <= 20_000
            await assert_silent(server, 60)
            # The other direction works, as far as TCP goes without acknowledgements.
            await server.send_all(b"still here")
            assert await read_exactly(client, 10) == b"still here"
            path_of(world).heal()
            await assert_silent(server, 60)
            # A new connection is not concerned.
            async with connected(world) as (new_client, new_server):
                await new_client.send_all(b"new")
                assert await read_exactly(new_server, 3) == b"new"
            # At last the sender's kernel gives up.
            await trio.sleep(1000)
            with pytest.raises(trio.BrokenResourceError) as caught:
                await client.send_all(b"x")
            assert isinstance(caught.value.__cause__, TimeoutError)

    run_world(1, main)


def test_user_timeout_finds_a_dead_path_early() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, _):
            client.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_USER_TIMEOUT, 5000)
            path_of(world).drop()
            began = trio.current_time()
            await client.send_all(b"into the void")
            with pytest.raises(trio.BrokenResourceError, match="timed out"):
                await client.receive_some()
            assert trio.current_time() - began == pytest.approx(5)

    run_world(1, main)


def test_a_freeze_delays_everything_by_its_length() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            began = trio.current_time()
            await client.send_all(b"under way")
            await trio.sleep(0.01)
            path_of(world).freeze(toward="b")
            await server.send_all(b"the other way")
            await read_exactly(client, 13)
            assert trio.current_time() - began == pytest.approx(0.03)
            await assert_silent(server, 10)
            path_of(world).heal()
            await read_exactly(server, 9)
            assert trio.current_time() - began == pytest.approx(0.03 + 10 + 0.01)

    run_world(1, main)


def test_after_a_drop_bytes_come_with_the_next_retransmission() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            path_of(world).drop()
            began = trio.current_time()
            await client.send_all(b"x" * 100)
            await trio.sleep(1)
            path_of(world).heal()
            await read_exactly(server, 100)
            # Timers of 0.24, 0.48, 0.96 s after the first attempt: 1.68 is the first after the drop.
            assert trio.current_time() - began == pytest.approx(1.68 + 0.02)

    run_world(1, main)


def test_what_is_under_way_when_a_drop_begins_is_sent_again_too() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            await client.send_all(b"x" * 100)
            await trio.sleep(0.01)
            began = trio.current_time()
            path_of(world).drop(toward="b")
            await trio.sleep(0.5)
            path_of(world).heal()
            await trio.sleep(0.1)
            assert not server.socket.is_readable()
            await read_exactly(server, 100)
            assert trio.current_time() - began == pytest.approx(0.24 + 0.48, abs=0.02)

    run_world(1, main)


def test_without_acknowledgements_only_the_initial_window_leaves() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server), trio.open_nursery() as nursery:
            path_of(world).drop(toward="a")
            nursery.start_soon(client.send_all, b"x" * 100_000)
            await read_exactly(server, 14_600)
            await assert_silent(server, 60)
            path_of(world).heal()
            await read_exactly(server, 100_000 - 14_600)
            path_of(world).freeze(toward="a")
            nursery.start_soon(client.send_all, b"x" * 100_000)
            await read_exactly(server, 14_600)
            await assert_silent(server, 60)
            path_of(world).heal()
            await read_exactly(server, 100_000 - 14_600)

    run_world(1, main)


def test_a_reset_is_dropped_like_any_packet() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            client.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))
            path_of(world).drop()
            await client.aclose()
            path_of(world).heal()
            await assert_silent(server, 60)
            await server.send_all(b"still there?")
            with trio.fail_after(0.05), pytest.raises(trio.BrokenResourceError, match="reset"):
                await server.receive_some()

    run_world(1, main)


def test_a_cut_resets_both_ends_at_once_and_loses_what_is_under_way() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            await client.send_all(b"arrived")
            await trio.sleep(1)
            await client.send_all(b"under way")
            path_of(world).cut()
            await trio.sleep(1)
            assert await server.receive_some() == b"arrived"
            for end in (client, server):
                with pytest.raises(trio.BrokenResourceError, match="reset"):
                    await end.receive_some()
                with pytest.raises(trio.BrokenResourceError, match="reset"):
                    await end.send_all(b"x")
        assert not world.net.connections
        assert not path_of(world).wire("b").pipes

    run_world(1, main)


def test_a_fin_from_between_ends_both_directions_cleanly() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            await client.send_all(b"last words")
            path_of(world).fin()
            assert await read_exactly(server, 10) == b"last words"
            assert await server.receive_some() == b""
            assert await client.receive_some() == b""
            await client.send_all(b"nobody there")
            await trio.sleep(0.1)
            with pytest.raises(trio.BrokenResourceError):
                await client.send_all(b"x")

    run_world(1, main)


async def connect_errno(world: World) -> int | None:
    """Try to connect from "a" to "b"; return the errno, None when connected."""
    with world.net.host("a"):
        sock = trio.socket.socket()
        try:
            await sock.connect(("b", 80))
        except OSError as error:
            return error.errno
        finally:
            sock.close()
        return None


def test_connections_refused_ignored_and_allowed_again() -> None:
    async def main(world: World) -> None:
        with world.net.host("b"):
            (listener,) = await trio.open_tcp_listeners(80)
        net, path = world.net, path_of(world)

        async def expect(code: int | None, after_s: float) -> None:
            began = trio.current_time()
            assert await connect_errno(world) == code
            assert trio.current_time() - began == pytest.approx(after_s)

        net.refuse("b", 80)
        await expect(errno.ECONNREFUSED, 0.04)
        net.allow("b", 80)
        net.ignore("b")
        await expect(errno.ETIMEDOUT, 127)
        net.allow("b")
        await expect(None, 0.04)
        path.refuse()
        await expect(errno.ECONNREFUSED, 0.04)
        path.heal()
        path.ignore(toward="b")
        await expect(errno.ETIMEDOUT, 127)
        path.heal()
        path.drop(toward="a")
        await expect(errno.ETIMEDOUT, 127)
        await listener.aclose()

    run_world(1, main)


def test_a_crash_closes_for_the_program_and_a_power_cut_says_nothing() -> None:
    async def main(world: World) -> None:
        async with connected(world) as (client, server):
            world.net.crash("b")
            with trio.fail_after(1):
                assert await client.receive_some() == b""
            with pytest.raises(trio.ClosedResourceError):
                await server.send_all(b"x")
        async with connected(world) as (client, server):
            await client.send_all(b"unread")
            await trio.sleep(1)
            world.net.crash("b")
            with trio.fail_after(1), pytest.raises(trio.BrokenResourceError, match="reset"):
                await client.receive_some()
        async with connected(world) as (client, server):
            await server.send_all(b"under way, and lost with the machine")
            world.net.crash("b", power=True)
            await assert_silent(client, 60)
            await client.send_all(b"are you there?")
            await assert_silent(client, 60)
            world.net.boot("b")
            with trio.fail_after(121), pytest.raises(trio.BrokenResourceError, match="reset"):
                await client.receive_some()
        with world.net.host("b"):
            await trio.open_tcp_listeners(80)
        with world.net.host("a"):
            late = await trio.open_tcp_stream("b", 80)
        world.net.crash("b", power=True)  # before the last part of the handshake arrives
        await assert_silent(late, 60)
        await late.aclose()
        with world.net.host("b"), pytest.raises(OSError, match="down"):
            await trio.open_tcp_listeners(80)
        world.net.heal_all()
        async with connected(world):
            pass

    run_world(1, main)


def test_a_killed_program_starts_again_with_what_it_had_stored() -> None:
    async def main(world: World) -> None:
        stored: list[int] = []
        restored: list[int] = []

        async def count() -> None:
            assert world.net.current_host().name == "b"
            await trio.open_tcp_listeners(80)
            while len(stored) < 10:
                await trio.sleep(1)
                stored.append(len(stored))

        program = Program(world.net, "b", count, while_down=lambda: restored.append(len(stored)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(program.run)
            await trio.sleep(4.5)
            program.kill(down_s=10)
            assert await connect_errno(world) == errno.ECONNREFUSED
            program.kill()  # without effect: it is down
            await trio.sleep(10 + 2.2)
            program.kill(power=True, down_s=5)
            assert await connect_errno(world) is None  # hangs until the power is back
        assert stored == list(range(10))
        assert restored == [4, 6]
        assert program.starts == 3

    run_world(1, main)


def test_a_killed_program_has_no_time_to_notice() -> None:
    async def main(world: World) -> None:
        noticed: list[Exception] = []

        async def serve() -> None:
            (listener,) = await trio.open_tcp_listeners(80)
            stream = await listener.accept()
            try:
                await stream.receive_some()
            except Exception as error:
                noticed.append(error)
                raise

        program = Program(world.net, "b", serve)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(program.run)
            await trio.sleep(1)
            with world.net.host("a"):
                client = await trio.open_tcp_stream("b", 80)
            await trio.sleep(1)
            program.kill()
            assert await client.receive_some() == b""
            nursery.cancel_scope.cancel()
        assert not noticed

    run_world(1, main)


def test_a_program_that_fails_by_itself_is_not_started_again() -> None:
    async def main(world: World) -> None:
        async def fail() -> None:
            await trio.sleep(1)
            raise LookupError("a bug")

        with pytest.raises(LookupError):
            await Program(world.net, "b", fail).run()

    run_world(1, main)


def broken_connections() -> contextlib.suppress:
    """Swallow what a broken connection raises."""
    return contextlib.suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError)


def test_random_faults_strike_every_kind_and_leave_a_network_that_heals() -> None:
    async def main(world: World) -> None:
        async def serve() -> None:
            await trio.serve_tcp(echo, 80)

        async def echo(stream: trio.SocketStream) -> None:
            with broken_connections():
                async with stream:
                    while data := await stream.receive_some():
                        world.sometimes("served")
                        await stream.send_all(data)

        async def ask_all_the_time() -> None:
            while True:
                with broken_connections(), trio.move_on_after(20):
                    async with await trio.open_tcp_stream("b", 80) as stream:
                        while True:
                            await stream.send_all(b"x")
                            if not await stream.receive_some():
                                break
                            await trio.sleep(1)
                await trio.sleep(1)

        program = Program(world.net, "b", serve)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(program.run)
            with world.net.host("a"):
                nursery.start_soon(ask_all_the_time)
            with trio.move_on_after(3 * 3600):
                await random_faults(
                    world.net,
                    [("a", "b")],
                    rate_per_hour=120,
                    programs=[program],
                    kills_per_hour=20,
                    on_fault=lambda struck: world.sometimes(struck.name),
                )
            path = path_of(world)
            assert not any(path.wire(host).paused or path.wire(host).ignoring for host in "ab")
            assert path.wire("a").conditions == path.wire("b").conditions == world.net.default
            world.net.heal_all()
            await trio.sleep(100)
            served = world.happened["served"]
            await trio.sleep(60)
            assert world.happened["served"] > served + 50
            assert len(world.net.connections) < 5, "connections pile up"
            nursery.cancel_scope.cancel()

    kinds = [*(kind.value for kind in EVERYDAY), "crash", "power"]
    run = run_world(1, main, must_happen=kinds)
    assert len(Mishap) == len(EVERYDAY)
    assert sum(run.happened[kind.value] for kind in Mishap) == pytest.approx(3 * 100, rel=0.2)


def test_swizzling_clogs_several_paths_and_thaws_them_all() -> None:
    async def main(world: World) -> int:
        pairs = [("hub", f"edge{number}") for number in range(6)]
        rng = world.rng("swizzle")
        most = 0
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                nonlocal most
                while True:
                    clogged = sum(world.net.link(*pair).wire("hub").paused for pair in pairs)
                    most = max(most, clogged)
                    await trio.sleep(0.1)

            nursery.start_soon(watch)
            for _ in range(5):
                await swizzle(world.net, pairs, rng)
            nursery.cancel_scope.cancel()
        assert not any(world.net.link(*pair).wire("hub").paused for pair in pairs)
        return most

    assert run_world(1, main).value >= 3
