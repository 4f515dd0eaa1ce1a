"""Care of a store: backups when they are due, a failing disk said and taken back, work that waits for it."""

from pathlib import Path

import apsw
import pytest
import trio
from trio.testing import MockClock

from daemons.ops.health import Health, Severity
from daemons.ops.storage import BackupConfig
from daemons.ops.storecare import FIRST_S, FULL, LOOK_S, RETRY_S, StoreCare, patiently
from daemons.store import Migration, StorageError, StorageFault, Store, fetch, open_store
from daemons.store.archive import backups_in
from daemons.store.connect import DatabaseKey

TABLE = [Migration("test", 1, "CREATE TABLE item (name TEXT) STRICT")]
HOUR_S = 3600.0


class Clock:
    """UTC that goes with trio's clock, and can be set."""

    def __init__(self) -> None:
        self.offset = 1.8e9

    def __call__(self) -> float:
        return trio.current_time() + self.offset


def _care(
    store: Store, clock: Clock, config: BackupConfig | None = None, *, inline: bool = True
) -> StoreCare:
    return StoreCare(
        store, Health(clock), config or BackupConfig(), clock, "pits-field", inline=inline, reserve_bytes=0
    )


def _kept(care: StoreCare) -> list[float]:
    return [backup.at for backup in backups_in(care.into)]


async def test_backups_are_made_when_due_and_the_oldest_go(tmp_path: Path, autojump_clock: MockClock) -> None:
    clock = Clock()
    async with open_store(tmp_path / "pits.db", migrations=TABLE, inline=True) as store:
        care = _care(store, clock, BackupConfig(every_h=24, keep=3))
        started = clock()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(care.run)
            await trio.sleep(FIRST_S - LOOK_S)
            assert not care.into.exists(), "a start is busy enough"
            await trio.sleep(2 * LOOK_S)
            assert len(_kept(care)) == 1
            await trio.sleep(5 * 24 * HOUR_S)
            nursery.cancel_scope.cancel()
        assert care.backups == 6
        kept = _kept(care)
        assert len(kept) == 3
        assert kept[0] - started == pytest.approx(FIRST_S + 3 * 24 * HOUR_S, abs=5 * LOOK_S)
    async with open_store(tmp_path / "pits.db", migrations=TABLE, inline=True) as store:
        again = _care(store, clock, BackupConfig(every_h=24, keep=3))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(again.run)
            await trio.sleep(12 * HOUR_S)
            assert again.backups == 0, "a restart knows what there is"
            clock.offset -= 400 * 24 * HOUR_S  # the clock was wrong, and is set
            await trio.sleep(2 * LOOK_S)
            assert again.backups == 1
            clock.offset += 400 * 24 * HOUR_S  # or the machine has slept
            await trio.sleep(2 * LOOK_S)
            assert again.backups == 2
            nursery.cancel_scope.cancel()


async def test_none_are_made_when_none_are_wanted(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_store(tmp_path / "pits.db", migrations=TABLE, inline=True) as store:
        care = _care(store, Clock(), BackupConfig(every_h=0))
        with trio.move_on_after(100 * HOUR_S):
            await care.run()
        assert care.backups == 0
        assert not care.into.exists()


async def test_one_that_fails_is_said_and_tried_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    blocked = tmp_path / "elsewhere"
    blocked.write_text("a file where the folder is to be")
    async with open_store(tmp_path / "pits.db", migrations=TABLE, inline=True) as store:
        care = _care(store, Clock(), BackupConfig(every_h=1, folder=blocked))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(care.run)
            await trio.sleep(HOUR_S + 2 * LOOK_S)
            assert care.failed_backups == 1
            (warning,) = care.health.warnings
            assert (warning.name, warning.severity) == ("backup", Severity.DEGRADED)
            assert "no backup could be made" in warning.words and "there is none" in warning.words
            blocked.unlink()
            await trio.sleep(RETRY_S)
            assert (care.backups, care.health.warnings) == (1, [])
            nursery.cancel_scope.cancel()


async def test_with_threads_it_is_made_beside_the_loop_and_stopped_with_the_daemon(tmp_path: Path) -> None:
    async with open_store(tmp_path / "pits.db", migrations=TABLE, key=DatabaseKey("a1" * 32)) as store:
        care = _care(store, Clock(), inline=False)
        care.key = DatabaseKey("a1" * 32)
        backup = await care.take()
        assert backup.encrypted and backup.path.name.startswith("pits-field-")
        with trio.CancelScope() as scope:
            scope.cancel()
            await care.take()
        assert scope.cancelled_caught
        assert [path.name for path in care.into.iterdir()] == [backup.path.name]


async def test_a_failing_disk_is_said_probed_and_taken_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def full(conn: apsw.Connection) -> None:
        raise apsw.FullError("database or disk is full")

    async with open_store(tmp_path / "pits.db", migrations=TABLE, inline=True) as store:
        care = _care(store, Clock())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(care.run)
            await trio.sleep(1)
            with pytest.raises(StorageError):
                await store.transact(full)
            (warning,) = care.health.warnings
            assert (warning.name, warning.severity) == ("store", Severity.DEGRADED)
            assert "free some space" in warning.words and "free some space" in care.words
            await trio.sleep(10)
            assert (care.health.warnings, care.words) == ([], "")
            nursery.cancel_scope.cancel()


async def test_a_corrupt_file_stays_said(tmp_path: Path, autojump_clock: MockClock) -> None:
    def corrupt(conn: apsw.Connection) -> None:
        raise apsw.CorruptError("database disk image is malformed")

    async with open_store(tmp_path / "pits.db", migrations=TABLE, inline=True) as store:
        care = _care(store, Clock())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(care.run)
            with pytest.raises(StorageError):
                await store.transact(corrupt)
            await store.transact(lambda conn: conn.execute("INSERT INTO item VALUES ('a')"))
            await trio.sleep(100)
            (warning,) = care.health.warnings
            assert warning.severity is Severity.FAILING
            assert "restore the newest backup" in warning.words
            nursery.cancel_scope.cancel()


async def test_patient_work_is_done_once_when_the_disk_is_well(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    tries = 0

    def insert(conn: apsw.Connection) -> None:
        nonlocal tries
        tries += 1
        conn.execute("INSERT INTO item VALUES ('a')")
        if tries < 5:
            raise apsw.FullError("database or disk is full")

    async with open_store(tmp_path / "pits.db", migrations=TABLE, inline=True) as store:
        await patiently(lambda: store.transact(insert), "an item", FULL)
        assert await store.read(lambda conn: fetch(conn, "SELECT * FROM item")) == [("a",)]
        with pytest.raises(KeyError):
            await patiently(lambda: store.transact(lambda conn: {}["bug"]), "a bug")
        for fault, error in ((StorageFault.FAILED, apsw.IOError("disk I/O error")),):
            with pytest.raises(StorageError) as caught:
                await patiently(lambda error=error: store.transact(lambda conn: _raise(error)), "it", FULL)
            assert caught.value.fault is fault
    with pytest.raises(StorageError) as caught:
        await patiently(lambda: store.transact(insert), "too late")
    assert caught.value.fault is StorageFault.CLOSED


def _raise(error: Exception) -> None:
    raise error
