"""The receiving end of archive streams: entries in order, staged until they are durable, and only then acknowledged."""

from collections import deque

from attrs import define, field

from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import Fill, Filled, Offer
from protocol.streams import WEIGHT_BYTES, Entry, Pieces

__all__ = ["ArchivesIn"]

ARCHIVES_MAX = 1024
"""So many archives of one connection are followed; one more is a protocol error."""


@define(eq=False)
class _Archive:
    next: int | None = None  # the number of the entry that comes next; None: not answered yet
    is_refused: bool = False
    held_bytes: int = 0  # arrived, not durable
    staged: deque[Entry] = field(factory=deque)
    taken: deque[Entry] = field(factory=deque)  # handed out, not durable yet
    pieces: Pieces = field(factory=Pieces)


@define(eq=False)
class ArchivesIn:
    """All archives from one peer, on one connection: a new one is made for each.

    `window_bytes`: what this side's hello said may be under way; one entry always may.
    """

    window_bytes: int
    doubled: int = field(default=0, init=False)
    held_bytes: int = field(default=0, init=False)
    _archives: dict[bytes, _Archive] = field(factory=dict, init=False)

    def on_offer(self, frame: Offer) -> bool:
        """Take an offer; return whether to find out where this side stands and to say `position` or `refuse`.

        Raises RemoteProtocolError when there are too many.
        """
        archive = self._archives.get(frame.stream)
        if archive is None:
            if len(self._archives) >= ARCHIVES_MAX:
                raise RemoteProtocolError(f"more than {ARCHIVES_MAX} archives at once", CloseCode.TOO_LARGE)
            archive = self._archives[frame.stream] = _Archive()
        elif not archive.is_refused:
            raise RemoteProtocolError("an archive is offered twice")
        archive.is_refused = False
        archive.next = None
        return True

    def position(self, stream: bytes, number: int) -> Filled:
        """Say that all below `number` is durable here: what comes next. The frame is to be sent."""
        archive = self._archives[stream]
        archive.next = number
        return Filled(stream, number)

    def refuse(self, stream: bytes, words: str, retry_after_s: float = 0.0) -> Filled:
        """Take no more of it for now; what is under way is ignored. The frame is to be sent."""
        archive = self._archives[stream]
        durable = self._durable(archive)
        self.held_bytes -= archive.held_bytes
        self._archives[stream] = _Archive(next=durable, is_refused=True)
        return Filled(stream, durable, words, int(retry_after_s * 1000))

    def close(self, stream: bytes) -> None:
        """Follow it no longer: its last entry is durable. Another offer of it is a new one."""
        archive = self._archives.pop(stream, None)
        if archive is not None:
            self.held_bytes -= archive.held_bytes

    def on_fill(self, frame: Fill) -> bool:
        """Take a piece; return whether an entry is whole now. Raises RemoteProtocolError."""
        archive = self._archives.get(frame.stream)
        if archive is None or archive.is_refused:
            return False  # closed or refused while it was under way
        if archive.next is None:
            raise RemoteProtocolError("an archive is sent before it was asked for")
        if frame.number < archive.next:
            self.doubled += 1
            return False
        if frame.number != archive.next + frame.lost:
            raise RemoteProtocolError("an archive leaves out entries and does not say so")
        before = archive.pieces.bytes
        entry = archive.pieces.take(frame)
        arrived = len(frame.data) + (WEIGHT_BYTES - before if frame.offset == 0 else 0)
        if entry is not None:
            archive.staged.append(entry)
            archive.next = entry.number + 1
        self._hold(archive, arrived)
        return entry is not None

    def take(self) -> list[tuple[bytes, list[Entry]]]:
        """Take what has arrived whole, to make it durable and to say so with `durable`."""
        work = []
        for stream, archive in self._archives.items():
            if archive.staged:
                entries = list(archive.staged)
                archive.staged.clear()
                archive.taken.extend(entries)
                work.append((stream, entries))
        return work

    def durable(self, stream: bytes, number: int) -> Filled | None:
        """Note that all below `number` is durable; the frame is to be sent. None: it was closed meanwhile."""
        archive = self._archives.get(stream)
        if archive is None or archive.is_refused:
            return None
        while archive.taken and archive.taken[0].number < number:
            self._hold(archive, -archive.taken.popleft().weight)
        return Filled(stream, self._durable(archive))

    def _durable(self, archive: _Archive) -> int:
        for entries in (archive.taken, archive.staged):
            if entries:
                return entries[0].number
        return archive.next or 0

    def _hold(self, archive: _Archive, n_bytes: int) -> None:
        archive.held_bytes += n_bytes
        self.held_bytes += n_bytes
        if self.held_bytes > self.window_bytes and n_bytes > 0 and self._entries_held() > 1:
            raise RemoteProtocolError(
                f"{self.held_bytes} B of archives under way, at most {self.window_bytes}", CloseCode.TOO_LARGE
            )

    def _entries_held(self) -> int:
        return sum(
            len(archive.taken) + len(archive.staged) + (archive.pieces.number is not None)
            for archive in self._archives.values()
        )
