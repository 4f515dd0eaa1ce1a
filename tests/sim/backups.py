"""Files of the daemons in a simulation: looked into while no program holds them, backed up, and put back."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
from attrs import define, field

from daemons.store import Store

__all__ = ["Backups", "reading"]


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """Open a file that no program holds now."""
    conn = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        yield conn
    finally:
        conn.close()


@define(eq=False)
class Backups:
    """Of one file, beside it, at most `most`. `paths`: those that are there, the oldest first."""

    file: Path
    most: int
    paths: list[Path] = field(factory=list, init=False)
    _number: int = field(default=0, init=False)

    async def take(self, store: Store) -> None:
        """Make a backup of the file as it is now; too many, and the oldest goes."""
        self._number += 1
        path = self.file.with_name(f"backup-{self._number}")
        await store.backup_to(path)
        self.paths.append(path)
        if len(self.paths) > self.most:
            self.paths.pop(0).unlink()

    def put_back(self, at: int) -> None:
        """Put back one of them, while no program holds the file. Those that are newer are of a history that ends here."""
        for newer in self.paths[at + 1 :]:
            newer.unlink()
        del self.paths[at + 1 :]
        for suffix in ("-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self.paths[at], self.file)
