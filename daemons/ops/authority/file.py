"""The file of who may do what, and of who did what: `authority.db` in a daemon's state folder.

It is apart from the daemon's own database because the command line changes it as well, whether the daemon runs or not:
every change is one short transaction that takes the file's lock first, and a daemon notices within 0.2 s what another
process has changed. What changes authority writes its audit row in the same transaction.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import apsw
import structlog
import trio
from attrs import define, field

from daemons.ops.storage import environment_key
from daemons.store.connect import DatabaseKey, connect, forget_index, keep_log
from daemons.store.errors import DISK_ERRORS, StorageError, StorageFault, storage_error
from daemons.store.migrations import TOUCH, Migration, migrate
from daemons.store.owner import create_private

__all__ = ["FILE_NAME", "AuthorityFile", "open_authority"]

_log = structlog.stdlib.get_logger("pitlink.ops")

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

FILE_NAME = "authority.db"
POLL_S = 0.2
PROBE_S = 2.0
_SETUP_ERRORS: tuple[type[BaseException], ...] = (*DISK_ERRORS, OSError)


@define(eq=False)
class AuthorityFile:
    """An open authority file. `read` is for the event loop, where a row takes microseconds; `write` waits for the disk.

    `fault`: what the last `write` failed with, None since one was durable again; while `watch` runs that is found out
    within 2 s. A damaged file stays damaged until a restart.
    """

    path: Path
    _reader: apsw.Connection
    _writer: apsw.Connection
    inline: bool = False
    fault: StorageError | None = field(default=None, init=False)
    _on_fault: Callable[[StorageError | None], None] = field(default=lambda fault: None, init=False)
    _failing: trio.Event = field(factory=trio.Event, init=False)
    _lock: trio.Lock = field(factory=trio.Lock, init=False)
    _written: trio.Event = field(factory=trio.Event, init=False)  # inline only

    def read(self, work: Work[T]) -> T:
        """Run `work(conn)` and return its result. It sees one moment of the file. Raises StorageError."""
        try:
            self._reader.execute("BEGIN")
            try:
                return work(self._reader)
            finally:
                self._reader.execute("ROLLBACK")
        except DISK_ERRORS as error:
            raise storage_error(error, self.path) from error

    def write_now(self, work: Work[T]) -> T:
        """Run `work(conn)` in a transaction of its own; durable on return. Blocks: for commands, not for daemons.

        Another process that writes is waited for, 5 s at most. Raises StorageError, or what `work` raises.
        """
        conn = self._writer
        try:
            conn.execute("BEGIN IMMEDIATE")
            try:
                result = work(conn)
                conn.execute("COMMIT")
            except BaseException:
                if not conn.get_autocommit():
                    conn.execute("ROLLBACK")
                raise
            if conn.txn_state("main"):  # after another process' next change nothing could be written any more
                _log.error("authority.statement_open", path=str(self.path), work=repr(work))
        except DISK_ERRORS as error:
            raise storage_error(error, self.path) from error
        return result

    async def write(self, work: Work[T]) -> T:
        """Do as `write_now`, beside the event loop. `work` must not touch what the loop uses. Cancelling waits for it."""
        async with self._lock:
            try:
                if self.inline:
                    result = self.write_now(work)
                    self._written.set()
                else:
                    result = await trio.to_thread.run_sync(self.write_now, work, abandon_on_cancel=False)
            except StorageError as error:
                self._note_fault(error)
                raise
            self._note_fault(None)
            return result

    def on_fault(self, callback: Callable[[StorageError | None], None]) -> None:
        """Have `callback` called on the event loop when `write` fails, and when one is durable again.

        One listener; it must not raise or block.
        """
        self._on_fault = callback

    def _note_fault(self, fault: StorageError | None) -> None:
        if fault is None and self.fault is None:
            return
        if self.fault is not None and self.fault.fault is StorageFault.CORRUPT:
            return
        self.fault = fault
        if fault is not None and fault.fault is not StorageFault.CORRUPT:
            self._failing.set()
        self._on_fault(fault)

    async def _probe(self) -> None:
        """While writing fails: write something that changes nothing every 2 s, until that works."""
        while True:
            await self._failing.wait()
            self._failing = trio.Event()
            await trio.sleep(PROBE_S)
            try:
                await self.write(lambda conn: conn.execute(TOUCH))
            except StorageError as error:  # noted; so it is tried again
                _log.debug("authority.not_writable", error=error.detail)

    def version(self) -> int:
        """Return a number that is another one after a change by anybody (PRAGMA data_version). Raises StorageError."""
        try:
            return int(self._reader.pragma("data_version"))
        except DISK_ERRORS as error:
            raise storage_error(error, self.path) from error

    async def watch(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` after each change by anybody, within 0.2 s, and see to it that a fault is taken back.

        Never returns.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._probe)
            await self._watch(on_change)

    async def _watch(self, on_change: Callable[[], None]) -> None:
        known, is_failing = self.version(), False
        while True:
            if self.inline:  # nobody else changes it: a simulated day is not cut into fifths of a second
                await self._written.wait()
                self._written = trio.Event()
            else:
                await trio.sleep(POLL_S)
            try:
                version = self.version()
            except StorageError as error:  # what is known goes on to hold; the next look may succeed
                if not is_failing:
                    _log.warning("authority.unreadable", error=str(error))
                is_failing = True
                continue
            is_failing = False
            if version != known:
                known = version
                on_change()


@contextmanager
def open_authority(
    folder: Path,
    *,
    migrations: tuple[Migration, ...],
    inline: bool = False,
    key: DatabaseKey | None = None,
) -> Iterator[AuthorityFile]:
    """Open the authority file of a state folder, made when missing, readable by its owner only.

    `inline`: for simulations. `key`: what encrypts it; None: the environment's, for commands without a configuration.
    Raises StorageError: not writable, corrupt, written by a newer version, encrypted by another key.
    """
    path = folder / FILE_NAME
    key = environment_key() if key is None else key
    conns: list[apsw.Connection] = []
    try:
        yield AuthorityFile(path, *_connect(path, migrations, inline, key, conns), inline)
    finally:
        for conn in conns:
            conn.close()
        forget_index(path)


def _connect(
    path: Path,
    migrations: tuple[Migration, ...],
    inline: bool,
    key: DatabaseKey,
    conns: list[apsw.Connection],
) -> tuple[apsw.Connection, apsw.Connection]:
    """Return the reader and the writer; `conns` holds what was opened, also when this raises StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Only when missing: closing any descriptor of a file drops all locks that this process has on it (POSIX).
        if not path.exists():
            with suppress(FileExistsError):  # another process was first
                os.close(create_private(path))
        for _ in range(2):
            conn = connect(path, key)
            conns.append(conn)
            keep_log(conn, path)
            conn.pragma("synchronous", "off" if inline else "full")
        (verdict,) = conns[1].execute("PRAGMA quick_check(1)").fetchall()[0]
        if verdict != "ok":
            raise StorageError(StorageFault.CORRUPT, path, str(verdict))
        migrate(conns[1], migrations, path)
    except _SETUP_ERRORS as error:
        raise storage_error(error, path) from error
    return conns[0], conns[1]
