"""What drivers send, through decoding, checks and laps, to the disk; with a real store, real files and real threads."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from attrs import evolve

from daemons.link.streams import StreamRefused
from daemons.store import Store, fetch, open_store
from daemons.telemetry.archive.disk import RealDisk
from daemons.telemetry.archive.files import open_file_log
from daemons.telemetry.archive.tables import MIGRATIONS
from daemons.telemetry.entries import Entry, EntryKind, pack_head
from daemons.telemetry.finding import Finder
from daemons.telemetry.ingest import Ingest, Limits
from daemons.telemetry.ingestpool import WorkPool
from daemons.telemetry.quarantine import Quarantine
from protocol.columns import Group, decode, encode
from protocol.irsdk import Layout, Type, Variable
from tests.conftest import ErrorLogs
from tests.daemons.telemetry.finding.test_laps import drive, find
from tests.daemons.telemetry.rig import LAYOUT, entries_of, recording_of, rows_of

DRIVEN = drive(laps=3.4, lap_s=10.0)
RECORDING = recording_of()


@cache
def whole() -> tuple[Entry, ...]:
    """Return all entries of the recording."""
    return tuple(entries_of(DRIVEN, RECORDING))


@asynccontextmanager
async def ingesting(
    folder: Path, *, segment_bytes: int = 1 << 20, inline: bool = False, **parts: Any
) -> AsyncIterator[Ingest]:
    async with open_store(folder / "backend.db", migrations=MIGRATIONS, inline=inline) as store:
        log = await open_file_log(store, RealDisk(folder / "telemetry"), segment_bytes=segment_bytes)
        ingest = Ingest(store, log, Quarantine(folder / "quarantine"), **parts)
        async with trio.open_nursery() as nursery:
            await nursery.start(ingest.run)
            yield ingest
            nursery.cancel_scope.cancel()
        log.close()


async def laps(store: Store) -> list[tuple[int, float | None, list[float | None], list[str]]]:
    rows = await store.read(
        lambda conn: fetch(conn, "SELECT number, time_s, sectors, flaws FROM tele_lap ORDER BY rec, lap")
    )
    return [
        (number, time_s, json.loads(sectors), json.loads(flaws)) for number, time_s, sectors, flaws in rows
    ]


def expected() -> list[tuple[int, float | None, list[float | None], list[str]]]:
    return [
        (lap.number, lap.time_s, list(lap.sectors), [str(flaw) for flaw in lap.flaws])
        for lap in find(DRIVEN)[0]
    ]


async def test_a_recording_is_kept_byte_for_byte_and_its_laps_are_found(tmp_path: Path) -> None:
    entries = list(whole())
    async with ingesting(tmp_path) as ingest:
        taken = 0
        while taken < len(entries):
            taken = await ingest.take("anna", RECORDING.id, entries[taken : taken + 3])
            assert await ingest.position(RECORDING.id) == taken
        kept = await ingest.log.read(RECORDING.id, 0, 999)
        assert [(entry.kind, entry.data) for entry in kept] == [(entry.kind, entry.data) for entry in entries]
        rows = [
            decode(LAYOUT, entry.data, rows_max=60, bytes_max=1 << 20).rows()
            for entry in kept if entry.kind is EntryKind.ROWS
        ]  # fmt: skip
        assert np.array_equal(np.concatenate(rows), rows_of(DRIVEN))
        assert await laps(ingest.store) == expected()
        again = list(entries[-3:])  # the last answer was lost
        assert await ingest.take("anna", RECORDING.id, again) == len(entries)
        assert await laps(ingest.store) == expected() and ingest.driving(RECORDING.id) is None
        about = await ingest.store.read(
            lambda conn: fetch(conn, "SELECT driver, session, kind, track, car, session_num FROM tele_about")
        )
        assert about == [("anna", "77-42-1", "Race", "The Ring Short", "Cup Car", 1)]
        figures = ingest.statistics()
        assert (figures.rows, figures.refused, figures.odd) == (len(DRIVEN.ticks), 0, 0)
        assert figures.laps == len(expected()) and figures.changed > 0 and figures.constant > 0


@pytest.mark.parametrize("at", [1, 2, 9, 25])
async def test_after_a_crash_the_same_laps_are_found(tmp_path: Path, at: int) -> None:
    entries = list(whole())
    async with ingesting(tmp_path) as ingest:
        assert await ingest.take("anna", RECORDING.id, entries[:at]) == at
        # What is durable, is; what the process knew besides is gone with it.
    async with ingesting(tmp_path) as ingest:
        assert await ingest.position(RECORDING.id) == at
        again = max(0, at - 4)  # the sender had no answer yet
        assert await ingest.take("anna", RECORDING.id, entries[again:]) == len(entries)
        assert await laps(ingest.store) == expected()
        assert len(await ingest.log.read(RECORDING.id, 0, 999)) == len(entries)


async def test_what_is_bad_is_put_aside_and_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    entries = list(whole())
    garbage = Entry(6, EntryKind.ROWS, b"\x01garbage")
    backwards = Entry(9, EntryKind.ROWS, entries[3].data)
    other = evolve(LAYOUT, tick_rate=30)
    alien = Entry(
        11, EntryKind.ROWS, encode(other, rows_of(DRIVEN)[:60].copy(), np.arange(9000, 9060), [Group()])
    )
    for entry in (garbage, backwards, alien):
        entries[entry.number] = entry
    async with ingesting(tmp_path) as ingest:
        assert await ingest.take("anna", RECORDING.id, entries) == len(entries)
        assert [(gap.first, gap.last) for gap in await ingest.log.missing(RECORDING.id)] == [
            (6, 6),
            (9, 9),
            (11, 11),
        ]
        refused = await ingest.store.read(
            lambda conn: fetch(conn, "SELECT number, words, file FROM tele_refused ORDER BY number")
        )
        assert [number for number, _, _ in refused] == [6, 9, 11]
        assert "after tick" in refused[1][1] and "layout" in refused[2][1]
        assert (tmp_path / "quarantine" / refused[0][2]).read_bytes() == garbage.data
        assert ingest.statistics().refused == 3
        gaps = [number for number, _, _, flaws in await laps(ingest.store) if "gap" in flaws]
        assert gaps == [5]


async def test_a_bad_last_entry_is_acknowledged_and_not_wanted_again(tmp_path: Path) -> None:
    entries = list(whole())[:4]
    bad = Entry(4, EntryKind.ROWS, b"")
    async with ingesting(tmp_path) as ingest:
        assert await ingest.take("anna", RECORDING.id, [*entries, bad]) == 5
    async with ingesting(tmp_path) as ingest:
        assert await ingest.position(RECORDING.id) == 5


async def test_values_that_cannot_be_are_kept_and_told(tmp_path: Path) -> None:
    driven = drive(laps=1.4, lap_s=10.0)
    rows = rows_of(driven).copy()
    table = rows.view(LAYOUT.dtype)[:, 0]
    table["Speed"][70:80] = np.nan
    table["FuelLevel"][130] = 1e20
    table["CarIdxLapDistPct"][5, 2] = np.inf
    entries = list(whole())[:2]
    entries += [
        Entry(2 + at // 60, EntryKind.ROWS, encode(LAYOUT, rows[at : at + 60].copy(), driven.ticks[at : at + 60], [Group()]))
        for at in range(0, 180, 60)
    ]  # fmt: skip
    async with ingesting(tmp_path) as ingest:
        assert await ingest.take("anna", RECORDING.id, entries) == 5
        figures = ingest.statistics()
        assert figures.odd_by_name == {"Speed": 1, "FuelLevel": 1, "CarIdxLapDistPct": 1}
        assert figures.refused == 0 and len(await ingest.log.read(RECORDING.id, 0, 99)) == 5


async def test_what_cannot_be_a_recording_is_refused_in_words(tmp_path: Path) -> None:
    entries = list(whole())
    async with ingesting(tmp_path) as ingest:
        assert await ingest.take("anna", RECORDING.id, entries[3:5]) == 0  # its head is wanted first
        for recording, sent, words in (
            (b"short", entries, "16 bytes"),
            (RECORDING.id, [entries[1], entries[0]], "not in order"),
            (RECORDING.id, [Entry(0, EntryKind.HEAD, b"no head")], "cannot be read"),
            (RECORDING.id, [Entry(0, EntryKind.INFO, entries[0].data)], "not its head"),
            (b"x" * 16, entries, "not its head"),
        ):
            with pytest.raises(StreamRefused, match=words):
                await ingest.take("anna", recording, sent)
        assert await ingest.take("anna", RECORDING.id, entries[:2]) == 2
        with pytest.raises(StreamRefused, match="another driver"):
            await ingest.take("bert", RECORDING.id, entries[:2])
        heads = [recording_of(id_=bytes([number]) * 16) for number in range(60)]
        with pytest.raises(StreamRefused, match="one in half a minute"):  # noqa: PT012
            for mine in heads:
                await ingest.take("anna", mine.id, [Entry(0, EntryKind.HEAD, pack_head(mine))])


async def test_a_driver_that_sends_too_much_waits_and_others_do_not(tmp_path: Path) -> None:
    now = [100.0]
    entries = list(whole())
    other = recording_of("bert", b"b" * 16)
    async with ingesting(tmp_path, now=lambda: now[0], limits=Limits(bytes_s=1.0, burst=1e5)) as ingest:
        await ingest.take("anna", RECORDING.id, entries[:2])
        with trio.move_on_after(0.3) as scope:
            await ingest.take("anna", RECORDING.id, [Entry(2, EntryKind.ROWS, b"x" * 200_000)])
        assert scope.cancelled_caught
        theirs = [Entry(0, EntryKind.HEAD, pack_head(other)), *entries[1:]]
        assert await ingest.take("bert", other.id, theirs) == len(entries)


async def test_many_drivers_at_once(tmp_path: Path) -> None:
    async with ingesting(tmp_path) as ingest:
        async with trio.open_nursery() as nursery:
            for number in range(30):
                mine = recording_of(f"d{number}", bytes([number]) * 16)
                nursery.start_soon(
                    ingest.take, mine.driver, mine.id, entries_of(drive(laps=0.3, lap_s=10.0), mine)
                )
        assert len(await ingest.log.recordings()) == 30
        assert ingest.log.statistics().syncs < 60


@pytest.mark.parametrize("wild", [float("nan"), float("inf"), 3e38, -3e38])
async def test_channels_of_a_stranger_with_wild_values_stop_nothing(tmp_path: Path, wild: float) -> None:
    names = (
        "SessionTime",
        "LapDistPct",
        "SessionNum",
        "Lap",
        "IsOnTrack",
        "FuelLevel",
        "PlayerCarMyIncidentCount",
    )
    layout = Layout(
        tuple(Variable(name, Type.FLOAT, 4 * at) for at, name in enumerate(names)), 4 * len(names)
    )
    rows = np.full((60, len(names)), wild, np.float32).view(np.uint8)
    mine = evolve(RECORDING, layout=layout)
    entries = [Entry(0, EntryKind.HEAD, pack_head(mine))]
    entries += [
        Entry(1 + part, EntryKind.ROWS, encode(layout, rows, np.arange(part * 60, part * 60 + 60), [Group()]))
        for part in range(3)
    ]
    entries.append(Entry(4, EntryKind.END, b"\xff\xfe"))
    async with ingesting(tmp_path) as ingest:
        assert await ingest.take("anna", mine.id, entries) == 5
        assert len(await ingest.log.read(mine.id, 0, 9)) == 5
        assert all(time_s is None for _, time_s, _, _ in await laps(ingest.store))


async def test_a_mistake_about_laps_keeps_no_tick_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error_logs: ErrorLogs
) -> None:
    feed, calls = Finder.feed, []

    def wrong(finder: Finder, *rows: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise IndexError("wrong")
        return feed(finder, *rows)

    monkeypatch.setattr(Finder, "feed", wrong)
    async with ingesting(tmp_path) as ingest:
        assert await ingest.take("anna", RECORDING.id, whole()) == len(whole())
        error_logs.expect("reading.finder_failed")
        assert len(await ingest.log.read(RECORDING.id, 0, 99)) == len(whole())
        found = await laps(ingest.store)
        assert [time_s for _, time_s, _, _ in found][-3:] == [time_s for _, time_s, _, _ in expected()][-3:]


async def test_a_simulation_needs_no_thread(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with ingesting(tmp_path, inline=True, pool=WorkPool(threads=0)) as ingest:
        assert await ingest.take("anna", RECORDING.id, whole()) == len(whole())
        assert await laps(ingest.store) == expected()
