"""Live streams: what is newest goes out, what is late is dropped and counted, a loss is known by number."""

from collections import OrderedDict, deque
from collections.abc import Callable

from attrs import define, field, frozen

from protocol.codec import encode_frame
from protocol.errors import RemoteProtocolError
from protocol.frames import Batch
from protocol.streams import ENTRY_BYTES_MAX, Entry, Pieces, room_for_data

__all__ = ["LiveIn", "LiveOut"]

QUEUE_BYTES_MAX = 128 * 1024
MISSING_MAX = 256
"""So many of the numbers that were left out are still waited for."""
LATE_S = 1.0
"""An entry that has waited so long is not live any more."""


def _nothing() -> None:
    """Stand for the connection while there is none."""


@frozen
class _Waiting:
    entry: Entry
    put_at: float
    keep: bool


@define(eq=False)
class LiveOut:
    """One live stream as a source of the lane LIVE. Nothing is queued while there is no connection.

    `begin`: called with it as soon as a connection takes entries, to `put` what must come first. An entry with `keep` (what
    others cannot be read without) is dropped neither for its age nor for want of room; its wing sees to it that such
    are few: `kept_bytes` tells. `dropped`: entries that were not sent, `crowded`: those of them for which the line was
    too slow, not gone. `aside`: a way beside the link for what may get lost; says whether it has taken an entry.
    """

    stream: bytes
    begin: "Callable[[LiveOut], None]" = lambda live: None
    queue_bytes_max: int = QUEUE_BYTES_MAX
    late_s: float = LATE_S
    next: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    crowded: int = field(default=0, init=False)
    dropped_bytes: int = field(default=0, init=False)
    sent_bytes: int = field(default=0, init=False)
    queued_bytes: int = field(default=0, init=False)
    kept_bytes: int = field(default=0, init=False)
    aside: "Callable[[LiveOut, Entry], bool] | None" = field(default=None, init=False)
    _queue: deque[_Waiting] = field(factory=deque, init=False)
    _offset: int = field(default=0, init=False)
    _wake: Callable[[], None] | None = field(default=None, init=False)
    _release: Callable[[], None] = field(default=_nothing, init=False)

    @property
    def is_open(self) -> bool:
        """Is there a connection whose peer takes streams?"""
        return self._wake is not None

    def attach(self, wake: Callable[[], None], release: Callable[[], None] = _nothing) -> None:
        """Begin a connection. What waited for the last one is old. `release` is called when it is taken back."""
        self.detach()
        self._wake, self._release = wake, release
        self.begin(self)

    def detach(self) -> None:
        """End the connection: what waits is dropped."""
        self._release()
        self._wake, self._release = None, _nothing
        self._drop(lambda waiting: True)
        self._offset = 0

    def oldest_s(self, now: float) -> float:
        """Return for how long the entry that is sent next has waited; 0 when none does."""
        return now - self._queue[0].put_at if self._queue else 0.0

    def put(self, kind: int, data: bytes, now: float, *, as_of_us: int = 0, keep: bool = False) -> int | None:
        """Queue an entry and return its number; None when there is no connection. Drops the oldest where it is too full.

        Raises ValueError when it is longer than ENTRY_BYTES_MAX.
        """
        if len(data) > ENTRY_BYTES_MAX:
            raise ValueError(f"a live entry of {len(data)} B")
        if self._wake is None:
            return None
        entry = Entry(self.next, kind, data, as_of_us)
        self.next += 1
        if not keep and self.aside is not None and self.aside(self, entry):
            self.sent_bytes += len(data)
            return entry.number
        while self.queued_bytes + len(data) > self.queue_bytes_max and self._drop_one(
            lambda waiting: not waiting.keep
        ):
            self.crowded += 1
        self._queue.append(_Waiting(entry, now, keep))
        self.queued_bytes += len(data)
        self.kept_bytes += len(data) if keep else 0
        self._wake()
        return entry.number

    def restart(self) -> None:
        """Drop all that waits and has not been begun: what comes next begins anew."""
        self._drop(lambda waiting: True)

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        """Return frames of at most `max_bytes` together (see `lanes.Source`)."""
        while self._drop_one(lambda waiting: not waiting.keep and now - waiting.put_at > self.late_s):
            self.crowded += 1
        frames: list[bytes] = []
        size = 0
        while self._queue and (not frames or max_bytes - size >= 1024):
            entry = self._queue[0].entry
            piece = Batch(self.stream, *entry.pieced(self._offset, room_for_data(max_bytes - size)))
            frames.append(encode_frame(piece))
            size += len(frames[-1])
            self._offset += len(piece.data)
            if self._offset >= len(entry.data):
                self._forget(self._queue.popleft())
                self.sent_bytes += len(entry.data)
                self._offset = 0
        return b"".join(frames) or None

    def _forget(self, waiting: _Waiting) -> None:
        self.queued_bytes -= len(waiting.entry.data)
        self.kept_bytes -= len(waiting.entry.data) if waiting.keep else 0

    def _drop(self, which: Callable[[_Waiting], bool]) -> None:
        while self._drop_one(which):
            pass

    def _drop_one(self, which: Callable[[_Waiting], bool]) -> bool:
        """Drop the oldest of a kind, but the one that is being sent."""
        for at, waiting in enumerate(self._queue):
            if which(waiting) and not (at == 0 and self._offset and self._wake is not None):
                del self._queue[at]
                self._forget(waiting)
                self.dropped += 1
                self.dropped_bytes += len(waiting.entry.data)
                return True
        return False


@define(eq=False)
class LiveIn:
    """The receiving end of one live stream. `missed`: entries that were numbered, behind the first seen, and did not come.

    Entries come over the link in order, and beside it as datagrams in any: a number that was left out may still come.
    """

    next: int | None = field(default=None, init=False)
    missed: int = field(default=0, init=False)
    doubled: int = field(default=0, init=False)
    _pieces: Pieces = field(factory=Pieces, init=False)
    _loose: Pieces = field(factory=Pieces, init=False)
    _missing: OrderedDict[int, None] = field(factory=OrderedDict, init=False)

    def attach(self) -> None:
        """Begin a connection: the rest of what was not whole will not come."""
        self._pieces.clear()
        self._loose.clear()

    def take(self, frame: Batch) -> Entry | None:
        """Take a piece; return the entry that is whole now, or None. Raises RemoteProtocolError."""
        return self._whole(self._pieces.take(frame)) if self._is_wanted(frame) else None

    def take_loose(self, frame: Batch) -> Entry | None:
        """Take a piece that came as a datagram: those between may be lost, and then all of the entry is."""
        if not self._is_wanted(frame):
            return None
        try:
            return self._whole(self._loose.take(frame))
        except RemoteProtocolError:
            self._loose.clear()
            return None

    def _is_wanted(self, frame: Batch) -> bool:
        if self.next is None or frame.number >= self.next or frame.number in self._missing:
            return True
        self.doubled += frame.offset == 0
        return False

    def _whole(self, entry: Entry | None) -> Entry | None:
        if entry is None:
            return None
        if self.next is not None and entry.number < self.next:
            del self._missing[entry.number]
            self.missed -= 1
            return entry
        first = entry.number if self.next is None else self.next
        self.missed += entry.number - first
        for number in range(max(first, entry.number - MISSING_MAX), entry.number):
            self._missing[number] = None
        while len(self._missing) > MISSING_MAX:
            self._missing.popitem(last=False)
        self.next = entry.number + 1
        return entry
