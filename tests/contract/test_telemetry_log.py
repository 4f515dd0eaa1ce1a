"""What every TelemetryLog must do, over files and in memory alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from daemons.store import open_store
from daemons.telemetry.archive.disk import RealDisk
from daemons.telemetry.archive.files import open_file_log
from daemons.telemetry.archive.memory import MemoryLog
from daemons.telemetry.archive.port import Missing, TelemetryLog
from daemons.telemetry.archive.tables import MIGRATIONS
from daemons.telemetry.entries import Entry, EntryKind

A, B = b"a" * 16, b"b" * 16


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[TelemetryLog]:
    if kind == "memory":
        yield MemoryLog()
        return
    async with open_store(folder / "backend.db", migrations=MIGRATIONS) as store:
        log = await open_file_log(store, RealDisk(folder / "telemetry"), segment_bytes=300)
        yield log
        log.close()


@pytest.fixture(params=["files", "memory"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rows(number: int, size: int = 100) -> Entry:
    """A second of rows: number 2 has ticks 120 to 179."""
    return Entry(number, EntryKind.ROWS, bytes([number]) * size, number * 60, number * 60 + 59)


HEAD = Entry(0, EntryKind.HEAD, b"head")
INFO = Entry(1, EntryKind.INFO, b"info")
END = Entry(9, EntryKind.END, b"the simulator was closed")


async def test_what_was_appended_is_read_in_order(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as log:
        assert await log.append("anna", A, [HEAD, INFO, rows(2)]) == 3
        assert await log.append("anna", A, [rows(3), rows(4)]) == 5
        assert await log.append("bert", B, [HEAD]) == 1
        assert await log.read(A, 0, 99) == [HEAD, INFO, rows(2), rows(3), rows(4)]
        assert await log.read(A, 1, 3) == [INFO, rows(2), rows(3)]
        assert await log.read(b"c" * 16, 0, 99) == []
        anna, bert = await log.recordings()
        assert (anna.driver, anna.id, anna.next_number, anna.first_tick, anna.last_tick) == (
            "anna",
            A,
            5,
            120,
            299,
        )
        assert anna.rows_bytes >= 300 and anna.ended is None
        assert await log.recordings("bert") == [bert] == [await log.recording(B)]
        assert (bert.first_tick, bert.rows_bytes) == (None, 0)
        assert await log.recording(b"c" * 16) is None


async def test_appending_again_is_harmless(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as log:
        await log.append("anna", A, [HEAD, INFO, rows(2)])
        assert await log.append("anna", A, [INFO, rows(2), rows(3)]) == 4
        assert await log.append("anna", A, [HEAD]) == 4
        assert await log.append("anna", A, []) == 4
        assert await log.read(A, 0, 9) == [HEAD, INFO, rows(2), rows(3)]
        assert (log.statistics().entries, log.statistics().doubles) == (4, 3)


async def test_a_jump_of_numbers_is_a_gap_until_it_is_filled(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as log:
        assert await log.append("anna", A, [HEAD, rows(3), END]) == 10
        assert await log.missing(A) == [Missing(1, 2, False), Missing(4, 8, False)]
        kept = await log.recording(A)
        assert kept is not None and kept.ended == "the simulator was closed"
        assert await log.append("anna", A, [INFO, rows(2), rows(5)]) == 10
        assert await log.missing(A) == [Missing(4, 4, False), Missing(6, 8, False)]
        assert [entry.number for entry in await log.read(A, 0, 9)] == [0, 1, 2, 3, 5, 9]
        assert await log.missing(b"c" * 16) == []


async def test_rows_are_found_by_tick(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as log:
        await log.append("anna", A, [HEAD, INFO, rows(2), rows(3), rows(5)])
        assert await log.numbers_at(A, 0, 10_000) == (2, 5)
        assert await log.numbers_at(A, 179, 180) == (2, 3)
        assert await log.numbers_at(A, 200, 310) == (3, 5)
        assert await log.numbers_at(A, 240, 299) is None  # in the gap
        assert await log.numbers_at(A, 240, 300) == (5, 5)
        assert await log.numbers_at(A, 0, 119) is None
        assert await log.numbers_at(A, 360, 999) is None
        assert await log.numbers_at(B, 0, 10_000) is None


async def test_a_read_has_an_end(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as log:
        await log.append("anna", A, [HEAD, INFO, *(rows(number) for number in range(2, 12))])
        part = await log.read(A, 2, 99, bytes_max=350)
        assert [entry.number for entry in part] in ([2, 3, 4], [2, 3])
        assert await log.read(A, 5, 99, bytes_max=1) == [rows(5)]


async def test_the_oldest_rows_make_room_and_what_is_known_of_them_stays(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as log:
        for number in range(2, 22):
            await log.append("anna", A, [HEAD, INFO, rows(number)])
        before = log.statistics().bytes
        given_up = await log.trim(1000)
        assert given_up > 0 and log.statistics().trimmed_bytes == given_up
        assert log.statistics().bytes == before - given_up <= 1000
        left = await log.read(A, 0, 99)
        assert left[:2] == [HEAD, INFO] and left[-1] == rows(21)
        (gap,) = await log.missing(A)
        assert gap == Missing(2, left[2].number - 1, True)
        kept = await log.recording(A)
        assert kept is not None and kept.first_tick == 120  # what it was is still known
        assert await log.trim(1000) == 0
        assert await log.append("anna", A, [rows(22)]) == 23


async def test_many_drivers_share_the_wait_for_the_disk(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as log:
        async with trio.open_nursery() as nursery:
            for driver in range(40):
                nursery.start_soon(log.append, f"d{driver}", bytes([driver]) * 16, [HEAD, rows(1)])
        assert len(await log.recordings()) == 40
        for driver in range(40):
            assert await log.read(bytes([driver]) * 16, 0, 9) == [HEAD, rows(1)]
        if kind == "files":
            assert log.statistics().syncs < 20
