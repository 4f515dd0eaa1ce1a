"""Every connection to a database file is opened here, with the key that its file is encrypted by, if any.

Encrypted files are SQLite3 Multiple Ciphers' ChaCha20-Poly1305: every page, also in the log beside the file, has its own
nonce and tag, so a page that was changed is refused. The key is 32 random bytes: nothing is derived, nothing can be
guessed. What of a file is not encrypted: eight bytes of its header (page size and fixed numbers), and the log's framing.
"""

import errno
import os
import re
import shutil
import weakref
from pathlib import Path

import apsw
from attrs import field, frozen

from daemons.store.errors import DISK_ERRORS, StorageError, StorageFault, storage_error

__all__ = ["BUSY_MS", "PLAIN", "DatabaseKey", "connect", "forget_index", "is_encrypted", "keep_log"]

BUSY_MS = 5000
_KEY = re.compile(r"[0-9a-fA-F]{64}")
_MAGIC = b"SQLite format 3\0"
_FIXED = slice(21, 24), b"\x40\x20\x20"
"""Where SQLite's header always has these bytes; they stay readable in an encrypted file."""


@frozen(repr=False)
class DatabaseKey:
    """The key of databases at rest: 64 hexadecimal digits, or "" for files that are not encrypted. Shows itself nowhere."""

    digits: str = field(default="")

    @digits.validator
    def _check(self, attribute: object, digits: str) -> None:
        if digits and not _KEY.fullmatch(digits):
            raise ValueError(
                "is no key: 64 hexadecimal digits are wanted, such as openssl rand -hex 32 makes"
            )

    def __repr__(self) -> str:
        return "DatabaseKey(***)" if self.digits else "DatabaseKey()"

    def __bool__(self) -> bool:
        return bool(self.digits)

    @property
    def pragma(self) -> str:
        """What `PRAGMA key` and `PRAGMA rekey` take."""
        return f"raw:{self.digits.lower()}" if self.digits else ""


PLAIN = DatabaseKey()


def is_encrypted(path: Path) -> bool | None:
    """Say whether a database file is encrypted; None for one that is absent, empty or no database at all.

    Not for a file that this process has open: see `_is_open`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError:
        return None
    where, fixed = _FIXED
    if head.startswith(_MAGIC):
        return False
    return True if head[where] == fixed else None


def connect(
    path: Path, key: DatabaseKey = PLAIN, *, read_only: bool = False, is_open: bool = False
) -> apsw.Connection:
    """Open a database file, made when missing unless `read_only`. `is_open`: this process has it open already.

    Raises StorageError: KEY when the file needs a key and has none, another one, or is not encrypted although a key is
    given; DISK_FULL when there is no room for the index of a log; CORRUPT, UNWRITABLE and the others as the disk has it.
    """
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    is_logged = _is_logged(path, read_only)
    if is_logged and not is_open:  # else its index is there, and whoever reads goes on while the disk is full
        _want_room(path)
    try:
        conn = apsw.Connection(str(path), flags=flags)
    except DISK_ERRORS as error:
        raise storage_error(error, path) from error
    try:
        if key:
            conn.pragma("cipher", "chacha20")
            conn.pragma("key", key.pragma)
        conn.set_busy_timeout(BUSY_MS)
        conn.pragma("secure_delete", "off")  # built in as on: measured, a DELETE then takes 10 times as long
        conn.pragma("schema_version")  # the first page, and with it the key
        _note_open(path, conn)
        if is_logged:
            _keep_room(path)
    except DISK_ERRORS as error:
        conn.close()
        raise _key_error(error, path, key) from error
    return conn


def keep_log(conn: apsw.Connection, path: Path) -> None:
    """Have commits go to a log beside the file (WAL), with readers beside the writer. Raises what SQLite raises."""
    conn.pragma("journal_mode", "wal")
    _keep_room(path)


# --- what this process has open ------------------------------------------------------------------------------------
#
# A process that closes any descriptor of a file gives up all its locks on it (POSIX), those of SQLite's connections too.
# The next other process to close the database would then think itself the last, and take the log away under this one:
# what is committed afterwards goes to a file that has no name. So a file with open connections is never opened by hand.

_open: dict[tuple[int, int], "weakref.WeakSet[apsw.Connection]"] = {}


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_open(path: Path) -> bool:
    """Has this process a connection to the file?"""
    inode = _inode(path)
    conns = [] if inode is None else list(_open.get(inode, ()))
    if any(map(_is_alive, conns)):
        return True
    if inode is not None:
        _open.pop(inode, None)
    return False


def _is_alive(conn: apsw.Connection) -> bool:
    try:
        return bool(conn.open_flags)
    except apsw.ConnectionClosedError:
        return False


def _note_open(path: Path, conn: apsw.Connection) -> None:
    inode = _inode(path)
    if inode is not None:
        _open.setdefault(inode, weakref.WeakSet()).add(conn)


# --- room for the log's index --------------------------------------------------------------------------------------
#
# SQLite maps the index of the log (`-shm`) into memory. On a full disk a write to a mapped page that has no block yet
# ends the process (SIGBUS): no error, nothing to catch. So room is seen to beforehand. SQLite itself allocates a byte of
# every 4 KiB; on file systems with smaller blocks, as small ones have, that leaves holes.

_INDEX_BYTES = 32768
_ROOM_BYTES = 2 * _INDEX_BYTES
_BLOCK_BYTES = 4096
_held: dict[Path, int] = {}
"""Descriptors of index files whose holes were filled: closing one would give up SQLite's own locks on the file."""


def _is_logged(path: Path, read_only: bool) -> bool:
    """Does opening this file make an index beside it, now or soon?"""
    if _is_open(path):
        return path.with_name(f"{path.name}-wal").exists()
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError:
        head = b""
    return head[18:20] == b"\2\2" if head else not read_only


def _want_room(path: Path) -> None:
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return  # opening it will say why
    if free < _ROOM_BYTES:
        raise StorageError(
            StorageFault.DISK_FULL,
            path,
            f"opening it takes {_ROOM_BYTES // 1024} KiB, {free // 1024} are free",
        )


def _keep_room(path: Path) -> None:
    """Fill the holes of the index. Raises StorageError(DISK_FULL)."""
    if not hasattr(os, "posix_fallocate") or os.statvfs(path.parent).f_bsize >= _BLOCK_BYTES:
        return
    index = path.with_name(f"{path.name}-shm")
    forget_index(path)
    held = _held.get(path)
    try:
        if held is None:
            if not index.exists():
                return
            held = _held[path] = os.open(index, os.O_RDWR | os.O_CLOEXEC)
        os.posix_fallocate(held, 0, _INDEX_BYTES)
    except OSError as error:
        if error.errno == errno.EROFS:  # the holes were filled before it became so; who only reads goes on
            return
        raise StorageError(
            StorageFault.DISK_FULL, path, f"no room for its index: {error.strerror}"
        ) from error


def forget_index(path: Path) -> None:
    """Give up what is held for a database whose last connection is closed. Nothing happens while its index is there."""
    held = _held.get(path)
    if held is None:
        return
    status = os.fstat(held)
    index = _inode(path.with_name(f"{path.name}-shm"))
    # Of a file that is gone, or that another disk is mounted over: its locks are nobody's.
    if status.st_nlink == 0 or index != (status.st_dev, status.st_ino):
        os.close(_held.pop(path))


# --- what a file that cannot be read is ----------------------------------------------------------------------------


def _key_error(error: BaseException, path: Path, key: DatabaseKey) -> StorageError:
    if not isinstance(error, apsw.NotADBError):
        return storage_error(error, path)
    encrypted = None if _is_open(path) else is_encrypted(path)
    if encrypted and not key:
        return StorageError(StorageFault.KEY, path, "it is encrypted, and no key is set")
    if encrypted:
        return StorageError(
            StorageFault.KEY, path, "the key that is set does not open it (or its first page is damaged)"
        )
    if encrypted is False and key:
        return StorageError(StorageFault.KEY, path, "it is not encrypted, but a key is set")
    return storage_error(error, path)
