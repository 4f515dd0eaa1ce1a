"""A small disk of its own for tests: an ext4 file system in a file, or a tmpfs; filled and emptied at will. Needs root.

The one in a file can fail as cards do: the kernel makes it read-only, until it is unmounted, checked and mounted anew.
"""

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

    def __init__(self, path: Path, image: Path | None = None) -> None:
        self.path = path
        self._image = image
        self._ballast = path / "ballast"

    def fail(self) -> None:
        """Have the kernel make it read-only as after an error, whoever has files open; skips the test if it cannot."""
        if self._image is None or not _run((["mount", "-o", "remount,abort", str(self.path)],)):
            pytest.skip("no disk here can fail")

    def unmount(self) -> None:
        """Take it away under whoever has files open."""
        subprocess.run(["umount", "-l", str(self.path)], check=True, capture_output=True)

    def is_held(self) -> bool:
        """Has anybody files open on a disk that was unmounted?"""
        loops = subprocess.run(["losetup", "-j", str(self._image)], check=True, capture_output=True)
        return bool(loops.stdout.strip())

    def mend(self) -> None:
        """Check it, and mount it again."""
        subprocess.run(["fsck.ext4", "-fy", str(self._image)], check=False, capture_output=True)
        mount = ["mount", "-o", "loop,noatime", str(self._image), str(self.path)]
        subprocess.run(mount, check=True, capture_output=True)

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
    def covered_by(self, folder: Path) -> Iterator[None]:
        """Mount a folder over it."""
        subprocess.run(["mount", "--bind", str(folder), str(self.path)], check=True, capture_output=True)
        try:
            yield
        finally:
            self.unmount()


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
    is_file = _run(loop)
    if not is_file and not _run(ram):
        pytest.skip("no small disk can be mounted here")
    try:
        yield SmallDisk(point, image if is_file else None)
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True, capture_output=True)


def _run(commands: tuple[list[str], ...]) -> bool:
    return all(
        shutil.which(command[0]) and subprocess.run(command, capture_output=True, check=False).returncode == 0
        for command in commands
    )
