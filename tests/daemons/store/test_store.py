"""The store on a real file: what is durable when, what a failure undoes, and what an operator is told."""

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import apsw
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from daemons.store import Migration, StorageError, StorageFault, Store, fetch, open_store
from daemons.store.writer import JOBS_MAX
from tests.conftest import ErrorLogs

TABLE = [Migration("test", 1, "CREATE TABLE item (name TEXT PRIMARY KEY) STRICT")]
both = pytest.mark.parametrize("inline", [True, False], ids=["inline", "threads"])


def _insert(conn: apsw.Connection, name: str) -> str:
    conn.execute("INSERT INTO item VALUES (?)", (name,))
    return name


def _names(conn: apsw.Connection) -> list[str]:
    return [name for (name,) in fetch(conn, "SELECT name FROM item ORDER BY rowid")]


@both
async def test_work_is_durable_when_it_returns_and_there_after_a_restart(
    tmp_path: Path, inline: bool
) -> None:
    path = tmp_path / "state" / "store.db"
    async with open_store(path, migrations=TABLE, inline=inline) as store:
        assert await store.transact(lambda conn: _insert(conn, "a")) == "a"
        if not inline:  # which has the file for itself
            other = apsw.Connection(str(path))
            assert _names(other) == ["a"]
            other.close()
        assert await store.read(_names) == ["a"]
    async with open_store(path, migrations=TABLE, inline=inline) as store:
        assert await store.read(_names) == ["a"]


@both
async def test_bad_work_undoes_itself_and_not_its_neighbours(tmp_path: Path, inline: bool) -> None:
    done: list[str] = []

    async def work(store: Store, name: str) -> None:
        def fn(conn: apsw.Connection) -> None:
            _insert(conn, name)
            store.after_commit(lambda: done.append(name))
            if name == "bad":
                raise KeyError(name)

        if name == "bad":
            with pytest.raises(KeyError):
                await store.transact(fn)
        else:
            await store.transact(fn)
            assert name in done, "callbacks come before the caller goes on"

    async with open_store(tmp_path / "store.db", migrations=TABLE, inline=inline) as store:
        async with trio.open_nursery() as nursery:
            for name in ("a", "bad", "b"):
                nursery.start_soon(work, store, name)
        assert sorted(await store.read(_names)) == ["a", "b"] == sorted(done)


async def test_many_callers_share_one_commit(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db", migrations=TABLE) as store:
        async with trio.open_nursery() as nursery:
            for name in range(JOBS_MAX + 50):
                nursery.start_soon(store.transact, lambda conn, name=name: _insert(conn, str(name)))
            await wait_all_tasks_blocked()
        statistics = store.statistics()
        assert statistics.jobs == JOBS_MAX + 50
        assert statistics.commits <= 3
        assert statistics.waiting == 0


@both
async def test_nested_savepoint_undoes_its_body_and_its_callbacks(tmp_path: Path, inline: bool) -> None:
    done: list[str] = []
    async with open_store(tmp_path / "store.db", migrations=TABLE, inline=inline) as store:

        def work(conn: apsw.Connection) -> None:
            store.after_commit(lambda: done.append("before"))
            for name in ("kept", "undone"):
                try:
                    with store.savepoint(conn):
                        _insert(conn, name)
                        store.after_commit(partial(done.append, name))
                        if name == "undone":
                            raise ValueError
                except ValueError:
                    pass
            store.after_commit(lambda: done.append("after"))

        await store.transact(work)
        assert await store.read(_names) == ["kept"]
        assert done == ["before", "kept", "after"]


@both
async def test_batched_work_is_done_together_and_blamed_apart(tmp_path: Path, inline: bool) -> None:
    calls: list[list[str]] = []
    done: list[str] = []

    async with open_store(tmp_path / "store.db", migrations=TABLE, inline=inline) as store:

        def insert_all(conn: apsw.Connection, names: list[str]) -> Sequence[str]:
            calls.append(names)
            for name in names:
                _insert(conn, name)
                store.after_commit(partial(done.append, name))
                if name == "bad":
                    raise KeyError(name)
            return [name.upper() for name in names]

        async def work(name: str) -> None:
            if name == "bad":
                with pytest.raises(KeyError):
                    await store.transact_batched(insert_all, name)
            else:
                assert await store.transact_batched(insert_all, name) == name.upper()

        async with trio.open_nursery() as nursery:
            for name in ("a", "bad", "b"):
                nursery.start_soon(work, name)
        assert sorted(await store.read(_names)) == ["a", "b"] == sorted(done)
        if not inline:
            calls.clear()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(store.transact, lambda conn: _insert(conn, "first"))
                for name in ("c", "d", "e"):
                    nursery.start_soon(work, name)
            assert max(len(names) for names in calls) > 1


async def test_cancelling_withdraws_what_was_not_begun(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db", migrations=TABLE) as store:
        begun, go, token = trio.Event(), trio.Event(), trio.lowlevel.current_trio_token()

        def slow(conn: apsw.Connection) -> str:
            trio.from_thread.run_sync(begun.set, trio_token=token)
            trio.from_thread.run(go.wait, trio_token=token)
            return _insert(conn, "begun")

        async with trio.open_nursery() as nursery:
            result: list[str] = []

            async def begin() -> None:
                with trio.CancelScope() as scope:
                    nursery.start_soon(cancel_when_begun, scope)
                    result.append(await store.transact(slow))

            async def cancel_when_begun(scope: trio.CancelScope) -> None:
                await begun.wait()
                with trio.CancelScope() as waiting:
                    nursery.start_soon(wait_in_vain, waiting)
                    await wait_all_tasks_blocked()
                    scope.cancel()
                    waiting.cancel()
                await wait_all_tasks_blocked()
                go.set()

            async def wait_in_vain(scope: trio.CancelScope) -> None:
                with trio.CancelScope() as own:
                    withdrawn.append(own)
                    await store.transact(lambda conn: _insert(conn, "withdrawn"))

            withdrawn: list[trio.CancelScope] = []
            nursery.start_soon(begin)
            await begun.wait()
            await wait_all_tasks_blocked()
            withdrawn[0].cancel()
        assert result == ["begun"], "what has begun is finished, and its result returned"
        assert await store.read(_names) == ["begun"]


async def test_work_that_waits_is_committed_when_the_store_closes(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    opened, close = trio.Event(), trio.Event()
    stores: list[Store] = []

    async def hold_open() -> None:
        async with open_store(path, migrations=TABLE) as store:
            stores.append(store)
            opened.set()
            await close.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold_open)
        await opened.wait()
        for name in "abc":
            nursery.start_soon(stores[0].transact, lambda conn, name=name: _insert(conn, name))
        await wait_all_tasks_blocked()  # all have handed their work in
        close.set()
    with pytest.raises(StorageError, match="closed"):
        await stores[0].transact(lambda conn: _insert(conn, "late"))
    async with open_store(path, migrations=TABLE) as store:
        assert sorted(await store.read(_names)) == ["a", "b", "c"]


@both
async def test_a_store_whose_opening_is_cancelled_ends(tmp_path: Path, inline: bool) -> None:
    """A daemon that is told to stop while it starts: what writes is shielded, and must have been told too."""
    with trio.CancelScope() as scope:
        if inline:
            scope.cancel()
        else:  # while a thread opens the file
            trio.lowlevel.current_trio_token().run_sync_soon(scope.cancel)
        async with open_store(tmp_path / "store.db", migrations=TABLE, inline=inline):
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_errors_of_the_body_stay_themselves(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        async with open_store(tmp_path / "store.db", migrations=TABLE):
            raise KeyError


@both
async def test_full_disk_fails_all_in_words_loses_nothing_and_heals(tmp_path: Path, inline: bool) -> None:
    async with open_store(tmp_path / "store.db", migrations=TABLE, inline=inline) as store:
        await store.transact(lambda conn: _insert(conn, "before"))
        await store.transact(lambda conn: conn.pragma("max_page_count", 1))  # SQLite's own way to be full
        done: list[str] = []

        def work(conn: apsw.Connection) -> None:
            store.after_commit(lambda: done.append("never"))
            _insert(conn, "x" * 100_000)

        for _ in range(4):
            with pytest.raises(StorageError, match="free some space") as caught:
                await store.transact(work)
            assert caught.value.fault is StorageFault.DISK_FULL
        assert done == []
        await store.transact(lambda conn: conn.pragma("max_page_count", 100_000))
        await store.transact(work)
        assert await store.read(lambda conn: len(_names(conn))) == 2
        assert store.statistics().failed_commits == 4


@both
async def test_failing_disk_fails_the_neighbours_too(tmp_path: Path, inline: bool) -> None:
    errors: list[StorageError] = []
    async with open_store(tmp_path / "store.db", migrations=TABLE, inline=inline) as store:

        def fail(conn: apsw.Connection) -> None:
            raise apsw.IOError("the disk is gone")

        async def work(name: str) -> None:
            try:
                await store.transact(fail if name == "bad" else lambda conn: _insert(conn, name))
            except StorageError as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            for name in ("a", "bad", "b"):
                nursery.start_soon(work, name)
        names = await store.read(_names)
        assert len(errors) + len(names) == 3
        assert len({id(error) for error in errors}) == len(errors)
        assert {error.fault for error in errors} == {StorageFault.FAILED}


@both
async def test_corrupt_file_is_named_and_left_as_it_is(tmp_path: Path, inline: bool) -> None:
    path = tmp_path / "store.db"
    async with open_store(path, migrations=TABLE, inline=inline) as store:
        await store.transact(lambda conn: [_insert(conn, str(name)) for name in range(2000)])
    data = bytearray(path.read_bytes())
    data[3 * 8192 : 4 * 8192] = b"\xff" * 8192
    path.write_bytes(data)
    with pytest.raises(StorageError, match="restore the newest backup") as caught:
        async with open_store(path, migrations=TABLE, inline=inline):
            pass
    assert caught.value.fault is StorageFault.CORRUPT
    assert path.read_bytes() == data
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(StorageError, match="restore the newest backup"):
        async with open_store(path, migrations=TABLE, inline=inline):
            pass


async def test_second_daemon_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db", migrations=TABLE):
        code = f"""
import trio
from pathlib import Path
from daemons.store import open_store, StorageError
async def main():
    try:
        async with open_store(Path({str(tmp_path)!r}) / "store.db", migrations=[]):
            print("opened")
    except StorageError as error:
        print(error.fault, error)
trio.run(main)
"""
        done = await trio.run_process([sys.executable, "-c", code], capture_stdout=True)
        said = done.stdout.decode()
    assert "locked" in said
    assert f"process {os.getpid()}" in said
    assert "another state folder" in said


async def test_lock_ends_with_the_process(tmp_path: Path) -> None:
    code = f"""
import os, trio
from pathlib import Path
from daemons.store import open_store
async def main():
    async with open_store(Path({str(tmp_path)!r}) / "store.db", migrations=[]):
        os._exit(3)
trio.run(main)
"""
    assert (await trio.run_process([sys.executable, "-c", code], check=False)).returncode == 3
    async with open_store(tmp_path / "store.db", migrations=TABLE):
        pass


async def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="permissions") as caught:
        async with open_store(tmp_path / "file" / "store.db", migrations=TABLE):
            pass
    assert caught.value.fault is StorageFault.UNWRITABLE


async def test_missing_steps_are_applied_and_newer_files_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    second = Migration("test", 2, "ALTER TABLE item ADD COLUMN at REAL")
    other = Migration("other", 1, "CREATE TABLE other (id INTEGER PRIMARY KEY) STRICT")
    async with open_store(path, migrations=TABLE):
        pass
    async with open_store(path, migrations=[other, *TABLE, second]) as store:
        await store.transact(lambda conn: conn.execute("INSERT INTO item VALUES ('a', 1.5)"))
    with pytest.raises(StorageError, match="newer one") as caught:
        async with open_store(path, migrations=TABLE):
            pass
    assert caught.value.fault is StorageFault.NEWER
    async with open_store(path, migrations=[*TABLE, second]) as store:
        assert await store.read(_names) == ["a"]


async def test_failing_step_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    bad = Migration("test", 2, "CREATE TABLE more (id INTEGER); INSERT INTO nowhere VALUES (1)")
    async with open_store(path, migrations=TABLE):
        pass
    with pytest.raises(apsw.SQLError):
        async with open_store(path, migrations=[*TABLE, bad]):
            pass
    async with open_store(path, migrations=TABLE) as store:
        tables = await store.read(
            lambda conn: fetch(conn, "SELECT name FROM sqlite_schema WHERE name = 'more'")
        )
        assert tables == []


async def test_steps_out_of_order_are_our_own_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="out of order"):
        async with open_store(tmp_path / "store.db", migrations=[Migration("test", 2, "")]):
            pass


@both
async def test_backup_is_whole_and_made_while_work_goes_on(tmp_path: Path, inline: bool) -> None:
    copy = tmp_path / "copy" / "store.db"
    copy.parent.mkdir()
    async with open_store(tmp_path / "store.db", migrations=TABLE, inline=inline) as store:
        await store.transact(lambda conn: _insert(conn, "a"))
        await store.backup_to(copy)
        await store.transact(lambda conn: _insert(conn, "b"))
        assert [path.name for path in copy.parent.iterdir()] == ["store.db"]
    async with open_store(copy, migrations=TABLE, inline=inline) as store:
        assert await store.read(_names) == ["a"]


async def test_backup_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db", migrations=TABLE) as store:
        with pytest.raises(StorageError, match="nowhere"):
            await store.backup_to(tmp_path / "nowhere" / "copy.db")


async def test_readers_cannot_write(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db", migrations=TABLE) as store:
        with pytest.raises(StorageError):
            await store.read(lambda conn: _insert(conn, "a"))
        with pytest.raises(RuntimeError, match="only inside"):
            store.after_commit(lambda: None)


async def test_callback_that_raises_is_logged_and_the_writer_goes_on(
    tmp_path: Path, error_logs: ErrorLogs
) -> None:
    async with open_store(tmp_path / "store.db", migrations=TABLE) as store:
        await store.transact(lambda conn: store.after_commit(lambda: [][0]))
        error_logs.expect("callback_failed")
        await store.transact(lambda conn: _insert(conn, "a"))


def test_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Kill the process in the middle of its work: what it said was durable is there."""
    code = f"""
import trio
from pathlib import Path
from daemons.store import open_store, Migration
async def main():
    migrations = [Migration("test", 1, "CREATE TABLE item (name TEXT PRIMARY KEY) STRICT")]
    async with open_store(Path({str(tmp_path)!r}) / "store.db", migrations=migrations) as store:
        async def work(first):
            for name in range(first, 10**6, 8):
                await store.transact(lambda conn: conn.execute("INSERT INTO item VALUES (?)", (str(name),)))
                print(name, flush=True)
        async with trio.open_nursery() as nursery:
            for first in range(8):
                nursery.start_soon(work, first)
trio.run(main)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(300)]
    process.kill()
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    conn = apsw.Connection(str(tmp_path / "store.db"))
    there = set(_names(conn))
    conn.close()
    assert {line.strip() for line in said if line.endswith("\n")} <= there
