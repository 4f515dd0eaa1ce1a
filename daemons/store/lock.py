"""One daemon a state folder: an advisory lock that the operating system releases when its holder dies."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemons.store.errors import StorageError, StorageFault
from daemons.store.owner import create_private

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # behind the text: a locked byte cannot be read by others
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; made when missing, readable by its owner only.

    Raises StorageError: LOCKED with the other's process number, UNWRITABLE.
    """
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = _open(path)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        fault = StorageFault.DISK_FULL if is_full else StorageFault.UNWRITABLE
        raise StorageError(fault, path, str(error)) from None
    try:
        try:
            _lock(descriptor)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() if _PREAD else ""
            who = f"process {holder}" if holder else "another process"
            raise StorageError(StorageFault.LOCKED, folder, f"{who} works in this folder") from None
        with suppress(OSError):  # a full disk has no room for the number; the lock needs none
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return create_private(path)  # a command that root gives does not keep the daemon out of its folder
    except FileExistsError:
        return os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))


_PREAD = hasattr(os, "pread")
