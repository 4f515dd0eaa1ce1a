"""The sending end of archive streams: offered, resumed where the peer stands, held to a bound on what is not durable there.

Of several archives the urgent ones go first, then the others in the order in which they were added: so the one that
grows now is never behind what is made up for.
"""

from collections import deque
from collections.abc import Sequence

from attrs import define, field, frozen

from protocol.codec import encode_frame
from protocol.errors import RemoteProtocolError
from protocol.frames import Fill, Filled, Offer
from protocol.streams import Entry, room_for_data

__all__ = ["ArchivesOut", "Want"]

READ_AHEAD_BYTES = 128 * 1024
"""What is read beyond what may be sent, so that the line need not wait for the disk."""

RETRY_S = 60.0
"""An archive that the peer does not take is offered again after so long, unless it has named a time."""


@frozen
class Want:
    """Read entries of `stream` from `number` on, of about `max_bytes` together, and hand them to `loaded`."""

    stream: bytes
    number: int
    max_bytes: int


@frozen
class _Read:
    """An entry that waits, and how many in front of it are lost."""

    entry: Entry
    lost: int


@define(eq=False)
class _Archive:
    """One of them. Of [acknowledged, end) the first are sent, then come those that are read, then those on disk."""

    stream: bytes
    end: int
    is_urgent: bool
    acknowledged: int | None = None  # the first that is not durable there; None: not known on this connection
    words: str = ""  # why the peer takes no more
    retry_at: float | None = None
    is_ahead: bool = False  # the peer had more than there is here
    is_offered: bool = False
    is_reading: bool = False
    is_stuck: bool = False  # what was asked for could not be read
    is_removed: bool = False  # what is under way still counts
    sent: deque[tuple[int, int]] = field(factory=deque)  # number, weight
    read: deque[_Read] = field(factory=deque)
    read_bytes: int = 0
    offset: int = 0  # of the first one read

    def forget(self) -> None:
        self.acknowledged = None
        self.is_offered = self.is_reading = self.is_stuck = False
        self.sent.clear()
        self.read.clear()
        self.read_bytes = self.offset = 0

    @property
    def read_to(self) -> int:
        """The number of the first entry that is neither read nor sent."""
        return self.read[-1].entry.number + 1 if self.read else self.sent_to

    @property
    def sent_to(self) -> int:
        """The number of the first entry that was not sent."""
        assert self.acknowledged is not None
        return self.sent[-1][0] + 1 if self.sent else self.acknowledged

    @property
    def is_under_way(self) -> bool:
        return bool(self.sent or self.offset)


@define(eq=False)
class ArchivesOut:
    """All archives to one peer, as a source of the lane BULK. Outlives connections.

    `end` of an archive: the number of the first entry that does not exist yet; what is below must not change any more.
    """

    unacknowledged_bytes: int = field(default=0, init=False)
    sent_bytes: int = field(default=0, init=False)
    _archives: dict[bytes, _Archive] = field(factory=dict, init=False)
    _window_bytes: int = field(default=0, init=False)  # 0: no connection

    def add(self, stream: bytes, end: int, *, urgent: bool = False) -> None:
        """Offer an archive to the peer. Raises ValueError when there is one of that name."""
        archive = self._archives.get(stream)
        if archive is None:
            self._archives[stream] = _Archive(stream, end, urgent)
        elif archive.is_removed:
            archive.is_removed, archive.end, archive.is_urgent = False, max(archive.end, end), urgent
        else:
            raise ValueError("the archive is offered already")

    def remove(self, stream: bytes) -> None:
        """Offer it no longer. What was begun is sent to its end, and counts until the peer has said that it is durable."""
        archive = self._archives.get(stream)
        if archive is not None:
            archive.is_removed = True
            while len(archive.read) > (archive.offset > 0):
                archive.read_bytes -= len(archive.read.pop().entry.data)
            self._perhaps_forget(archive)

    def grew(self, stream: bytes, end: int) -> None:
        """Say that there are entries below `end` now, and that they can be read."""
        archive = self._archives[stream]
        archive.end = max(archive.end, end)
        archive.is_stuck = False

    def streams(self) -> list[bytes]:
        """Return what is offered, the most wanted first."""
        return [archive.stream for archive in self._in_order() if not archive.is_removed]

    def acknowledged(self, stream: bytes) -> int | None:
        """Return the number of the first entry that is not durable at the peer; None: it has not said on this connection."""
        return self._archives[stream].acknowledged

    def refused(self, stream: bytes) -> str:
        """Return why the peer takes no more of it, in its words; "" when it does."""
        return self._archives[stream].words

    # --- a connection --------------------------------------------------------------------------------------------

    def attach(self, window_bytes: int) -> None:
        """Begin a connection: at most `window_bytes` may be under way, though always one entry."""
        self.detach()
        self._window_bytes = max(1, window_bytes)

    def detach(self) -> None:
        """End the connection: what is not acknowledged will be asked for anew."""
        self._window_bytes = 0
        self.unacknowledged_bytes = 0
        for archive in list(self._archives.values()):
            archive.forget()
            archive.words, archive.retry_at = "", None
            self._perhaps_forget(archive)

    def offers(self, now: float) -> list[Offer]:
        """Return what is to be offered now. To be asked after `attach`, `add` and at `wake_at`."""
        if not self._window_bytes:
            return []
        offers = []
        for archive in self._archives.values():
            if archive.retry_at is not None and archive.retry_at <= now:
                archive.retry_at, archive.words, archive.is_offered = None, "", False
            if not archive.is_offered and archive.retry_at is None and not archive.is_removed:
                archive.is_offered = True
                offers.append(Offer(archive.stream))
        return offers

    def wake_at(self) -> float | None:
        """Return when an archive is to be offered again, or None."""
        return min((a.retry_at for a in self._archives.values() if a.retry_at is not None), default=None)

    def on_filled(self, now: float, frame: Filled) -> int | None:
        """Take the peer's word of what is durable there; return it when that is more than was known, else None.

        Raises RemoteProtocolError when it was neither sent nor asked for.
        """
        archive = self._archives.get(frame.stream)
        if archive is None or not archive.is_offered or archive.retry_at is not None:
            return None
        before = archive.acknowledged
        if before is None:
            # It may have more than there is: the disk here has lost what it had said was safe.
            archive.is_ahead = frame.next > archive.end
            archive.acknowledged = min(frame.next, archive.end)
        else:
            if not before <= frame.next <= archive.sent_to:
                raise RemoteProtocolError("an archive is said to be durable where it was not sent")
            while archive.sent and archive.sent[0][0] < frame.next:
                self.unacknowledged_bytes -= archive.sent.popleft()[1]
            archive.acknowledged = frame.next
        if frame.words:
            self._free(archive)
            archive.words = frame.words
            archive.retry_at = now + (frame.retry_after_ms / 1000 or RETRY_S)
            archive.is_offered = True
        self._perhaps_forget(archive)
        return min(frame.next, archive.end) if before is None or frame.next > before else None

    # --- from the disk -------------------------------------------------------------------------------------------

    def wants(self) -> Want | None:
        """Return what is to be read now, the most wanted first; None: nothing. Its answer is due with `loaded`."""
        if not self._window_bytes:
            return None
        read_bytes = sum(archive.read_bytes for archive in self._archives.values())
        for archive in self._in_order():
            if archive.acknowledged is None or archive.is_reading or archive.is_stuck or archive.is_removed:
                continue
            # The urgent one is read whatever the others hold.
            if (archive.read_bytes if archive.is_urgent else read_bytes) >= READ_AHEAD_BYTES:
                continue
            if archive.read_to < archive.end:
                archive.is_reading = True
                return Want(archive.stream, archive.read_to, READ_AHEAD_BYTES)
        return None

    def loaded(self, want: Want, entries: Sequence[Entry]) -> None:
        """Take what was read; a number that is left out is lost for good.

        Nothing: it cannot be read now, and is asked for again when it `grew`. What belongs to an ended connection is
        ignored. Raises ValueError when the entries do not follow.
        """
        archive = self._archives.get(want.stream)
        if archive is None or not archive.is_reading or archive.read_to != want.number:
            return
        archive.is_reading = False
        archive.is_stuck = not entries
        if archive.is_removed:
            return
        for entry in entries:
            lost = entry.number - archive.read_to
            if lost < 0:
                raise ValueError("entries of an archive are not in order")
            archive.read.append(_Read(entry, lost))
            archive.read_bytes += len(entry.data)

    # --- to the peer ---------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Is there something that may be sent now?"""
        return self._next() is not None

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        """Return one piece (see `lanes.Source`)."""
        archive = self._next()
        if archive is None:
            return None
        entry, lost = archive.read[0].entry, archive.read[0].lost
        piece = Fill(archive.stream, *entry.pieced(archive.offset, room_for_data(max_bytes)), lost)
        if archive.offset == 0:
            self.unacknowledged_bytes += entry.weight
        archive.offset += len(piece.data)
        self.sent_bytes += len(piece.data)
        if archive.offset >= len(entry.data):
            archive.read.popleft()
            archive.read_bytes -= len(entry.data)
            archive.sent.append((entry.number, entry.weight))
            archive.offset = 0
        return encode_frame(piece)

    def _in_order(self) -> list[_Archive]:
        return sorted(self._archives.values(), key=lambda archive: not archive.is_urgent)

    def _next(self) -> _Archive | None:
        begun = ready = None
        for archive in self._in_order():
            if archive.read and archive.offset:
                begun = begun or archive
            elif archive.read and ready is None and self._has_room(archive.read[0].entry):
                ready = archive
        # What was begun is under way already, and the peer keeps room for it.
        if ready is not None and ready.is_urgent and not (begun and begun.is_urgent):
            return ready
        return begun or ready

    def _has_room(self, entry: Entry) -> bool:
        under_way = self.unacknowledged_bytes
        return under_way == 0 or under_way + entry.weight <= self._window_bytes

    def _free(self, archive: _Archive) -> None:
        self.unacknowledged_bytes -= sum(weight for _, weight in archive.sent)
        if archive.offset:
            self.unacknowledged_bytes -= archive.read[0].entry.weight
        archive.forget()

    def _perhaps_forget(self, archive: _Archive) -> None:
        if archive.is_removed and not archive.is_under_way:
            self._archives.pop(archive.stream, None)
