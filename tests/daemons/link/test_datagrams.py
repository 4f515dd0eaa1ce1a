"""Live entries beside the link, over real UDP on loopback: only when they arrive, sealed, and otherwise over the link."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from daemons.link.datagrams import DatagramDoor, DatagramLine
from daemons.link.streams import StreamsIn, StreamsOut
from protocol.errors import CloseCode
from protocol.streams_live import LiveOut
from tests.daemons.link.pair import open_hub, open_site
from tests.daemons.link.test_streams import STREAM, Keeper, put_head, until


@asynccontextmanager
async def open_door(host: str = "127.0.0.1") -> AsyncIterator[DatagramDoor]:
    door = DatagramDoor(os.urandom)
    async with trio.open_nursery() as nursery:
        await nursery.start(door.serve, host, 0)
        yield door
        nursery.cancel_scope.cancel()


async def feed(live: LiveOut, size: int = 3000) -> None:
    while True:
        live.put(2, os.urandom(size), trio.current_time())
        await trio.sleep(0.02)


async def test_live_entries_go_beside_the_link_as_soon_as_they_arrive_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.link.streamtraffic.ARRIVED_S", 0.1)
    keeper, line = Keeper(), DatagramLine("127.0.0.1")
    out = StreamsOut(datagrams=line)
    async with (
        open_door() as door,
        open_hub(
            tmp_path / "hub", streams_in=StreamsIn(keeper.position, keeper.keep, keeper.see, door)
        ) as hub,
        open_site(tmp_path / "site", hub.port, streams_out=out),
        trio.open_nursery() as nursery,
    ):
        live = out.live(STREAM, put_head)
        nursery.start_soon(feed, live)
        await until(lambda: line.is_proven)
        before = line.sent
        await until(lambda: line.sent > before + 60)
        await until(lambda: len(keeper.live) > 30)
        numbers = [entry.number for entry in keeper.live]
        assert len(numbers) == len(set(numbers))  # copies are not seen twice
        assert hub.peer.connection is not None
        hub.peer.connection.end(CloseCode.GOING_AWAY, "lost", goodbye=False)
        await until(lambda: not line.is_proven)
        await until(lambda: line.is_proven)  # by the pass of the next connection
        assert (len(door._doors), door.strangers < 10) == (1, True)
        nursery.cancel_scope.cancel()


async def test_where_no_datagram_arrives_all_goes_over_the_link(tmp_path: Path) -> None:
    keeper, line = Keeper(), DatagramLine("127.0.0.1")
    out = StreamsOut(datagrams=line)
    async with (
        open_door() as door,
        open_hub(
            tmp_path / "hub", streams_in=StreamsIn(keeper.position, keeper.keep, keeper.see, door)
        ) as hub,
        open_site(tmp_path / "site", hub.port, streams_out=out),
        trio.open_nursery() as nursery,
    ):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
            nobody.bind(("127.0.0.1", 0))
            door.port = nobody.getsockname()[1]  # as if something between swallowed them
            live = out.live(STREAM, put_head)
            nursery.start_soon(feed, live)
            await until(lambda: len(keeper.live) > 40)
        assert [entry.number for entry in keeper.live] == list(range(len(keeper.live)))
        assert not line.is_proven
        nursery.cancel_scope.cancel()


async def test_strangers_forgers_and_nonsense_are_ignored() -> None:
    got: list[bytes] = []
    async with open_door("") as door:
        opener = door.admit(got.append)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", door.port))
            for data in (b"", b"nonsense", os.urandom(600), opener.passed.id + os.urandom(60)):
                sock.send(data)
            await until(lambda: opener.refused == 1 and door.strangers == 3)
        assert got == []
        door.revoke(opener)
