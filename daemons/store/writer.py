"""The one writer: what waits is run in one transaction, each piece in a SAVEPOINT, with one fsync for all.

A bad piece of work undoes itself and not its neighbours; a failing disk undoes all of them. Callbacks that
work has registered are called in the order in which the work was done, which is what keeps state in memory in
step with the database without a lock.

A commit takes one turn of the event loop each way: whoever brings work wakes the thread, which takes what waits by
then and tells the loop when it is durable (measured: a task between, and `trio.to_thread`, are 0.3 ms more).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

import apsw
import structlog
import trio
from attrs import define

from daemons.store.errors import DISK_ERRORS, StorageError, StorageFault, storage_error

_log = structlog.stdlib.get_logger("pitlink.store")

JOBS_MAX = 500
"""Pieces of work in one commit: bounds how long a thread hop, and so a wait for the writer, can take."""

_QUEUED_EVERY = 8
"""Inline, one piece of work in so many takes the way through the queue, as all do with a thread."""

T = TypeVar("T")
Item = TypeVar("Item")
Work = Callable[[apsw.Connection], T]
Batch = Callable[[apsw.Connection, list[Item]], Sequence[T]]


def fetch(conn: apsw.Connection, sql: str, bindings: Sequence[Any] = ()) -> list[Any]:
    """Run a statement to its end and return its rows as tuples."""
    return conn.execute(sql, bindings).fetchall()


def iterate(conn: apsw.Connection, sql: str, bindings: Sequence[Any] = ()) -> Iterator[Any]:
    """Run a statement row by row; for results that may be left before their end."""
    return conn.execute(sql, bindings)


@define(eq=False)
class Job:
    """One caller's work; with `batch`, an item that can be worked on together with those of others."""

    task: trio.lowlevel.Task
    work: Work[Any] | None
    batch: Batch[Any, Any] | None = None
    item: Any = None
    begun: bool = False
    value: Any = None
    error: BaseException | None = None


class Savepoint:
    """A SAVEPOINT inside a piece of work: an exception undoes its body and drops its callbacks."""

    def __init__(self, hooks: list[Callable[[], None]], conn: apsw.Connection) -> None:
        self._hooks = hooks
        self._conn = conn
        self._mark = 0

    def __enter__(self) -> None:
        self._mark = len(self._hooks)
        self._conn.execute("SAVEPOINT nested")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._conn.execute("RELEASE nested")
        elif not isinstance(error, DISK_ERRORS):  # those end the whole transaction anyway
            del self._hooks[self._mark :]
            self._conn.execute("ROLLBACK TO nested")
            self._conn.execute("RELEASE nested")


class Writer:
    """Owns the connection that writes. `run` must be running for `submit` to return."""

    def __init__(
        self, path: Path, conn: apsw.Connection, *, inline: bool, commit_s: Callable[[], float] | None = None
    ) -> None:
        self.path = path
        self.conn = conn
        self.jobs: deque[Job] = deque()
        self.commits = self.done = self.failed = 0
        self.fault: StorageError | None = None
        self.on_fault: Callable[[StorageError | None], None] | None = None
        self._told: StorageError | None = None
        self._inline = inline
        self._commit_s = commit_s
        self._go: SimpleQueue[bool] | None = (
            None  # to the thread, while `run` runs: commit what waits, or end
        )
        self._taking = threading.Lock()  # of `jobs`: work is withdrawn, or begun
        self._wake = trio.Event()
        self._closing = False
        self._working = False
        self._serving = False
        self._hooks: list[Callable[[], None]] = []

    @property
    def hooks(self) -> list[Callable[[], None]]:
        """What to call after the present commit. RuntimeError outside of work."""
        if not self._working:
            raise RuntimeError("only inside transact()")
        return self._hooks

    async def submit(self, job: Job) -> Any:
        """Wait until `job` is durable and return its value, or raise its error."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closing:
            raise StorageError(StorageFault.CLOSED, self.path, "the store is closed")
        if self._inline and not self.jobs and not self._serving and self.done % _QUEUED_EVERY:
            # A simulation spends most of its time on switches between tasks. What can happen while one waits
            # for its commit, and commits of several, it still meets every so often.
            self._commit([job])
            self._call_hooks()
            if job.error is not None:
                raise job.error
            return job.value
        self.jobs.append(job)
        self._begin()

        def withdraw(_: object) -> trio.lowlevel.Abort:
            with self._taking:
                if job.begun:
                    return trio.lowlevel.Abort.FAILED
                self.jobs.remove(job)
                return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(withdraw)
        if job.error is not None:
            raise job.error
        return job.value

    def close(self) -> None:
        """Let `run` return when nothing waits any more."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Serve until closed."""
        # Shielded without a deadline: a thread in fsync cannot be abandoned, and its callers must learn the
        # outcome.
        with trio.CancelScope(shield=True):
            if not self._inline:
                self._start_thread()
            while self.jobs or self._serving or not self._closing:
                if self._inline and self.jobs:
                    await self._serve_inline()
                else:
                    self._wake = trio.Event()
                    await self._wake.wait()
            if self._go is not None:
                self._go.put(False)

    def _start_thread(self) -> None:
        self._go = SimpleQueue()
        threading.Thread(
            target=copy_context().run,
            args=(self._commit_each, self._go, trio.lowlevel.current_trio_token()),
            name=f"writes {self.path.name}",
            daemon=True,
        ).start()
        self._begin()

    async def _serve_inline(self) -> None:
        self._serving = True
        jobs = self._take()
        if self._commit_s is not None and (seconds := self._commit_s()):
            await trio.sleep(seconds)
        self._commit(jobs)
        await trio.lowlevel.checkpoint()
        self._finish(jobs)

    def _begin(self) -> None:
        """Have the thread commit what waits, unless it is at it: then what waits has its turn behind that."""
        if self._inline:
            self._wake.set()
        elif self.jobs and not self._serving and self._go is not None:
            self._serving = True
            self._go.put(True)

    def _commit_each(self, go: SimpleQueue[bool], token: trio.lowlevel.TrioToken) -> None:
        """Commit what waits, each time the loop says so: by then the tasks of one turn have all brought theirs."""
        while go.get():
            jobs = self._take()
            if jobs:  # else all of it was withdrawn
                self._commit(jobs)
            token.run_sync_soon(self._committed, jobs)

    def _committed(self, jobs: list[Job]) -> None:
        self._finish(jobs)
        self._begin()
        if self._closing:
            self._wake.set()

    def _take(self) -> list[Job]:
        with self._taking:
            jobs = [self.jobs.popleft() for _ in range(min(len(self.jobs), JOBS_MAX))]
            for job in jobs:
                job.begun = True
        return jobs

    def _finish(self, jobs: list[Job]) -> None:
        """Say what is durable now, first to those who asked to be told, then to those who wait."""
        self._call_hooks()
        self._serving = False
        for job in jobs:
            trio.lowlevel.reschedule(job.task)

    def _call_hooks(self) -> None:
        if self.fault is not self._told:
            self._told = self.fault
            if self.on_fault is not None:
                self.on_fault(self.fault)
        hooks, self._hooks = self._hooks, []
        for hook in hooks:
            try:
                hook()
            except Exception:
                _log.exception("store.callback_failed")

    def _commit(self, jobs: list[Job]) -> None:
        conn = self.conn
        self._working = True
        before = conn.total_changes() if self.fault is not None else 0
        try:
            conn.execute("BEGIN IMMEDIATE")
            left = deque(jobs)
            if len(jobs) == 1:
                left.clear()
                self._alone(conn, jobs[0])
            while left:
                job = left.popleft()
                if job.batch is None:
                    self._one(conn, job)
                else:
                    together = [job, *(other for other in left if other.batch == job.batch)]
                    if len(together) > 1:
                        left = deque(other for other in left if other.batch != job.batch)
                    self._together(conn, together, job.batch)
            if conn.in_transaction:  # work that was alone and failed has ended it
                conn.execute("COMMIT")
            self.commits += 1
            self.done += len(jobs)
            if (
                self.fault is not None and conn.total_changes() != before
            ):  # one that only looked proves nothing
                self.fault = None
        except BaseException as error:  # noqa: ASYNC103 (handed to the tasks that wait)
            self.failed += 1
            self._hooks.clear()
            self._undo(conn)
            self.fault = storage_error(error, self.path)
            for job in jobs:
                # One object an affected task: an exception raised twice mixes up its tracebacks.
                job.error = storage_error(error, self.path).copy()
                job.error.__cause__ = error
        finally:
            self._working = False

    def _alone(self, conn: apsw.Connection, job: Job) -> None:
        """Run the only job of a commit: it needs no savepoint of its own, as there is no neighbour to spare."""
        try:
            if job.batch is None:
                assert job.work is not None
                job.value = job.work(conn)
            else:
                (job.value,) = job.batch(conn, [job.item])
        except DISK_ERRORS:
            raise
        except BaseException as error:  # noqa: ASYNC103 (handed to the task that waits)
            job.error = error
            self._hooks.clear()
            conn.execute("ROLLBACK")

    def _together(self, conn: apsw.Connection, jobs: list[Job], batch: Batch[Any, Any]) -> None:
        """Run jobs of one batch in one savepoint, or, when that fails, each in one of its own."""

        def work(conn: apsw.Connection) -> None:
            for job, value in zip(jobs, batch(conn, [job.item for job in jobs]), strict=True):
                job.value = value

        whole = Job(jobs[0].task, work)
        self._one(conn, whole)
        if whole.error is not None:
            if len(jobs) == 1:
                jobs[0].error = whole.error
            else:
                for job in jobs:
                    self._together(conn, [job], batch)

    def _one(self, conn: apsw.Connection, job: Job) -> None:
        assert job.work is not None
        mark = len(self._hooks)
        conn.execute("SAVEPOINT job")
        try:
            job.value = job.work(conn)
        except DISK_ERRORS:
            raise
        except BaseException as error:  # noqa: ASYNC103 (handed to the task that waits)
            job.error = error
            del self._hooks[mark:]
            conn.execute("ROLLBACK TO job")
        conn.execute("RELEASE job")

    def _undo(self, conn: apsw.Connection) -> None:
        try:
            if conn.in_transaction:  # a full disk may have ended it already
                conn.execute("ROLLBACK")
        except apsw.Error as error:
            _log.error("store.rollback_failed", path=str(self.path), error=str(error))
