"""Bad batches, kept aside as they came: so that somebody can see what it was. Bounded; the oldest make room."""

from pathlib import Path

__all__ = ["Quarantine"]


class Quarantine:
    """Files in a folder, up to `bytes_max` in all. Blocks: for threads."""

    def __init__(self, folder: Path, bytes_max: int = 64 * 1024 * 1024) -> None:
        self._folder = folder
        self._bytes_max = bytes_max

    def keep(self, driver: str, recording: bytes, number: int, data: bytes) -> str:
        """Keep what came as an entry; return the name of its file, "" when the disk has no room for it."""
        name = f"{driver}-{recording.hex()}-{number}.bad"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._make_room(len(data))
            (self._folder / name).write_bytes(data)
        except OSError:
            return ""
        return name

    def _make_room(self, size: int) -> None:
        files = sorted(self._folder.glob("*.bad"), key=lambda path: path.stat().st_mtime)
        total = size + sum(path.stat().st_size for path in files)
        for path in files:
            if total <= self._bytes_max:
                return
            total -= path.stat().st_size
            path.unlink(missing_ok=True)
