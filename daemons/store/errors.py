"""What a store can fail with, named by the remedy.

No SQLite exception of the disk's making passes this boundary.
"""

import errno
from enum import StrEnum
from pathlib import Path

import apsw


class StorageFault(StrEnum):
    """Why the store failed."""

    DISK_FULL = "disk-full"
    CORRUPT = "corrupt"
    LOCKED = "locked"
    UNWRITABLE = "unwritable"
    NEWER = "newer"
    KEY = "key"
    CLOSED = "closed"
    FAILED = "failed"


_REMEDY = {
    StorageFault.DISK_FULL: "free some space; nothing was lost, work goes on by itself",
    StorageFault.CORRUPT: "stop the daemon and restore the newest backup; the file was left as it is",
    StorageFault.LOCKED: "stop the other program, or name another state folder",
    StorageFault.UNWRITABLE: "check the folder's owner and permissions, and that its disk is mounted",
    StorageFault.NEWER: "start the version that wrote it, or a newer one",
    StorageFault.KEY: "set the key it was made with as storage.key (or PITLINK_STORAGE_KEY_FILE; for a service's key: "
    "systemd-run --pipe --wait -p User=USER -p LoadCredential=storage.key:FILE pitlink …, see docs/storage.md); "
    "pitlink storage encrypt and decrypt change a file",
    StorageFault.CLOSED: "the daemon is stopping; try again when it is back",
    StorageFault.FAILED: "check the disk and the system's log; nothing unsaved was acknowledged",
}


class StorageError(Exception):
    """The store cannot do its work. Nothing of what failed was committed. `remedy` says what to do."""

    def __init__(self, fault: StorageFault, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}; {_REMEDY[fault]}")
        self.fault = fault
        self.path = path
        self.detail = detail
        self.remedy = _REMEDY[fault]

    def copy(self) -> "StorageError":
        """Return an equal error: one object must not be raised in several tasks."""
        return StorageError(self.fault, self.path, self.detail)


_FAULTS: dict[type[Exception], StorageFault] = {
    apsw.FullError: StorageFault.DISK_FULL,
    apsw.CorruptError: StorageFault.CORRUPT,
    apsw.NotADBError: StorageFault.CORRUPT,
    apsw.BusyError: StorageFault.LOCKED,
    apsw.LockedError: StorageFault.LOCKED,
    apsw.ReadOnlyError: StorageFault.UNWRITABLE,
    apsw.CantOpenError: StorageFault.UNWRITABLE,
    apsw.PermissionsError: StorageFault.UNWRITABLE,
    apsw.IOError: StorageFault.FAILED,
    apsw.NoMemError: StorageFault.FAILED,
    apsw.ProtocolError: StorageFault.FAILED,
    apsw.NoLFSError: StorageFault.FAILED,
}

DISK_ERRORS: tuple[type[BaseException], ...] = (*_FAULTS, StorageError, MemoryError)
"""Exceptions that are the disk's or the machine's fault, not that of the work at hand."""


def storage_error(error: BaseException, path: Path) -> StorageError:
    """Translate any exception met while committing into a StorageError."""
    if isinstance(error, StorageError):
        return error
    if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE:
        return StorageError(StorageFault.DISK_FULL, path, f"no room for the index of its log: {error}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(StorageFault.DISK_FULL, path, str(error.strerror))
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT):
        return StorageError(StorageFault.UNWRITABLE, path, str(error.strerror))
    fault = next((fault for kind, fault in _FAULTS.items() if isinstance(error, kind)), StorageFault.FAILED)
    return StorageError(fault, path, f"{error}" or type(error).__name__)
