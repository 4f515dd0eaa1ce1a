"""Backups of a state folder: a folder of its own each, with a copy of every database, its small files, and a manifest.

A backup has its name only when it is whole: written as `.name.part`, read back, and renamed. With a key everything in it
is encrypted: small files (site keys, token tables) lie in a database too, `files.db`. All of it is for its owner only.
"""

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import apsw
from attrs import asdict, frozen

from daemons.store.connect import PLAIN, DatabaseKey, connect, is_encrypted
from daemons.store.copying import Checkpoint, check_database, copy_database, replace_durably, sync_folder
from daemons.store.errors import DISK_ERRORS, StorageError, StorageFault, storage_error

__all__ = ["MANIFEST", "Backup", "backups_in", "prune", "read_backup", "take_backup", "verify_backup"]

MANIFEST = "manifest.json"
FILES = "files.db"
FORMAT = 1
RESERVE_BYTES = 64 * 1024 * 1024
"""Left free where the backup shares the daemon's disk: the backup must not be what fills it."""

_FILE_BYTES_MAX = 1024 * 1024
_ERRORS: tuple[type[BaseException], ...] = (*DISK_ERRORS, OSError)


@frozen
class Part:
    """One file of a backup. `tables`: version of each component's tables."""

    name: str
    bytes: int
    sha256: str
    tables: dict[str, int]


@frozen
class Backup:
    """What a manifest says. `at`: UTC seconds of the moment that the copies show; `daemon`: whose it is."""

    path: Path
    daemon: str
    at: float
    encrypted: bool
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)


def take_backup(
    state: Path,
    into: Path,
    *,
    at: float,
    name: str | None = None,
    key: DatabaseKey = PLAIN,
    copies: Mapping[str, Callable[[Path, Checkpoint], None]] | None = None,
    reserve: int = RESERVE_BYTES,
    checkpoint: Checkpoint = lambda: None,
) -> Backup:
    """Copy the databases and small files of `state` to a new folder in `into`, read all of it back, and return it.

    Works beside a running daemon. `at`: now, in UTC seconds. `name`: whose it is, by default the daemon's; daemons that
    share `into` need names of their own. `copies`: who copies a database (by file name) in place of a connection of our
    own. Blocks. Raises StorageError, also when less than `reserve` bytes would be left on the daemon's own disk; nothing
    is left behind then.
    """
    databases = sorted(path for path in state.glob("*.db") if path.is_file())
    if not databases:
        raise StorageError(StorageFault.UNWRITABLE, state, "there is no database in this folder")
    daemon = name or next((path.stem for path in databases if path.stem != "authority"), "authority")
    part = into / f".{daemon}.part"
    try:
        into.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_room(databases, state, into, reserve)
        shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
        part.mkdir(mode=0o700)
        for path in databases:
            checkpoint()
            copy = (copies or {}).get(path.name)
            if copy is not None:
                copy(part / path.name, checkpoint)
            else:
                _copy_file(path, part / path.name, key, checkpoint)
        _pack_files(state, part / FILES, key)
        parts = []
        for path in sorted(part.iterdir()):
            checkpoint()
            tables = check_database(path, key)
            parts.append(Part(path.name, path.stat().st_size, _sha256(path, checkpoint), tables))
        final = _free_name(into, daemon, at)
        backup = Backup(final, daemon, at, bool(key), tuple(parts))
        _write_manifest(part / MANIFEST, backup)
        sync_folder(part)
        replace_durably(part, final)
        return backup
    except _ERRORS as error:
        shutil.rmtree(part, ignore_errors=True)
        raise storage_error(error, into) from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def backups_in(into: Path, daemon: str | None = None) -> Iterator[Backup]:
    """Yield the backups in a folder, oldest first, as far as their manifests can be read."""
    found = []
    for path in into.iterdir() if into.is_dir() else ():
        if not path.name.startswith(".") and (path / MANIFEST).is_file():
            try:
                found.append(read_backup(path))
            except StorageError:
                continue  # `verify` says what is wrong with it
    yield from sorted(
        (backup for backup in found if daemon in (None, backup.daemon)),
        key=lambda backup: (backup.at, backup.path.name),
    )


def read_backup(path: Path) -> Backup:
    """Return what a backup's manifest says; its files are not looked at. Raises StorageError."""
    try:
        table: dict[str, Any] = json.loads((path / MANIFEST).read_bytes())
        if table["format"] > FORMAT:
            raise StorageError(StorageFault.NEWER, path, f"a backup of format {table['format']}")
        parts = tuple(
            Part(str(row["name"]), int(row["bytes"]), str(row["sha256"]), dict(row["tables"]))
            for row in table["parts"]
        )
        for part in parts:
            if _leads_elsewhere(part.name) or not part.name.endswith(".db"):
                raise ValueError(f"no file of a backup is called {part.name!r}")
        return Backup(path, str(table["daemon"]), float(table["at"]), bool(table["encrypted"]), parts)
    except OSError as error:
        raise StorageError(StorageFault.FAILED, path, f"it is no backup: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(StorageFault.CORRUPT, path, f"its manifest cannot be read: {error}") from error


def verify_backup(path: Path, key: DatabaseKey = PLAIN) -> Backup:
    """Read every byte of a backup, and return it. Raises StorageError: CORRUPT with what is wrong, KEY."""
    backup = read_backup(path)
    for part in backup.parts:
        file = path / part.name
        try:
            digest = _sha256(file, lambda: None)
        except OSError as error:
            raise StorageError(StorageFault.CORRUPT, file, f"cannot be read: {error.strerror}") from error
        if digest != part.sha256:
            raise StorageError(StorageFault.CORRUPT, file, "it is not what was written: its digest differs")
        check_database(file, key if is_encrypted(file) else PLAIN)
    packed_files(path, key if backup.encrypted else PLAIN)
    return backup


def prune(into: Path, daemon: str, keep: int, newest: Path) -> list[Path]:
    """Remove the oldest backups of a daemon past `keep`, never `newest`; return what went. Raises StorageError."""
    backups = [backup.path for backup in backups_in(into, daemon) if backup.path != newest]
    gone = backups[: max(0, len(backups) + 1 - keep)]
    for path in gone:
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise storage_error(error, path) from error
    return gone


# --- the parts -----------------------------------------------------------------------------------------------------


def _check_room(databases: list[Path], state: Path, into: Path, reserve: int) -> None:
    logs = [path.with_name(f"{path.name}-wal") for path in databases]
    need = sum(path.stat().st_size for path in (*databases, *logs) if path.exists())
    if into.stat().st_dev == state.stat().st_dev:
        need += reserve
    free = shutil.disk_usage(into).free
    if free < need:
        words = (
            f"a backup wants {need / 1e6:.1f} MB free, what must stay free included, and {free / 1e6:.1f} are"
        )
        raise StorageError(StorageFault.DISK_FULL, into, words)


def _copy_file(path: Path, target: Path, key: DatabaseKey, checkpoint: Checkpoint) -> None:
    source = connect(path, key)  # may write, as a log beside the file has to be opened
    try:
        source.pragma("query_only", True)
        source.execute("BEGIN")
        copy_database(source, target, key, checkpoint=checkpoint)
    finally:
        source.close()


def _pack_files(state: Path, target: Path, key: DatabaseKey) -> None:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    conn = connect(target, key)
    try:
        with conn:
            conn.execute("CREATE TABLE file (name TEXT PRIMARY KEY, mode INTEGER, body BLOB) STRICT")
            for path, status in _small_files(state):
                row = (path.name, stat.S_IMODE(status.st_mode), path.read_bytes())
                conn.execute("INSERT INTO file VALUES (?, ?, ?)", row)
    finally:
        conn.close()
    with open(target, "rb+") as file:
        os.fsync(file.fileno())


def _small_files(state: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what else a state folder holds: keys, token tables. Not databases and what is beside them, not the lock."""
    for path in sorted(state.iterdir()):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= _FILE_BYTES_MAX and _is_small(path.name):
            yield path, status


def _is_small(name: str) -> bool:
    """May a small file of a backup be called so?"""
    is_other = ".db" in name or name.endswith(".part") or name == "lock"
    return not _leads_elsewhere(name) and not is_other


def _leads_elsewhere(name: str) -> bool:
    return not name or name.startswith(".") or any(char in name for char in "/\\\0")


def packed_files(path: Path, key: DatabaseKey) -> list[tuple[str, int, bytes]]:
    """Return the small files of a backup as (name, mode, content).

    Raises StorageError: CORRUPT also for a name that no backup gives: it could lead anywhere on this machine.
    """
    conn = connect(path / FILES, key, read_only=True)
    try:
        rows: list[Any] = conn.execute("SELECT name, mode, body FROM file ORDER BY name").fetchall()
        for name, mode, body in rows:
            if not (isinstance(name, str) and isinstance(mode, int) and isinstance(body, bytes)):
                raise StorageError(StorageFault.CORRUPT, path / FILES, "it is no table of small files")
            if not _is_small(name):
                raise StorageError(StorageFault.CORRUPT, path / FILES, f"no small file is called {name!r}")
        return [(name, mode, body) for name, mode, body in rows]
    except apsw.Error as error:
        raise storage_error(error, path / FILES) from error
    finally:
        conn.close()


def _write_manifest(path: Path, backup: Backup) -> None:
    table = {
        "format": FORMAT,
        "daemon": backup.daemon,
        "at": backup.at,
        "encrypted": backup.encrypted,
        "parts": [asdict(part) for part in backup.parts],
    }
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(table, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _free_name(into: Path, daemon: str, at: float) -> Path:
    stem = f"{daemon}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(at))}"
    number, path = 1, into / stem
    while path.exists():
        number += 1
        path = into / f"{stem}-{number}"
    return path


def _sha256(path: Path, checkpoint: Checkpoint) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            checkpoint()
            digest.update(chunk)
    return digest.hexdigest()
