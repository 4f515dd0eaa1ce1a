"""Putting a backup back, and changing what encrypts a state folder. Both want the daemon stopped, and see to it."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from daemons.store.archive import FILES, Backup, packed_files, verify_backup
from daemons.store.connect import PLAIN, DatabaseKey, connect, is_encrypted
from daemons.store.copying import copy_database, replace_durably, sync_folder
from daemons.store.errors import StorageError, StorageFault, storage_error
from daemons.store.lock import hold_folder
from daemons.store.owner import give_like, write_private

__all__ = ["change_key", "restore_backup"]


def restore_backup(
    path: Path, state: Path, *, key: DatabaseKey = PLAIN, replace: bool = False, at: float = 0.0
) -> tuple[Backup, Path | None]:
    """Verify a backup and put it into a state folder; return it, and where what was there before has gone.

    What comes of it is encrypted by `key`, which must be the backup's if that is encrypted. A folder that has a database,
    or any file that the backup has too, is refused unless `replace`: then what is there is moved into
    `replaced-<time>` inside it, `at` being now in UTC seconds. Nothing is touched before the backup was found good.
    Raises StorageError, also while a daemon holds the folder.
    """
    backup = verify_backup(path, key)
    source_key = key if backup.encrypted else PLAIN
    databases = [part.name for part in backup.parts if part.name != FILES]
    try:
        with hold_folder(state):
            files = packed_files(path, source_key)
            present = list(_present(state, {*databases, *(name for name, _, _ in files)}))
            aside: Path | None = None
            if present and not replace:
                words = f"there is {present[0].name} already; --replace moves what is there aside"
                raise StorageError(StorageFault.UNWRITABLE, state, words)
            for name in databases:
                _bring(path / name, state / f"{name}.restored", source_key, key, read_only=True)
                give_like(state / f"{name}.restored", state)
            if present:
                aside = _move_aside(state, present, at)
            for name in databases:
                replace_durably(state / f"{name}.restored", state / name)
            for name, mode, body in files:
                write_private(state / name, body, mode=mode & 0o700)
            sync_folder(state)
    except OSError as error:
        raise storage_error(error, state) from error
    finally:
        for name in databases:
            (state / f"{name}.restored").unlink(missing_ok=True)
    return backup, aside


def change_key(state: Path, old: DatabaseKey, new: DatabaseKey) -> list[Path]:
    """Encrypt the databases of a state folder by another key, or by none; return those that were changed.

    One after the other, each replaced as a whole; after an interruption it may be run again, and goes on where it was.
    Blocks the larger the files. Raises StorageError, also while a daemon holds the folder.
    """
    changed = []
    with hold_folder(state):
        for path in sorted(state.glob("*.db")):
            if _opens(path, new):
                continue
            part = path.with_name(f"{path.name}.rekeyed")
            try:
                _bring(path, part, old, new)
                log = path.with_name(f"{path.name}-wal")
                if log.exists():  # it would be read into the new file; closed by its last user, it goes
                    raise StorageError(StorageFault.LOCKED, path, "another program has it open")
                give_like(part, path)
                replace_durably(part, path)
            except OSError as error:
                raise storage_error(error, path) from error
            finally:
                part.unlink(missing_ok=True)
            changed.append(path)
    return changed


def _opens(path: Path, key: DatabaseKey) -> bool:
    if is_encrypted(path) is not bool(key):
        return False
    try:
        connect(path, key).close()
    except StorageError as error:
        if error.fault is StorageFault.KEY:
            return False
        raise
    return True


def _bring(
    source: Path, target: Path, old: DatabaseKey, new: DatabaseKey, *, read_only: bool = False
) -> None:
    conn = connect(source, old, read_only=read_only)
    try:
        copy_database(conn, target, old, new_key=new)
    finally:
        conn.close()


def _present(state: Path, names: set[str]) -> Iterator[Path]:
    """Yield what stands where the backup goes: any database with its log, and the small files that it would overwrite."""
    yield from (path for path in sorted(state.iterdir()) if _belongs(path.name, names))


def _belongs(name: str, names: set[str]) -> bool:
    stem = name.removesuffix("-wal").removesuffix("-shm").removesuffix("-journal")
    return stem.endswith(".db") or name in names


def _move_aside(state: Path, present: list[Path], at: float) -> Path:
    aside = state / f"replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(at))}"
    aside.mkdir(mode=0o700)
    for path in present:
        shutil.move(path, aside / path.name)
    give_like(aside, state)
    sync_folder(aside)
    return aside
