"""Whose the files of a state folder are. A command that root gives must leave them to the user that the daemon runs as.

A new file belongs to whom the one belonged that it replaces, else to the folder's owner. Only root can see to that, and
only root has to. Root never follows a link in a folder of somebody else's, and gives away only what it has made itself.
"""

import os
from pathlib import Path

from daemons.store.copying import sync_folder

__all__ = ["create_private", "give_folder", "give_like", "owner_words", "write_private"]

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def create_private(path: Path, *, mode: int = 0o600) -> int:
    """Make a new file and return its descriptor, read and write; it is the folder's owner's. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW, mode)
    try:
        _give(descriptor, path.parent)
    except BaseException:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return descriptor


def write_private(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file durably over what was there, whose owner it keeps. Raises OSError: the old one is left then."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # of a try that was killed, or laid there
    descriptor = create_private(part, mode=mode)
    try:
        with open(descriptor, "wb") as file:
            if path.is_file():
                _give(descriptor, path)
            if os.name == "posix":
                os.fchmod(descriptor, mode)  # whatever the umask
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def give_like(path: Path, like: Path) -> None:
    """Give a file that this process has made to the owner of another one, or of a folder. Raises OSError."""
    if not _is_root():
        return
    descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW)
    try:
        _give(descriptor, like)
    finally:
        os.close(descriptor)


def give_folder(folder: Path, like: Path) -> None:
    """Give a folder that this process has made, and the files in it, to the owner of another folder. Raises OSError."""
    if _is_root():
        for path in (*folder.iterdir(), folder):
            give_like(path, like)


def owner_words(path: Path) -> str:
    """Return the command that makes a file readable for the user whose folder it is in."""
    try:
        import pwd

        number = path.parent.stat().st_uid
        name = pwd.getpwuid(number).pw_name
    except (OSError, KeyError, ImportError):
        name = "USER"
    return f"chown {name}: {path}"


def _is_root() -> bool:
    return os.name == "posix" and os.geteuid() == 0


def _give(descriptor: int, like: Path) -> None:
    if _is_root():
        status = like.stat()
        os.fchown(descriptor, status.st_uid, status.st_gid)
