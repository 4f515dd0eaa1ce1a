"""An event tree that lies on a disk as well, so that a killed stand-in leaves what a killed FPVTrackside leaves.

A file is written in place, as `EventTree.write` has it: empty, half there, whole. Who is killed in between leaves it
torn, and serves it torn when it runs again.
"""

from pathlib import Path

from .recorded import SIDES
from .tree import EventTree

__all__ = ["DiskTree"]


class DiskTree(EventTree):
    """Files in memory, and under `folder`. What lies there already is taken over, torn or not.

    Reads and writes the disk in the event loop: for a process of its own, not for a simulation. Raises OSError.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        super().__init__(_present(folder))

    def _changed(self, key: str) -> None:
        body, file = self.read(key), self._folder / key
        if body is None:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)


def _present(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for side in SIDES
        for file in sorted((folder / side).rglob("*"))
        if file.is_file()
    }
