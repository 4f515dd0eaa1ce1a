"""A small disk of its own for tests: an ext4 file system in a file, or a tmpfs; filled and emptied at will. Needs root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["SmallDisk", "small_disk"]


class SmallDisk:
    """A mounted disk at `path`. `fill` leaves no byte for others, `free` gives the room back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Use up all room but `leave` bytes; again at any time, as others may have given room back."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 16, 4096, 512, 1):
                try:
                    while shutil.disk_usage(self.path).free > leave or size < 4096:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int = 8) -> Iterator[SmallDisk]:
    """Mount a new disk below `folder`; skips the test where nothing can be mounted."""
    point, image = folder / "disk", folder / "disk.img"
    point.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a small disk can only be mounted as root")
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    loop = (
        ["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", str(image)],
        ["mount", "-o", "loop,noatime", str(image), str(point)],
    )
    ram = (["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(point)],)
    if not (_run(loop) or _run(ram)):
        pytest.skip("no small disk can be mounted here")
    try:
        yield SmallDisk(point)
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True, capture_output=True)


def _run(commands: tuple[list[str], ...]) -> bool:
    return all(
        shutil.which(command[0]) and subprocess.run(command, capture_output=True, check=False).returncode == 0
        for command in commands
    )
