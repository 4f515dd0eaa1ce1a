"""Streams over a real link: live now, archives once and in order, across lost connections; a peer of before is left alone."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from attrs import define, field

from daemons.link.streams import StreamRefused, StreamsIn, StreamsOut
from protocol.errors import CloseCode
from protocol.frames import Batch
from protocol.streams import Entry
from protocol.streams_live import LiveOut
from tests.daemons.link.pair import Hub, Site, open_hub, open_site

STREAM = b"recording"


@define(eq=False)
class Shelf:
    """An archive in memory at its sender."""

    entries: list[Entry] = field(factory=list)
    told: list[int] = field(factory=list)
    words: list[str] = field(factory=list)

    @property
    def end(self) -> int:
        return len(self.entries)

    async def read(self, number: int, max_bytes: int) -> Sequence[Entry]:
        await trio.lowlevel.checkpoint()
        return self.entries[number : number + 3]

    def acknowledged(self, number: int) -> None:
        self.told.append(number)

    def refused(self, words: str) -> None:
        self.words.append(words)

    def add(self, count: int, size: int = 3000) -> None:
        self.entries += [Entry(n, 2, bytes([n % 256]) * size, n) for n in range(self.end, self.end + count)]


@define(eq=False)
class Keeper:
    """The receiving wing: what is durable, by stream."""

    kept: list[Entry] = field(factory=list)
    live: list[Entry] = field(factory=list)
    pause_s: float = 0.0
    refuse: str = ""
    changed: trio.Event = field(factory=trio.Event)

    async def position(self, stream: bytes) -> int:
        await trio.lowlevel.checkpoint()
        return self.kept[-1].number + 1 if self.kept else 0

    async def keep(self, stream: bytes, entries: Sequence[Entry]) -> int:
        if self.refuse:
            raise StreamRefused(self.refuse, 0.05)
        await trio.sleep(self.pause_s)
        at = await self.position(stream)
        self.kept += [entry for entry in entries if entry.number >= at]
        self.tell()
        return await self.position(stream)

    def see(self, stream: bytes, entry: Entry) -> None:
        self.live.append(entry)
        self.tell()

    def tell(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    async def until_kept(self, count: int) -> None:
        with trio.fail_after(20):
            while len(self.kept) < count:
                await self.changed.wait()


@asynccontextmanager
async def linked(folder: Path, keeper: Keeper) -> AsyncIterator[tuple[Hub, Site, StreamsOut, StreamsIn]]:
    into = StreamsIn(keeper.position, keeper.keep, keeper.see)
    out = StreamsOut()
    async with (
        open_hub(folder / "hub", streams_in=into) as hub,
        open_site(folder / "site", hub.port, streams_out=out) as site,
    ):
        with trio.fail_after(10):
            await site.peer.wait_connected()
            await hub.peer.wait_connected()
        yield hub, site, out, into


async def until(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.01)


async def test_an_archive_arrives_once_and_in_order_across_lost_connections(tmp_path: Path) -> None:
    shelf, keeper = Shelf(), Keeper(pause_s=0.002)
    shelf.add(60, 30_000)
    async with linked(tmp_path, keeper) as (hub, _site, out, into):
        archive = out.archive(STREAM, shelf)
        for count in (5, 20, 40):
            await keeper.until_kept(count)
            assert hub.peer.connection is not None
            hub.peer.connection.end(CloseCode.GOING_AWAY, "lost", goodbye=False)
        shelf.add(10)
        archive.grew()
        await keeper.until_kept(70)
        await until(lambda: shelf.told[-1:] == [70])
        assert keeper.kept == shelf.entries
        assert 0 < into.archive_entries <= 70  # what was kept while the connection ended is not counted
        archive.close()
        assert out.archives.streams() == []


def put_head(live: LiveOut) -> None:
    live.put(0, b"head", trio.current_time(), keep=True)


async def test_live_entries_arrive_with_what_must_come_first_on_each_connection(tmp_path: Path) -> None:
    keeper = Keeper()
    async with linked(tmp_path, keeper) as (hub, _site, out, _into):
        live = out.live(STREAM, put_head)
        live.put(2, bytes(40_000), trio.current_time(), as_of_us=9)
        await until(lambda: len(keeper.live) >= 2)
        assert [(entry.kind, len(entry.data)) for entry in keeper.live[-2:]] == [(0, 4), (2, 40_000)]
        first = hub.peer.connection
        assert first is not None
        first.end(CloseCode.GOING_AWAY, "lost", goodbye=False)
        await until(lambda: hub.peer.connection not in (None, first))
        await until(lambda: keeper.live[-1].kind == 0)
        out.close_live(live)
        assert live.put(2, b"x", trio.current_time()) is None


async def test_a_wish_is_told_now_and_on_each_connection(tmp_path: Path) -> None:
    wishes: list[bytes] = []
    async with linked(tmp_path, Keeper()) as (_hub, site, out, into):
        out.on_wish["telemetry"] = wishes.append
        into.wish("telemetry", b"speed")
        into.wish("telemetry", b"speed")
        into.wish("unknown there", b"x")
        await until(lambda: wishes == [b"speed"])
        first = site.peer.connection
        assert first is not None
        first.end(CloseCode.GOING_AWAY, "lost", goodbye=False)
        await until(lambda: wishes == [b"speed", b"speed"])
        with pytest.raises(ValueError, match="wish"):
            into.wish("telemetry", bytes(13_000))


async def test_a_refusal_is_told_in_words_and_ends_nothing(tmp_path: Path) -> None:
    shelf, keeper = Shelf(), Keeper(refuse="the disk is full")
    shelf.add(4)
    async with linked(tmp_path, keeper) as (_hub, site, out, _into):
        connection = site.peer.connection
        out.archive(STREAM, shelf)
        await until(lambda: shelf.words[:1] == ["the disk is full"])
        keeper.refuse = ""
        await keeper.until_kept(4)
        assert site.peer.connection is connection


async def test_a_side_that_takes_none_says_so(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.add(1)
    out = StreamsOut()
    async with (
        open_hub(tmp_path / "hub", streams_in=StreamsIn()) as hub,
        open_site(tmp_path / "site", hub.port, streams_out=out),
    ):
        out.archive(STREAM, shelf)
        await until(lambda: shelf.words == ["this side takes no archives"])


async def test_a_peer_of_before_is_sent_nothing_of_it(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.add(1)
    out = StreamsOut()
    async with (
        open_hub(tmp_path / "hub") as hub,
        open_site(tmp_path / "site", hub.port, streams_out=out) as site,
    ):
        out.archive(STREAM, shelf)
        live = out.live(STREAM, lambda live: None)
        with trio.fail_after(10):
            await site.peer.wait_connected()
        assert not live.is_open
        assert site.peer.connection is not None
        assert await site.peer.connection.probe()
        assert (shelf.told, shelf.words) == ([], [])


async def test_frames_of_streams_that_were_not_announced_end_the_connection(tmp_path: Path) -> None:
    async with (
        open_hub(tmp_path / "hub") as hub,
        open_site(tmp_path / "site", hub.port, streams_out=StreamsOut()) as site,
    ):
        with trio.fail_after(10):
            await site.peer.wait_connected()
        assert site.peer.connection is not None
        first = site.peer.connection
        first.send_control(Batch(STREAM, 0, 2, 0, 0, 1, b"x"))
        # The hub says why; a write that its end interrupts may cost the site the close frame.
        await until(lambda: hub.peer.figures.ended["protocol_error"] == 1)
