"""Care of a daemon's storage while it runs: says when the disk fails and finds out when it is well again, makes backups.

store care
├── probe                     while commits fail: writes something that changes nothing, until that works; ends the
│                             daemon for a new start when only what it holds open is in the way
└── backups                   looks each minute whether one is due
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Container
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
import trio
from attrs import define, field

from daemons.ops.errors import StartAgain
from daemons.ops.health import Health, Severity
from daemons.ops.storage import BackupConfig
from daemons.store import StorageError, StorageFault, Store
from daemons.store.archive import RESERVE_BYTES, Backup, backups_in, prune, take_backup
from daemons.store.connect import PLAIN, DatabaseKey
from daemons.store.copying import Checkpoint

__all__ = ["ANY_FAULT", "FULL", "StoreCare", "patiently"]

_log = structlog.stdlib.get_logger("pitlink.ops")

T = TypeVar("T")

LOOK_S = 60.0
PROBE_S = 2.0
STUCK_MAX = 3
"""Probes that fail although the disk takes writes, after which the databases are opened anew."""
_LASTING = frozenset({StorageFault.FAILED, StorageFault.UNWRITABLE})
FIRST_S = 3600.0
"""After its first start a daemon makes its first backup so much later, or after the period, if that is shorter."""
RETRY_S = 900.0
SPACE_BYTES = 256 * 1024 * 1024
"""With less free on the state folder's disk a warning is shown."""
ANY_FAULT = frozenset(StorageFault)
FULL = frozenset({StorageFault.DISK_FULL})
FULL_BYTES = 256 * 1024
_PATIENCE_S = (0.5, 10.0)


async def patiently(
    work: Callable[[], Awaitable[T]], what: str, faults: Container[StorageFault] = ANY_FAULT
) -> T:
    """Do `work` again, after 0.5 to 10 s, for as long as the disk does not let it; return its result.

    For work that nobody waits for and that must not be lost: a full disk then makes it late instead of ending the
    daemon. Raises StorageError when the store is closed or the fault is none of `faults`, and what else `work` raises.
    """
    wait_s, most_s = _PATIENCE_S
    is_late = False
    while True:
        try:
            result = await work()
        except StorageError as error:
            if error.fault is StorageFault.CLOSED or error.fault not in faults:
                raise
            if not is_late:
                _log.warning("store.work_waits", what=what, error=error.detail)
            is_late = True
            await trio.sleep(wait_s)
            wait_s = min(2 * wait_s, most_s)
        else:
            if is_late:
                _log.info("store.work_done", what=what)
            return result


@define(eq=False)
class StoreCare:
    """The care of one store. `run` must be running.

    `name`: whose backups these are. `inline`: in simulations, where all work runs on the event loop.
    """

    store: Store
    health: Health
    config: BackupConfig
    utc_now: Callable[[], float]
    name: str
    key: DatabaseKey = PLAIN
    inline: bool = False
    reserve_bytes: int = RESERVE_BYTES
    last: Backup | None = field(default=None, init=False)
    backups: int = field(default=0, init=False)
    failed_backups: int = field(default=0, init=False)
    _is_corrupt: bool = field(default=False, init=False)
    _faults: int = field(default=0, init=False)
    _failing: trio.Event = field(factory=trio.Event, init=False)
    _taking: trio.Lock = field(factory=trio.Lock, init=False)
    _retry_at: float = field(default=0.0, init=False)
    _born_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._born_at = self.utc_now()
        self.store.on_fault(self._on_fault)

    @property
    def words(self) -> str:
        """Why nothing can be written, or "" when it can."""
        return "" if self.store.fault is None else str(self.store.fault)

    @property
    def into(self) -> Path:
        """The folder of the backups."""
        return self.config.into(self.store.path.parent)

    async def run(self) -> None:
        """Look after the store until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._probe_loop)
            nursery.start_soon(self._look_loop)

    # --- the disk ------------------------------------------------------------------------------------------------

    def _on_fault(self, fault: StorageError | None) -> None:
        if fault is None:  # taken back in _probe_loop, when it is sure
            return
        self._faults += 1
        if fault.fault is StorageFault.CORRUPT:  # holds until a restart, whatever else can be written
            self._is_corrupt = True
            self.health.set("store", Severity.FAILING, str(fault))
        elif not self._is_corrupt:
            self.health.set("store", Severity.DEGRADED, str(fault))
            self._failing.set()

    async def _probe_loop(self) -> None:
        while True:
            await self._failing.wait()
            self._failing = trio.Event()
            seen = stuck = 0
            while self.store.fault is not None or self._faults != seen or await self._beside(self._is_full):
                seen = self._faults
                await trio.sleep(PROBE_S)
                try:
                    await self.store.probe()
                except StorageError as error:
                    if error.fault is StorageFault.CLOSED:
                        return
                    if error.fault in _LASTING and not self._is_corrupt and not self.inline:
                        words = await self._beside(self.why_not_usable)
                        stuck = 0 if words else stuck + 1
                        self._judge(error, words, stuck)
            if not self._is_corrupt:
                self.health.clear("store")

    def _judge(self, error: StorageError, words: str, stuck: int) -> None:
        """Say what the disk is like; end the daemon when its files are of no use any more. Raises StartAgain."""
        if words:
            self.health.set("store", Severity.DEGRADED, words)
        if stuck >= STUCK_MAX:
            raise StartAgain(
                f"the disk takes writes again, the open database does not: {error}", self.why_not_usable
            )
        if not self.store.path.exists():  # its disk was unmounted: it can be mended once nobody holds it
            raise StartAgain(words, self.why_not_usable)

    def why_not_usable(self) -> str:
        """Return in words why the database could not be opened and written to now, "" when it could. Blocks."""
        path = self.store.path
        if not path.exists() or not path.stat().st_size:
            return f"{path} is not there: is its disk mounted?"
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".probe-") as file:
                file.write(b"\0" * 4096)
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            if exc.errno == errno.EROFS:
                return (
                    f"the disk of {path.parent} is read-only, as one becomes that has failed: nothing new is kept. "
                    "Save the newest backup elsewhere; then unmount, check and mount it (docs/storage.md)"
                )
            return f"{path.parent} takes no writes: {exc.strerror}"
        return ""

    def _is_full(self) -> bool:
        """Is there still no room? A small write may find some in the log where the next does not."""
        try:
            return not self.inline and shutil.disk_usage(self.store.path.parent).free < FULL_BYTES
        except OSError:
            return False

    def _free(self) -> str:
        """Return what is to be said about the room on the disk, or ""."""
        try:
            usage = shutil.disk_usage(self.store.path.parent)
        except OSError as error:
            return f"the disk of {self.store.path.parent} cannot be asked for its room: {error}"
        if usage.free >= min(SPACE_BYTES, usage.total // 10):
            return ""
        return f"{usage.free / 1e6:.0f} MB are free on the disk of {self.store.path.parent}: free some space"

    def _tell_space(self, words: str) -> None:
        if words:
            self.health.set("disk", Severity.NOTICE, words)
        else:
            self.health.clear("disk")

    # --- backups -------------------------------------------------------------------------------------------------

    async def take(self) -> Backup:
        """Make a backup now, read it back, and let the oldest go; also what an operator asks for.

        Raises StorageError, and says it in the daemon's health until one succeeds. Cancelling ends it between two
        steps, and leaves nothing.
        """
        async with self._taking:
            try:
                take = partial(self._take, self.utc_now())
                backup = take(_nothing) if self.inline else await _in_thread(take)
            except StorageError as error:
                self.failed_backups += 1
                self._retry_at = self.utc_now() + RETRY_S
                last = "there is none" if self.last is None else f"the last good one is {self.last.path.name}"
                self.health.set("backup", Severity.DEGRADED, f"no backup could be made ({error}); {last}")
                raise
            self.last = backup
            self.backups += 1
            self._retry_at = 0.0
            self.health.clear("backup")
            _log.info("backup.taken", path=str(backup.path), bytes=backup.bytes)
            return backup

    def _take(self, at: float, checkpoint: Checkpoint) -> Backup:
        path = self.store.path
        backup = take_backup(
            path.parent,
            self.into,
            at=at,
            name=self.name,
            key=self.key,
            copies={path.name: self.store.copy_now},
            reserve=self.reserve_bytes,
            checkpoint=checkpoint,
        )
        prune(self.into, self.name, self.config.keep, backup.path)
        return backup

    async def _look_loop(self) -> None:
        if self.config.every_h:
            self.last = await self._beside(self._newest)
        while True:
            if not self.inline:  # a simulated daemon's disk is the tester's
                self._tell_space(await self._beside(self._free))
                try:
                    await self.store.probe()  # a daemon with nothing to write finds out as well
                except StorageError:
                    pass  # told by _on_fault
            if self.config.every_h and self._is_due(self.utc_now()):
                try:
                    await self.take()
                except StorageError as error:
                    if error.fault is StorageFault.CLOSED:
                        return
            await trio.sleep(LOOK_S)

    def _newest(self) -> Backup | None:
        found = list(backups_in(self.into, self.name))
        return found[-1] if found else None

    async def _beside(self, work: Callable[[], T]) -> T:
        """Run what asks the disk beside the event loop."""
        return work() if self.inline else await trio.to_thread.run_sync(work)

    def _is_due(self, now: float) -> bool:
        """By the wall clock, as a machine may sleep; a backup of the future means that the clock was wrong then."""
        period_s = self.config.every_h * 3600
        if now < self._retry_at <= now + RETRY_S:
            return False
        if self.last is None:
            return not 0 <= now - self._born_at < min(period_s, FIRST_S)
        return not 0 <= now - self.last.at < period_s


def _nothing() -> None:
    """Stand for a thread's checkpoint where there is no thread."""


async def _in_thread(take: Callable[[Checkpoint], Backup]) -> Backup:
    return await trio.to_thread.run_sync(take, trio.from_thread.check_cancelled)
