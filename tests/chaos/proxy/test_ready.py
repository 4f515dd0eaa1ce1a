"""Who is called when a socket is ready or a time has come: on the kernel's own set, and where there is none."""

import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
import trio
import trio.testing

from chaos.faults import HalfOpen, Latency, Placed, Silence, Stream
from chaos.proxy import board
from chaos.proxy.alarm import Alarm
from chaos.proxy.ready import Ready, TaskReady, make_ready
from tests.chaos.proxy.ends import is_reset, open_bench, read

Make = Callable[[trio.Nursery], Ready]

both = pytest.mark.parametrize("make", [make_ready, TaskReady])


@asynccontextmanager
async def running(make: Make) -> AsyncIterator[Ready]:
    async with trio.open_nursery() as nursery:
        ready = make(nursery)
        nursery.start_soon(ready.run)
        with trio.fail_after(10):
            yield ready
        nursery.cancel_scope.cancel()


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    mine, other = socket.socketpair()
    with mine, other:
        for sock in (mine, other):
            sock.setblocking(False)
        yield mine, other


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await trio.sleep(0.001)


@both
async def test_a_reader_is_called_as_long_as_there_is_something_to_read(make: Make) -> None:
    with pair() as (mine, other):
        async with running(make) as ready:
            found: list[bytes] = []
            watch = ready.watch(mine)
            watch.read(lambda: found.append(mine.recv(2)))
            other.send(b"abcde")
            await until(lambda: len(found) >= 3)
            assert found == [b"ab", b"cd", b"e"]
            watch.leave()


@both
async def test_who_pauses_is_not_called_until_he_asks_again(make: Make) -> None:
    with pair() as (mine, other):
        async with running(make) as ready:
            found: list[bytes] = []
            watch = ready.watch(mine)

            def take() -> None:
                found.append(mine.recv(1))
                watch.read(None)

            watch.read(take)
            other.send(b"abc")
            await until(lambda: bool(found))
            await trio.sleep(0.02)
            assert found == [b"a"]
            watch.read(take)
            await until(lambda: len(found) == 2)
            watch.leave()
            watch.read(None)
            await trio.sleep(0.01)
            assert found == [b"a", b"b"]


@both
async def test_a_writer_is_called_when_there_is_room(make: Make) -> None:
    with pair() as (mine, other):
        with suppress(BlockingIOError):
            while True:
                mine.send(bytes(65536))
        async with running(make) as ready:
            watch = ready.watch(mine)
            calls: list[int] = []

            def write() -> None:
                calls.append(mine.send(b"x"))
                watch.write(None)

            watch.write(write)
            await trio.sleep(0.02)
            assert not calls
            with suppress(BlockingIOError):
                while True:
                    other.recv(1 << 20)
            await until(lambda: bool(calls))
            watch.leave()


@both
async def test_a_socket_that_failed_and_that_nobody_waits_for_keeps_nobody_busy(make: Make) -> None:
    with pair() as (mine, other):
        async with running(make) as ready:
            calls: list[bytes] = []
            watch = ready.watch(mine)

            def take() -> None:
                calls.append(mine.recv(1))
                watch.read(None)

            watch.read(take)
            other.close()
            await until(lambda: calls == [b""])
            await trio.testing.wait_all_tasks_blocked(0.01)
            watch.leave()


@both
async def test_what_is_due_is_done_at_its_time_and_in_order(make: Make) -> None:
    async with running(make) as ready:
        done: list[str] = []
        now = trio.current_time()
        ready.wheel.at(now + 0.06, lambda _: done.append("late"))
        await trio.sleep(0.01)
        ready.wheel.at(now + 0.03, lambda at: ready.wheel.at(at, lambda _: done.append("after that")))
        ready.wheel.at(now + 0.03, lambda _: done.append("early"))
        await until(lambda: len(done) == 3)
        assert done == ["early", "after that", "late"]
        assert trio.current_time() >= now + 0.06 - ready.wheel.slack_s


async def test_an_alarm_goes_off_again_and_never_when_it_is_told_so() -> None:
    alarm = Alarm()
    try:
        alarm.set(float("inf"))
        with trio.move_on_after(0.02) as waiting:
            await trio.lowlevel.wait_readable(alarm.fd)
        assert waiting.cancelled_caught
        with trio.fail_after(5):
            for after_s in (-1.0, 0.0, 0.001):
                alarm.set(after_s)
                await trio.lowlevel.wait_readable(alarm.fd)
    finally:
        alarm.close()
        alarm.close()


async def test_a_relay_without_a_set_of_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "make_ready", TaskReady)
    async with open_bench() as bench:
        client, server = await bench.pair()
        body = os.urandom(3_000_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, body)
            assert hashlib.sha256(await read(server, len(body))).digest() == hashlib.sha256(body).digest()
        bench.proxy.place(Placed("late", Latency(0.02), Stream.DOWNSTREAM))
        bench.proxy.place(Placed("still", Silence(), Stream.UPSTREAM))
        await client.send_all(b"held")
        began = trio.current_time()
        await server.send_all(b"late")
        assert await read(client, 4) == b"late"
        assert trio.current_time() - began >= 0.015
        bench.proxy.remove("still")
        assert await read(server, 4) == b"held"
        bench.proxy.place(Placed("deaf", HalfOpen()))
        await client.send_all(b"lost")
        await until(lambda: bool(bench.proxy.counts.swallowed[Stream.UPSTREAM]))
        bench.proxy.remove("deaf")
        assert await is_reset(server)
        assert await is_reset(client)
