"""The store: a SQLite file with one writer, and readers beside it.

WAL with synchronous=FULL is the only WAL setting that loses no acknowledged transaction at a power cut
(measured: NORMAL lost everything since the checkpoint).

In simulation (`inline`) all work runs on the event loop, because MockClock jumps while a thread works. There
`synchronous` is off and the journal in memory: a simulated crash ends tasks, not the process. And the file is locked
once for all its time open, with reads on the connection that writes: a third of a small commit is locking.
"""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import apsw
import trio
from attrs import frozen

from daemons.store.connect import PLAIN, DatabaseKey, connect, forget_index, keep_log
from daemons.store.copying import Checkpoint, copy_database
from daemons.store.errors import DISK_ERRORS, StorageError, StorageFault, storage_error
from daemons.store.lock import hold_folder
from daemons.store.migrations import TOUCH, Migration, migrate
from daemons.store.writer import Batch, Item, Job, Savepoint, T, Work, Writer

# Measured with rows of 1 KB: 20 % less work a row than 4096; 16384 would double what a small commit writes.
_PAGE_BYTES = 8192
_CHECKPOINT_PAGES = 2000
_WAL_BYTES_KEPT = 64 * 1024 * 1024
_READERS = 4
_SWITCH_S = 0.0005


@frozen
class StoreStatistics:
    """`waiting`: work not begun. The others count since the store was opened."""

    waiting: int
    commits: int
    jobs: int
    failed_commits: int


class Store:
    """A SQLite file with one writer. Made by `open_store`."""

    def __init__(self, path: Path, writer: Writer, *, inline: bool = False, key: DatabaseKey = PLAIN) -> None:
        self.path = path
        self._key = key
        self._writer = writer
        self._inline = inline
        self._readers: list[apsw.Connection] = []
        self._reading = trio.CapacityLimiter(_READERS)

    async def transact(self, work: Work[T]) -> T:
        """Run `work(conn)` in a transaction, and return its result when that is durable.

        `work` runs in the writer's thread: it must not touch what other threads use, ask for the time, or end
        the transaction. An exception of its own undoes what it did, and nothing else, and is raised here. Any
        number of callers may wait; they are served in order, up to 500 with one fsync. Cancelling withdraws
        work that has not begun; work that has begun is finished and its result returned. Raises StorageError
        when the disk failed: then nothing was done.
        """
        return cast(T, await self._writer.submit(Job(trio.lowlevel.current_task(), work)))

    async def transact_batched(self, batch: Batch[Item, T], item: Item) -> T:
        """Do as `transact`, but together with the items that others handed to an equal `batch`.

        `batch(conn, items)` returns one result an item; it is called once a commit, or, when that raised,
        once an item, so that each caller gets its own error.
        """
        return cast(T, await self._writer.submit(Job(trio.lowlevel.current_task(), None, batch, item)))

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Have `callback` called on the event loop once the work that calls this is durable.

        Only from inside `transact`. Callbacks run in the order of the work, before any caller goes on and
        before the next commit begins; not at all when the work is undone. They must not raise or block.
        """
        self._writer.hooks.append(callback)

    def savepoint(self, conn: apsw.Connection) -> Savepoint:
        """Return a context manager, for use inside `transact`, whose body is undone when it raises."""
        return Savepoint(self._writer.hooks, conn)

    async def read(self, work: Work[T]) -> T:
        """Run `work(conn)` on a read-only connection, beside the writer, and return its result.

        It sees one moment of the file. Up to 4 run at once, others wait. Cancelling waits for `work` to
        finish. Raises StorageError.
        """
        try:
            if self._inline:
                await trio.lowlevel.checkpoint()
                return self._read(work)
            return await trio.to_thread.run_sync(self._read, work, limiter=self._reading)
        except DISK_ERRORS as error:
            raise storage_error(error, self.path) from error

    async def backup_to(self, path: Path) -> None:
        """Write a consistent copy of the database to `path`, encrypted by the same key, while work goes on.

        It appears whole or not at all. Raises StorageError.
        """
        await self.read(lambda conn: copy_database(conn, path, self._key))

    def copy_now(self, path: Path, checkpoint: Checkpoint) -> None:
        """Do as `backup_to`, in the caller's thread; inline, on the event loop. Raises StorageError."""
        self._read(lambda conn: copy_database(conn, path, self._key, checkpoint=checkpoint))

    @property
    def fault(self) -> StorageError | None:
        """What the last commits failed with; None since something was written again."""
        return self._writer.fault

    def on_fault(self, callback: Callable[[StorageError | None], None]) -> None:
        """Have `callback` called on the event loop when commits begin to fail, fail otherwise, and when one succeeds again.

        One listener; it must not raise or block.
        """
        self._writer.on_fault = callback

    async def probe(self) -> None:
        """Write something that changes nothing, durably. Raises StorageError when that fails."""
        await self.transact(lambda conn: conn.execute(TOUCH))

    def statistics(self) -> StoreStatistics:
        """Return what the writer has to do and has done."""
        writer = self._writer
        return StoreStatistics(len(writer.jobs), writer.commits, writer.done, writer.failed)

    def _read(self, work: Work[T]) -> T:
        if self._inline:
            return self._read_inline(work)
        try:
            conn = self._readers.pop()
        except IndexError:
            conn = connect(self.path, self._key, read_only=True, is_open=True)
        try:
            conn.execute("BEGIN")
            try:
                return work(conn)
            finally:
                conn.execute("COMMIT")
        finally:
            self._readers.append(conn)

    def _read_inline(self, work: Work[T]) -> T:
        conn = self._writer.conn
        conn.pragma("query_only", True)
        conn.execute("BEGIN")
        try:
            return work(conn)
        finally:
            conn.execute("COMMIT")
            conn.pragma("query_only", False)

    def close(self) -> None:
        """Close the connections: the log is written back into the file."""
        for conn in (*self._readers, self._writer.conn):
            conn.close()
        forget_index(self.path)


def _open(path: Path, migrations: Sequence[Migration], inline: bool, key: DatabaseKey) -> apsw.Connection:
    conn = connect(path, key)
    try:
        conn.pragma("page_size", _PAGE_BYTES)
        if inline:
            conn.pragma("locking_mode", "exclusive")
            conn.pragma("journal_mode", "memory")
        else:
            keep_log(conn, path)
        conn.pragma("synchronous", "off" if inline else "full")
        conn.pragma("wal_autocheckpoint", _CHECKPOINT_PAGES)
        conn.pragma("journal_size_limit", _WAL_BYTES_KEPT)
        (verdict,) = conn.execute("PRAGMA quick_check(1)").fetchall()[0]
        if verdict != "ok":
            raise StorageError(StorageFault.CORRUPT, path, str(verdict))
        migrate(conn, migrations, path)
    except DISK_ERRORS as error:
        conn.close()
        raise storage_error(error, path) from error
    except BaseException:
        conn.close()
        raise
    return conn


@asynccontextmanager
async def open_store(
    path: Path,
    *,
    migrations: Sequence[Migration],
    inline: bool = False,
    commit_s: Callable[[], float] | None = None,
    key: DatabaseKey = PLAIN,
) -> AsyncIterator[Store]:
    """Open the database at `path`, whose folder this process holds alone meanwhile; made when missing.

    It is checked and brought to the newest shape first. Leaving commits what waits. `inline` is for
    simulations: all work runs on the event loop; `commit_s`, asked now and then, says how many seconds (mostly 0)
    of virtual time a commit takes there. Raises StorageError, in words for the operator: corrupt,
    locked by another daemon (with its process number), not writable, disk full, written by a newer version,
    encrypted by another key than `key`.
    """
    with hold_folder(path.parent):
        if inline:
            conn = _open(path, migrations, inline, key)
        else:
            # The writer's thread asks for the interpreter twice a statement. At Python's default of 5 ms
            # every such turn would wait for a busy event loop; measured: 47 µs a row against 10.
            sys.setswitchinterval(_SWITCH_S)
            conn = await trio.to_thread.run_sync(_open, path, migrations, inline, key)
        writer = Writer(path, conn, inline=inline, commit_s=commit_s)
        store = Store(path, writer, inline=inline, key=key)
        failure: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                # Not by start(): cancelled in that moment, it would wait for a task that nobody tells to end.
                nursery.start_soon(writer.run)  # noqa: ASYNC113 (work waits in a queue until it runs)
                try:
                    yield store
                except BaseException as error:  # noqa: ASYNC103
                    failure = (
                        error  # raised below: outside of the nursery it stays itself, not a group of one
                    )
                writer.close()
            if failure is not None:
                raise failure
        finally:
            if inline:
                store.close()
            else:
                # Writes the log back: not to be torn off, and how long it takes is the disk's business.
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(store.close)
