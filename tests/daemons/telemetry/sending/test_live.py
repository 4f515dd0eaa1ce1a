"""The live sender over a link in memory: what comes first, tiers by wish, thinning, drops, and the clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, field
from trio.testing import wait_all_tasks_blocked

from daemons.link.streams import StreamsOut
from daemons.telemetry.entries import WISH, EntryKind, unpack_head
from daemons.telemetry.sending import Bounds, LiveSender, Load, Pressure, Watch
from protocol.codec import decode_frames
from protocol.columns import Batch, Precision, Wish, decode, decode_info
from protocol.frames import Batch as BatchFrame
from protocol.streams import Entry
from protocol.streams_live import LiveIn, LiveOut
from tests.daemons.telemetry.spool.world import LAYOUT, inline, recording, row

UTC_US = 1_800_000_000_000_000
CLOCK_US = 5_000_000


@define(eq=False)
class Line:
    """A connection of one sender, and what has crossed it."""

    streams: StreamsOut
    came: list[Entry] = field(factory=list)
    into: dict[bytes, LiveIn] = field(factory=dict)

    def connect(self) -> None:
        self.streams.on_live = lambda live: live.attach(lambda: None)
        for live in self.streams.lives.values():
            live.attach(lambda: None)

    def lose(self) -> None:
        self.streams.on_live = None
        for live in self.streams.lives.values():
            live.detach()

    async def carry(self) -> list[Entry]:
        """Let everything cross that waits, and return what has come."""
        await wait_all_tasks_blocked()
        before = len(self.came)
        for live in list(self.streams.lives.values()):
            self._drain(live)
        return self.came[before:]

    def _drain(self, live: LiveOut) -> None:
        end = self.into.setdefault(live.stream, LiveIn())
        while (data := live.pull(trio.current_time(), 4096)) is not None:
            for frame in decode_frames(data):
                assert isinstance(frame, BatchFrame)
                if (entry := end.take(frame)) is not None:
                    self.came.append(entry)


@asynccontextmanager
async def sending(bounds: Bounds | None = None) -> AsyncIterator[tuple[LiveSender, Line]]:
    streams = StreamsOut()
    sender = LiveSender(
        streams, Pressure(bounds or Bounds()), lambda: CLOCK_US, lambda: UTC_US, batch_s=0.1, in_thread=inline
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        yield sender, Line(streams)
        nursery.cancel_scope.cancel()


def drive(sender: LiveSender, first: int, count: int) -> None:
    for tick in range(first, first + count):
        sender.tick(tick, row(tick), CLOCK_US - 2000)


def opened_batch(entry: Entry) -> Batch:
    return decode(LAYOUT, entry.data, rows_max=4096, bytes_max=10**7)


async def test_what_must_be_known_comes_first_on_each_connection() -> None:
    async with sending() as (sender, line):
        line.connect()
        sender.opened(recording(info=b"info: first, long enough\n"))
        drive(sender, 0, 30)
        head, info, *rows = await line.carry()
        sender.info(b"info: second, long enough\n")
        [second] = await line.carry()
        assert unpack_head(head.data, "anna").layout == LAYOUT
        text = decode_info(info.data, None, bytes_max=1000)
        text = decode_info(second.data, text, bytes_max=1000)
        assert text == b"info: second, long enough\n"
        assert [entry.kind for entry in rows] == [EntryKind.ROWS] * 2
        line.lose()
        drive(sender, 30, 30)
        line.connect()
        drive(sender, 60, 15)
        head, info, *rows = await line.carry()
        assert (head.kind, decode_info(info.data, None, bytes_max=1000)) == (EntryKind.HEAD, text)
        assert [opened_batch(entry).ticks.tolist() for entry in rows] == [list(range(60, 75))]


async def test_rows_carry_when_they_were_read() -> None:
    async with sending() as (sender, line):
        line.connect()
        sender.opened(recording())
        drive(sender, 0, 15)
        *_, rows = await line.carry()
        assert rows.as_of_us == UTC_US - 2000


async def test_what_is_wished_is_sent_and_nothing_else() -> None:
    async with sending() as (sender, line):
        line.connect()
        sender.opened(recording())
        wish = Wish(
            frozenset({"Speed", "CarIdxLapDistPct", "not there"}), 2, 6, False, Precision.LOSSLESS, 12
        )
        line.streams.on_wish[WISH](wish.pack())
        drive(sender, 0, 12)
        batch = opened_batch((await line.carry())[-1])
        assert set(batch.names) == {"Speed", "CarIdxLapDistPct"}
        assert batch.column("Speed")[0].tolist() == [0, 2, 4, 6, 8, 10]
        assert batch.column("CarIdxLapDistPct")[0].tolist() == [0, 6]
        line.streams.on_wish[WISH](Wish(frozenset()).pack())
        drive(sender, 12, 60)
        assert await line.carry() == []
        line.streams.on_wish[WISH](b"not a wish")
        assert sender.wish == Wish(frozenset())


async def test_a_batch_is_never_shorter_than_the_relay_allows() -> None:
    async with sending() as (sender, line):
        line.connect()
        sender.opened(recording())
        line.streams.on_wish[WISH](Wish(batch_ticks=1).pack())
        drive(sender, 0, 12)
        assert [
            opened_batch(entry).ticks.tolist() for entry in await line.carry() if entry.kind == EntryKind.ROWS
        ] == [
            list(range(6)),
            list(range(6, 12)),
        ]


async def test_under_pressure_it_is_thinner_and_says_so() -> None:
    told: list[str] = []
    async with sending(Bounds(core_share=0.25)) as (sender, line):
        line.connect()
        sender.opened(recording())
        missed, cpu = [0], [0.0]
        watch = Watch(
            sender, lambda: missed[0], lambda degree, words: told.append(words), lambda: cpu[0], lambda: 1.0
        )
        watch.look()
        assert sender.statistics().words == ""
        missed[0] = 3
        watch.look()
        assert told == ["this PC does not keep up: cars half as often, no 360 Hz channels"]
        drive(sender, 0, 30)
        batch = opened_batch((await line.carry())[-1])
        assert "LFshockDefl_ST" not in batch.names
        assert batch.column("CarIdxLapDistPct")[0].tolist() == [24]
        sender.pressure.look(1e9, Load(dropped=1))
        assert (sender.statistics().degree, sender.statistics().words) == (2, sender.pressure.words)


async def test_what_is_not_packed_in_time_is_dropped_the_oldest_first() -> None:
    async with sending() as (sender, line):
        line.connect()
        sender.opened(recording())
        await line.carry()
        drive(sender, 0, 60)  # in one go: the packing task does not run meanwhile
        rows = await line.carry()
        assert [opened_batch(entry).ticks[0] for entry in rows] == [30, 45]
        assert sender.statistics().unpacked == 2


async def test_the_next_recording_has_a_stream_of_its_own() -> None:
    async with sending() as (sender, line):
        line.connect()
        sender.opened(recording(1))
        drive(sender, 0, 15)
        await line.carry()
        sender.closed("over")
        [end] = await line.carry()
        assert (end.kind, end.data) == (EntryKind.END, b"over")
        sender.opened(recording(2))
        drive(sender, 0, 15)
        assert [entry.kind for entry in await line.carry()] == [
            EntryKind.HEAD,
            EntryKind.INFO,
            EntryKind.ROWS,
        ]
        assert set(line.into) == {recording(1).id, recording(2).id}
        assert list(line.streams.lives) == [recording(2).id]


async def test_nothing_is_packed_while_nobody_is_there() -> None:
    async with sending() as (sender, line):
        sender.opened(recording())
        drive(sender, 0, 600)
        await line.carry()
        assert (sender.statistics().batches, sender.statistics().unpacked) == (0, 0)
        assert not sender.statistics().is_connected


async def test_a_line_that_is_slow_thins_and_one_that_stands_still_or_is_lost_does_not() -> None:
    async with sending() as (sender, line):
        watch = Watch(sender, lambda: 0, cpu_s=lambda: 0.0, memory_mb=lambda: 1.0)
        line.connect()
        sender.opened(recording())
        drive(sender, 0, 15)
        await line.carry()
        watch.look()
        live = line.streams.lives[recording().id]
        live.late_s = -1.0  # nothing is in time
        for first in (15, 30):
            drive(sender, first, 15)
            await line.carry()
            watch.look()
        assert (live.crowded, sender.pressure.degree) == (2, 0)
        live.late_s = 1.0
        drive(sender, 45, 15)
        await line.carry()
        live.late_s = -1.0
        drive(sender, 60, 15)
        await line.carry()
        watch.look()
        assert sender.pressure.degree == 1
        live.late_s = 1.0
        drive(sender, 75, 15)
        await wait_all_tasks_blocked()
        line.lose()
        watch.look()
        assert (sender.statistics().dropped, sender.crowded, sender.pressure.degree) == (4, 3, 1)
