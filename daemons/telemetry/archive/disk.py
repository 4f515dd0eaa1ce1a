"""The files that segments are written to: as little as is needed of them, so that a test can stand in for a disk that fails."""

import os
from pathlib import Path
from typing import Final, Protocol

from daemons.store.copying import sync_folder

__all__ = ["Disk", "File", "RealDisk", "RealFile"]

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
# Windows has no pwrite and no O_CLOEXEC (nothing is inherited there), and would write a line end for each byte 10.
_FLAGS: Final[int] = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_HAS_OFFSETS: Final = hasattr(os, "pwrite")


class File(Protocol):
    """A file that is being written. All raise OSError."""

    def write(self, at: int, data: bytes) -> None:
        """Write all of `data` at an offset."""

    def sync(self) -> None:
        """Return when what was written survives a power cut."""

    def cut(self, size: int) -> None:
        """Have it end after `size` bytes."""

    def close(self) -> None: ...


class Disk(Protocol):
    """A folder of files. All raise OSError."""

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file, by name."""

    def open(self, name: str) -> File:
        """Open a file to write to; made, and its name durable, when it is missing."""

    def read(self, name: str, at: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset."""

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""


def _write_at(descriptor: int, data: memoryview, at: int) -> int:
    """Write some of `data` at an offset; return how much. A descriptor has one writer, so that its place is nobody else's."""
    if _HAS_OFFSETS:
        return os.pwrite(descriptor, data, at)
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.write(descriptor, data)


def _read_at(descriptor: int, size: int, at: int) -> bytes:
    if _HAS_OFFSETS:
        return os.pread(descriptor, size, at)
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.read(descriptor, size)


class RealFile:
    """A file of the operating system."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, at: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            count = _write_at(self._descriptor, left, at)
            at += count
            left = left[count:]

    def sync(self) -> None:
        _sync(self._descriptor)

    def cut(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        os.close(self._descriptor)


class RealDisk:
    """A folder, made when missing; its files are for their owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def sizes(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in self._folder.iterdir() if path.is_file()}

    def open(self, name: str) -> File:
        path = self._folder / name
        is_new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        if is_new:
            sync_folder(self._folder)
        return RealFile(descriptor)

    def read(self, name: str, at: int, size: int) -> bytes:
        descriptor = os.open(self._folder / name, os.O_RDONLY | _FLAGS)
        try:
            return _read_at(descriptor, size, at)
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)
