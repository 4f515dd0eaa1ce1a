"""Bulk past the relay's own memory: nothing is lost, doubled or mixed up, whatever happens on the way."""

import hashlib
import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import trio

from chaos.faults import Latency, Placed
from chaos.proxy.shortcut import Carried, Shortcut, SinkError
from tests.chaos.proxy.ends import open_bench

Ends = tuple[Shortcut, socket.socket, socket.socket, socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A shortcut; who sends, the source, the sink, and who hears."""
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listener:
        socks = []
        for _ in range(2):
            socks.append(stack.enter_context(socket.create_connection(listener.getsockname())))
            socks.append(stack.enter_context(listener.accept()[0]))
        for sock in socks:
            sock.setblocking(False)
        yield stack.enter_context(closing(Shortcut())), socks[0], socks[1], socks[2], socks[3]


def carried(shortcut: Shortcut, source: socket.socket, sink: socket.socket) -> Carried:
    """What has been sent may be a moment on its way."""
    while True:
        try:
            return shortcut.carry(source.fileno(), sink.fileno())
        except BlockingIOError:
            pass


def test_what_the_source_has_goes_to_the_sink_and_its_end_is_told(ends: Ends) -> None:
    shortcut, sender, source, sink, hearer = ends
    with pytest.raises(BlockingIOError):
        shortcut.carry(source.fileno(), sink.fileno())
    sender.send(b"some bytes")
    assert carried(shortcut, source, sink) == Carried(10, 10, b"")
    hearer.setblocking(True)
    assert hearer.recv(100) == b"some bytes"
    sender.close()
    assert carried(shortcut, source, sink).taken == 0


def test_what_a_full_sink_does_not_take_is_handed_back_in_order(ends: Ends) -> None:
    shortcut, sender, source, sink, hearer = ends
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    body = random.Random(1).randbytes(600_000)
    offered = heard = b""
    rest = b""
    while not rest:
        offered += body[: sender.send(body)]
        found = carried(shortcut, source, sink)
        assert found.taken == found.sent + len(found.rest)
        heard_bytes, rest = len(heard) + found.sent, found.rest
        hearer.setblocking(True)
        while len(heard) < heard_bytes:
            heard += hearer.recv(heard_bytes - len(heard))
    assert heard + rest == offered[: len(heard) + len(rest)]


def test_after_a_sink_that_failed_nothing_of_its_bytes_is_left(ends: Ends) -> None:
    shortcut, sender, source, sink, _ = ends
    sender.send(b"lost")
    sink.shutdown(socket.SHUT_WR)
    with pytest.raises(SinkError):
        carried(shortcut, source, sink)
    sender.send(b"kept")
    assert carried(shortcut, source, source).taken == 4  # back to who sent it
    sender.setblocking(True)
    assert sender.recv(100) == b"kept"


async def test_bulk_takes_the_shortcut_and_arrives_whole_through_faults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[int] = []
    carry = Shortcut.carry

    def counted(self: Shortcut, source: int, sink: int) -> Carried:
        found = carry(self, source, sink)
        taken.append(found.taken)
        return found

    monkeypatch.setattr(Shortcut, "carry", counted)
    async with open_bench() as bench:
        client, server = await bench.pair()
        body = os.urandom(1_000_003) * 56  # more than a belt and the kernel hold
        digest, count = hashlib.sha256(), 0

        async def send() -> None:
            await client.send_all(body)
            await client.send_eof()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            while data := await server.receive_some(700_001):
                before, count = count, count + len(data)
                digest.update(data)
                if before < 8_000_000 <= count:
                    assert sum(taken) > 1_000_000
                    bench.proxy.place(Placed("late", Latency(0.005)))
                if before < 12_000_000 <= count:
                    while_late = sum(taken)
                    await trio.sleep(0.02)  # and the sink is full for a while
                    bench.proxy.remove("late")
        assert digest.digest() == hashlib.sha256(body).digest()
        assert sum(taken) > while_late
        assert sum(bench.proxy.counts.sent.values()) == len(body)
