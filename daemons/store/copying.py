"""Copies of databases, made while work goes on; each appears whole or not at all, readable by its owner only."""

import os
from collections.abc import Callable
from pathlib import Path

import apsw

from daemons.store.connect import PLAIN, DatabaseKey, connect
from daemons.store.errors import DISK_ERRORS, StorageError, StorageFault, storage_error

__all__ = ["Checkpoint", "check_database", "copy_database", "replace_durably", "sync_folder"]

Checkpoint = Callable[[], None]
"""Called between the steps of long work in a thread; what it raises ends the work, and nothing is left of it."""

_STEP_PAGES = 2048
_COPY_ERRORS: tuple[type[BaseException], ...] = (*DISK_ERRORS, OSError)


def copy_database(
    source: apsw.Connection,
    path: Path,
    key: DatabaseKey = PLAIN,
    *,
    new_key: DatabaseKey | None = None,
    checkpoint: Checkpoint = lambda: None,
) -> None:
    """Write one moment of a database to `path`: one file, encrypted by its own `key`, or by `new_key`.

    Others may write to it meanwhile if `source` is in a transaction. Blocks the longer the file is. Raises StorageError
    about the copy; a half-made one is removed.
    """
    part = path.with_name(path.name + ".part")
    try:
        source.execute(
            "SELECT 1 FROM sqlite_schema"
        ).fetchall()  # fixes the moment of a transaction just begun
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        target = connect(part, key)
        try:
            target.pragma("synchronous", "off")  # once, below, for the whole file
            target.pragma("page_size", source.pragma("page_size"))  # encrypted pages are copied as they are
            with target.backup("main", source, "main") as backup:
                while not backup.step(_STEP_PAGES):
                    checkpoint()
            target.pragma("journal_mode", "delete")  # one file, without a log beside it
            if new_key is not None and new_key != key:
                target.pragma("rekey", new_key.pragma)
        finally:
            target.close()
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        replace_durably(part, path)
    except _COPY_ERRORS as error:
        part.unlink(missing_ok=True)
        raise storage_error(error, path) from error  # the copy's disk, not ours
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check_database(path: Path, key: DatabaseKey = PLAIN) -> dict[str, int]:
    """Read every page of a database at rest, and return the version of each component's tables.

    Raises StorageError: CORRUPT with what is wrong, KEY.
    """
    conn = connect(path, key, read_only=True)
    try:
        (verdict,) = conn.execute("PRAGMA integrity_check(1)").fetchall()[0]
        if verdict != "ok":
            raise StorageError(StorageFault.CORRUPT, path, str(verdict))
        if not conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migration'").fetchall():
            return {}
        return {
            str(name): int(number) for name, number in conn.execute("SELECT component, number FROM migration")
        }
    except DISK_ERRORS as error:
        raise storage_error(error, path) from error
    finally:
        conn.close()


def replace_durably(part: Path, path: Path) -> None:
    """Give a finished file its name, so that it has it after a power cut too. Raises OSError."""
    os.replace(part, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; nothing happens where folders cannot be opened (Windows). Raises OSError."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
