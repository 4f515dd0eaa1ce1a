"""Every connection to a database file is opened here, with the key that its file is encrypted by, if any.

Encrypted files are SQLite3 Multiple Ciphers' ChaCha20-Poly1305: every page, also in the log beside the file, has its own
nonce and tag, so a page that was changed is refused. The key is 32 random bytes: nothing is derived, nothing can be
guessed. What of a file is not encrypted: eight bytes of its header (page size and fixed numbers), and the log's framing.
"""

import re
from pathlib import Path

import apsw
from attrs import field, frozen

from daemons.store.errors import DISK_ERRORS, StorageError, StorageFault, storage_error

__all__ = ["BUSY_MS", "PLAIN", "DatabaseKey", "connect", "is_encrypted"]

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
    """Say whether a database file is encrypted; None for one that is absent, empty or no database at all."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError:
        return None
    where, fixed = _FIXED
    if head.startswith(_MAGIC):
        return False
    return True if head[where] == fixed else None


def connect(path: Path, key: DatabaseKey = PLAIN, *, read_only: bool = False) -> apsw.Connection:
    """Open a database file, made when missing unless `read_only`.

    Raises StorageError: KEY when the file needs a key and has none, another one, or is not encrypted although a key is
    given; CORRUPT, UNWRITABLE and the others as the disk has it. Nothing is written by opening.
    """
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
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
    except DISK_ERRORS as error:
        conn.close()
        raise _key_error(error, path, key) from error
    return conn


def _key_error(error: BaseException, path: Path, key: DatabaseKey) -> StorageError:
    if not isinstance(error, apsw.NotADBError):
        return storage_error(error, path)
    encrypted = is_encrypted(path)
    if encrypted and not key:
        return StorageError(StorageFault.KEY, path, "it is encrypted, and no key is set")
    if encrypted:
        return StorageError(
            StorageFault.KEY, path, "the key that is set does not open it (or its first page is damaged)"
        )
    if encrypted is False and key:
        return StorageError(StorageFault.KEY, path, "it is not encrypted, but a key is set")
    return storage_error(error, path)
