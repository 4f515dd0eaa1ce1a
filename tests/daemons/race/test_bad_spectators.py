"""Spectators who stop reading, send half a request, open connection upon connection: others see the race go on."""

import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from attrs import evolve
from starlette.applications import Starlette

from daemons.race.keeper import BoardKeeper
from daemons.race.mergepatch import apply
from daemons.race.pages import race_routes
from daemons.web.assets import Assets
from daemons.web.config import FrontConfig
from daemons.web.front import Front, open_listeners, serve_http

from . import makers as make
from .field import PILOTS, feed, fetched, open_field

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a whole network of loopback")

STREAM = b"GET /api/v1/sites/pits/stream HTTP/1.1\r\nHost: pits\r\n\r\n"
CONFIG = FrontConfig(write_timeout_s=0.5, connections_per_peer_max=50, linger_s=0.1)


LAPS = 40


class Field:
    """A field where everybody flies, and flies a lap at a time."""

    def __init__(self) -> None:
        self.day = open_field([101])
        self.day.put(PILOTS, [make.pilot(number, f"Pilot {number}") for number in range(1, 65)])
        self.keeper = BoardKeeper()
        self.laps = 0
        self.lap()
        feed(self.keeper, self.day, time.time())

    def lap(self) -> str:
        """Everybody has flown another one; return the name of the version of the tree."""
        self.laps += 1
        flown = {who: [4.0, *(9.0 + lap / 100 for lap in range(self.laps))] for who in range(1, 65)}
        seats = dict.fromkeys(flown, 9)
        path = self.day.race(101, start=make.START, seats=seats, flown=flown, target=500)
        self.keeper.apply(path, fetched(path, self.day.files[path], time.time()))
        return self.keeper.tree.newest().id


class Good:
    """A viewer from another address, who reads all that comes."""

    def __init__(self) -> None:
        self.text = b""
        self.came = trio.Event()

    async def run(self, port: int) -> None:
        async with await connect(port, "127.0.0.2") as stream:
            await stream.send_all(STREAM)
            async for data in stream:
                self.text += data
                self.came.set()
                self.came = trio.Event()
            raise AssertionError("a good viewer was put out")

    async def has(self, name: str) -> None:
        """Wait until a version has come."""
        with trio.fail_after(20):
            while f"id: {name}\n".encode() not in self.text:
                await self.came.wait()


async def connect(port: int, address: str = "127.0.0.3", *, buffer: int | None = None) -> trio.SocketStream:
    sock = trio.socket.socket()
    if buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    await sock.bind((address, 0))
    await sock.connect(("127.0.0.1", port))
    return trio.SocketStream(sock)


@asynccontextmanager
async def serving(field: Field, config: FrontConfig = CONFIG) -> AsyncIterator[tuple[Front, Good]]:
    """Serve the field; a good viewer has seen the tree."""
    boards = {"pits": field.keeper}
    app = Starlette(routes=race_routes(lambda: boards, Assets({}), utc_now=time.time))
    listeners = await open_listeners("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        front: Front = await nursery.start(partial(serve_http, listeners, app, config=config))
        good = Good()
        nursery.start_soon(good.run, front.ports[0])
        await good.has(field.keeper.tree.newest().id)
        yield front, good
        nursery.cancel_scope.cancel(reason="the test is over")


async def test_one_who_stops_reading_is_put_out_and_nothing_is_kept_for_him() -> None:
    field = Field()
    async with serving(field) as (front, good):
        async with await connect(front.ports[0], buffer=4096) as stuck:
            await stuck.send_all(STREAM)
            with trio.fail_after(60):
                while not front.statistics.write_timeouts:
                    await good.has(field.lap())
                    if field.laps > 190:
                        raise AssertionError("everything went into the buffers")
                    await trio.sleep(0.02)
            await good.has(field.lap())
            assert front.statistics.write_timeouts == 1
        assert front.statistics.failures == 0


async def test_one_who_reads_slowly_has_the_tree_in_the_end_byte_for_byte() -> None:
    field = Field()
    async with serving(field, evolve(CONFIG, write_timeout_s=30.0)) as (front, good):
        async with await connect(front.ports[0], buffer=65536) as slow:
            await slow.send_all(STREAM)
            for _ in range(LAPS):  # more than the buffers between hold
                await good.has(field.lap())
            newest, raw, is_told = field.keeper.tree.newest(), b"", False
            with trio.fail_after(60):
                while not is_told or not raw.endswith(b"}\n\n\r\n"):
                    seen = max(0, len(raw) - 40)
                    raw += await slow.receive_some(65536)
                    is_told = is_told or raw.find(f"id: {newest.id}\n".encode(), seen) >= 0
        tree, patches = None, 0
        for block in _joined(raw.partition(b"\r\n\r\n")[2]).decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines())
            if fields.get("event") in ("tree", "patch"):
                value = json.loads(fields["data"])
                tree = value if fields["event"] == "tree" else apply(tree, value)
                patches += fields["event"] == "patch"
        assert tree == newest.tree
        assert 0 < patches < LAPS, "the buffers took it all"


def _joined(chunks: bytes) -> bytes:
    """The body that these chunks are of."""
    body = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n"
        body, chunks = body + rest[:length], rest[length + 2 :]
    return body


async def test_half_requests_end_and_cost_others_nothing() -> None:
    field = Field()
    async with serving(field, evolve(CONFIG, header_timeout_s=1.0)) as (front, good):
        halves = [await connect(front.ports[0]) for _ in range(20)]
        for number, half in enumerate(halves):
            await half.send_all(STREAM[: 3 + number])
        await good.has(field.lap())
        with trio.fail_after(20):
            for half in halves:
                answer = b""
                async for data in half:
                    answer += data
                assert answer.startswith(b"HTTP/1.1 408 ")
                await half.aclose()
        await good.has(field.lap())
        assert front.statistics.bad_requests == len(halves)


async def test_five_hundred_connections_of_one_are_limited_and_others_come_in() -> None:
    field = Field()
    async with serving(field) as (front, good):
        many = [await connect(front.ports[0]) for _ in range(500)]
        await good.has(field.lap())
        with trio.fail_after(20):
            while front.statistics.accepted < len(many):
                await trio.sleep(0.01)
        assert front.statistics.open <= CONFIG.connections_per_peer_max + 20
        assert front.statistics.refused >= 300  # all but those 50, and 16 at a time that are let see a 503
        second = Good()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(second.run, front.ports[0])
            await second.has(field.keeper.tree.newest().id)
            name = field.lap()
            await good.has(name)
            await second.has(name)
            nursery.cancel_scope.cancel()
        for stream in many:
            await stream.aclose()
