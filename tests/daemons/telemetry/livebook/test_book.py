"""Drivers live: late joiners, slow readers, merged wishes; pieces as relays send them, decoded in real threads."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import numpy as np
import pytest
import trio
from attrs import evolve

from daemons.link.streams import StreamsIn
from daemons.telemetry.entries import Entry, EntryKind
from daemons.telemetry.finding import FoundLap
from daemons.telemetry.ingestpool import WorkPool
from daemons.telemetry.intake import Intake
from daemons.telemetry.livebook import LiveBook, Watcher, merged
from daemons.telemetry.look import Chunk, NotKept
from protocol.columns import Wish, encode_info, groups_of
from protocol.streams import Entry as Sent
from tests.daemons.telemetry.finding.test_laps import drive
from tests.daemons.telemetry.rig import INFO, LAYOUT, STARTED_US, entries_of, recording_of, rows_of

DRIVEN = drive(laps=2.0, lap_s=10.0)
RECORDING = recording_of()
ENTRIES = entries_of(DRIVEN, RECORDING, groups_of(LAYOUT, Wish(cars_every=12)), size=15)
BATCHES = [entry for entry in ENTRIES if entry.kind is EntryKind.ROWS]


class Clock:
    us = STARTED_US

    def __call__(self) -> int:
        return self.us


@asynccontextmanager
async def live(**parts: Any) -> AsyncIterator[tuple[LiveBook, Clock]]:
    clock = Clock()
    pool = WorkPool()
    book = LiveBook(pool=pool, utc_us=clock, **parts)
    async with trio.open_nursery() as nursery:
        await nursery.start(pool.run)
        book.add("anna")
        yield book, clock
        nursery.cancel_scope.cancel()


def send(book: LiveBook, clock: Clock, entries: list[Entry]) -> None:
    for entry in entries:
        if entry.kind is EntryKind.ROWS:
            clock.us += 250_000
        book.take("anna", entry, clock.us - 20_000)


async def collect(
    book: LiveBook, ticks: int, names: list[str], hz: float = 60.0, back_s: float = 0.0
) -> list[Chunk]:
    found: list[Chunk] = []
    async with aclosing(book.subscribe("anna", names, hz, back_s=back_s)) as chunks:
        async for chunk in chunks:
            found.append(chunk)
            if chunk.last_tick >= ticks:
                break
    return found


def ticks_of(chunks: list[Chunk], name: str) -> list[int]:
    return [int(tick) for chunk in chunks if name in chunk.columns for tick in chunk.columns[name].ticks]


async def test_who_joins_late_gets_the_last_minutes_and_goes_on_without_a_gap_or_a_double() -> None:
    async with live() as (book, clock):
        send(book, clock, ENTRIES[:42])  # 40 batches: 10 s
        last = int(DRIVEN.ticks[60 * 15 - 1])
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                found: list[Chunk] = []

                async def read() -> None:
                    found.extend(
                        await collect(book, last, ["Speed", "CarIdxLapDistPct", "NotThere"], back_s=5.0)
                    )

                nursery.start_soon(read)
                await trio.testing.wait_all_tasks_blocked()
                for entry in ENTRIES[42:62]:
                    send(book, clock, [entry])
                    await trio.lowlevel.checkpoint()
        ticks = ticks_of(found, "Speed")
        assert ticks == list(range(int(DRIVEN.ticks[20 * 15]), last + 1))
        speed = np.concatenate([chunk.columns["Speed"].values for chunk in found])
        exact = rows_of(DRIVEN).view(LAYOUT.dtype)[:, 0]["Speed"]
        assert np.abs(speed - exact[20 * 15 : 60 * 15]).max() <= 0.1 / 3.6
        cars = ticks_of(found, "CarIdxLapDistPct")
        assert cars == [tick for tick in ticks if tick % 12 == 0]
        assert found[0].columns["CarIdxLapDistPct"].values.shape[1:] == (4,)
        assert all(chunk.lost == chunk.skipped == 0 and "NotThere" not in chunk.columns for chunk in found)
        assert found[-1].taken_us is not None and found[-1].recording == RECORDING.id


async def test_scalars_come_as_often_as_was_asked() -> None:
    async with live() as (book, clock):
        send(book, clock, ENTRIES[:42])
        with trio.fail_after(20):
            found = await collect(book, int(DRIVEN.ticks[40 * 15 - 1]), ["Speed"], hz=10.0, back_s=999)
        assert ticks_of(found, "Speed") == [int(tick) for tick in DRIVEN.ticks[:600] if tick % 6 == 0]


async def test_a_lost_batch_is_told_and_one_that_comes_twice_is_not_shown() -> None:
    async with live() as (book, clock):
        send(book, clock, [*ENTRIES[:10], *ENTRIES[12:14], *ENTRIES[5:14], *ENTRIES[14:16]])
        with trio.fail_after(20):
            found = await collect(book, int(DRIVEN.ticks[14 * 15 - 1]), ["Speed"], back_s=99)
        assert [chunk.lost for chunk in found] == [0] * 8 + [30] + [0] * 3
        ticks = ticks_of(found, "Speed")
        assert ticks == sorted(set(ticks)) and len(ticks) == 12 * 15
        assert book.driver("anna").late == 9
        state = book.state("anna")
        assert (state.ticks, state.lost) == (12 * 15, 30)


async def test_a_slow_reader_skips_and_is_told_and_others_do_not_wait() -> None:
    async with live() as (book, clock):
        send(book, clock, ENTRIES[:3])
        with trio.fail_after(20):
            async with aclosing(book.subscribe("anna", ["Speed"], 60.0)) as chunks:
                async with trio.open_nursery() as nursery:

                    async def first() -> None:
                        await anext(chunks)

                    nursery.start_soon(first)
                    await trio.testing.wait_all_tasks_blocked()
                    send(book, clock, ENTRIES[3:4])
                send(book, clock, ENTRIES[4:60])  # 14 s, and nobody reads
                chunk = await anext(chunks)
                assert chunk.last_tick == DRIVEN.ticks[58 * 15 - 1]
                assert chunk.skipped == 55 * 15 == book.skipped
                send(book, clock, ENTRIES[60:61])
                assert (await anext(chunks)).skipped == 0


async def test_the_ring_has_bounds() -> None:
    async with live(back_s=5.0) as (book, clock):
        send(book, clock, ENTRIES)
        assert 20 <= len(book.driver("anna").ring.pieces) <= 21
    async with live(ring_bytes=3000) as (book, clock):
        send(book, clock, ENTRIES)
        ring = book.driver("anna").ring
        assert ring.bytes == sum(len(piece.data) for piece in ring.pieces) <= 3000


async def test_how_it_stands_with_a_driver() -> None:
    async with live() as (book, clock):
        assert book.state("anna").heard_us is None and not book.state("anna").is_connected
        book.driver("anna").base = evolve(book.driver("anna").base, is_connected=True, clock_error_s=0.002)
        send(book, clock, ENTRIES[:20])
        lap = FoundLap(
            index=0, number=3, stint=0, first_tick=0, last_tick=1, started_s=1.0, time_s=1.0, sectors=()
        )
        dirty = evolve(lap, flaws=("off track",), fuel_litres=9.0)
        book.driver("anna").laps([evolve(lap, fuel_litres=1.9), evolve(lap, fuel_litres=2.1), dirty])
        state = book.state("anna")
        assert state is book.state("anna")
        assert (state.name, state.track, state.car, state.session) == (
            "Anna",
            "The Ring Short",
            "Cup Car",
            "Race",
        )
        assert state.is_connected and state.is_driving and state.clock_error_s == 0.002
        assert state.taken_us == clock.us - 20_000 and state.heard_us == clock.us
        assert state.cars[1].colour == "#ffda59" and state.cars[0].is_pace and state.car_index == 1
        assert state.fuel is not None and state.fuel.tank_litres == 60.0
        assert state.fuel.per_lap == pytest.approx(2.0) and state.fuel.litres == state.values["FuelLevel"]
        assert state.tyres is None  # this car has no such channels
        again = encode_info(INFO, None)
        for info, burns in ((again, 2.0), (encode_info(INFO.replace(b"Cup Car", b"Other Car"), None), None)):
            send(book, clock, [Entry(30, EntryKind.INFO, info)])
            send(book, clock, ENTRIES[20:21] if burns else ENTRIES[21:22])
            found = book.state("anna").fuel
            assert found is not None
            assert found.per_lap == burns
        with pytest.raises(NotKept):
            book.state("bert")
        with pytest.raises(NotKept):
            book.subscribe("bert", [], 1.0)


async def test_what_is_bad_is_counted_and_the_rest_goes_on() -> None:
    async with live() as (book, clock):
        send(book, clock, [ENTRIES[3], Entry(9, EntryKind.HEAD, b"no"), *ENTRIES[:4]])
        send(
            book,
            clock,
            [
                Entry(4, EntryKind.ROWS, b"\xff" * 30),
                Entry(5, EntryKind.ROWS, BATCHES[5].data[:40]),
                *ENTRIES[8:10],
            ],
        )
        assert book.driver("anna").refused >= 3
        with trio.fail_after(20):
            found = await collect(book, int(DRIVEN.ticks[8 * 15 - 1]), ["Speed"], back_s=99)
        assert ticks_of(found, "Speed")[-1] == DRIVEN.ticks[8 * 15 - 1]


async def test_who_looks_decides_what_a_relay_is_asked_for() -> None:
    asked: list[tuple[str, Wish]] = []
    async with live(on_wish=lambda driver, wish: asked.append((driver, wish)), keeps_ready=False) as (
        book,
        _,
    ):
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(collect, book, 0, ["Brake"], 30.0)
                await trio.testing.wait_all_tasks_blocked()
                assert "Brake" in (asked[-1][1].names or ()) and asked[-1][1].scalars_every == 2
                nursery.cancel_scope.cancel()
        assert "Brake" not in (asked[-1][1].names or ()) and asked[-1][1].scalars_every == 12
        assert [driver for driver, _ in asked] == ["anna"] * 3 and book.wish("anna") == asked[-1][1]


def test_wishes_are_merged_to_what_serves_all() -> None:
    slow, quick = Watcher(frozenset({"A", "B"}), 10.0), Watcher(frozenset({"B", "Speed_ST"}), 25.0)
    assert merged([]) == Wish(batch_ticks=60)
    assert merged([slow]) == Wish(batch_ticks=6)
    assert merged([slow, quick]) == Wish(batch_ticks=6, sub_samples=True)
    narrow = merged([slow, quick], keeps_ready=False)
    assert narrow.names is not None and {"A", "B", "Speed_ST", "FuelLevel"} <= narrow.names
    assert narrow.scalars_every == 2
    assert merged([], keeps_ready=False).scalars_every == 12


async def test_streams_of_the_link_are_joined_to_the_book() -> None:
    async with live() as (book, _):
        streams = StreamsIn()
        intake = Intake(None, book, ahead_us=lambda driver: 5_000_000)  # type: ignore[arg-type]
        intake.ingest = type("Kept", (), {"position": None})()  # type: ignore[assignment]
        intake.attach("anna", streams)
        assert Wish.unpack(streams.wishes["telemetry"]) == Wish(batch_ticks=60)
        for entry in ENTRIES[:4]:
            streams.on_live(RECORDING.id, Sent(entry.number, entry.kind, entry.data, STARTED_US + 5_000_000))
        streams.on_live(RECORDING.id, Sent(4, 99, b"of a newer relay", 0))
        assert book.state("anna").taken_us == STARTED_US and book.driver("anna").refused == 0
        intake.detach("anna")
        with pytest.raises(NotKept):
            book.state("anna")
