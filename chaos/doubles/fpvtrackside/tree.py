"""The files on the timing program's disk, in memory, with the moments in which a write is half done.

FPVTrackside writes with `File.WriteAllText`: truncate in place, then write (FTC `DB/JSON/JsonIO.cs`). A
reader in that moment sees an empty or a half file. A real file system would show this only now and then; here
it lasts as long as the test says, on the Trio clock, and needs no disk and no thread.
"""

import hashlib
from collections.abc import Iterable, Mapping

import attrs
import trio

__all__ = ["EventTree", "Write"]


@attrs.frozen
class Write:
    """One finished write: when it was whole (Trio clock), where, what, on what occasion ("lap" ...)."""

    at_s: float
    path: str
    size_bytes: int
    sha256: str
    occasion: str


class EventTree:
    """Files by path, as a URL names them without the leading slash: `events/<guid>/Event.json`.

    `writes` has every write made while the tree was in use, in order; what it was made with is not in it.
    Freshness is measured from `Write.at_s`. One task may write a file at a time.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self._files = {_key(path): body for path, body in (files or {}).items()}
        self._being_written: set[str] = set()
        self.writes: list[Write] = []

    def __repr__(self) -> str:
        return f"<EventTree {len(self._files)} files, {len(self.writes)} writes>"

    def read(self, path: str) -> bytes | None:
        """Return what a reader would see now, torn or whole; None when there is no such file."""
        return self._files.get(_key(path))

    def is_being_written(self, path: str) -> bool:
        """Say whether a write is under way, so that opening the file would be a sharing violation."""
        return _key(path) in self._being_written

    def paths(self) -> list[str]:
        """Return all paths, sorted."""
        return sorted(self._files)

    def event_ids(self) -> list[str]:
        """Return the ids of the events that have an Event.json, sorted."""
        parts = (path.split("/") for path in self._files)
        return sorted(p[1] for p in parts if len(p) == 3 and p[0] == "events" and p[2] == "Event.json")

    def put(self, path: str, body: bytes, occasion: str = "") -> None:
        """Write a whole file at once, as no program does; for what a test needs settled."""
        self._files[_key(path)] = body
        self._changed(_key(path))
        digest = hashlib.sha256(body).hexdigest()
        self.writes.append(Write(trio.current_time(), _key(path), len(body), digest, occasion))

    async def write(self, path: str, body: bytes, *, torn_s: float = 0.0, occasion: str = "") -> None:
        """Write a file in place: empty for half of `torn_s`, half there for the rest, then whole.

        Cancelled, the file is made whole at once: the operator's program goes on though the script of it
        ends.
        """
        key = _key(path)
        self._being_written.add(key)
        try:
            if torn_s > 0:
                self._files[key] = b""
                self._changed(key)
                await trio.sleep(torn_s / 2)
                self._files[key] = body[: len(body) // 2]
                self._changed(key)
                await trio.sleep(torn_s / 2)
        finally:
            self._being_written.discard(key)
            self.put(key, body, occasion)

    def tear(self, path: str, keep_bytes: int = 0) -> None:
        """Leave a file cut after `keep_bytes` until it is next written: the program died in mid-write."""
        self._files[_key(path)] = (self._files.get(_key(path)) or b"")[:keep_bytes]
        self._changed(_key(path))

    def remove(self, path: str) -> None:
        """Delete a file; no error when it is not there."""
        self._files.pop(_key(path), None)
        self._changed(_key(path))

    def add_missing(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Take in those files that are not there yet, without noting a write."""
        for path, body in files:
            self._files.setdefault(_key(path), body)

    def _changed(self, key: str) -> None:
        """Hear that a file is another now, whole or not; for a tree that is kept elsewhere too."""


def _key(path: str) -> str:
    return path.lstrip("/")
