"""One recording on the driver's disk: entries in segment files, read back by number. Synchronous; for worker threads.

`<id>.head` holds HEAD, INFO and END, which are kept as long as anything of the recording; `<id>-<number>.rows` the ROWS
from that number on, a segment after the other, which go when room is needed. An entry counts when both are synced:
`end` then lies behind it. After a failed write or sync nobody knows what a file holds, so ROWS go on in a new
segment, and the head file is cut to what is known of it.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from attrs import define, field

from daemons.telemetry.archive.disk import Disk, File
from daemons.telemetry.entries import EntryKind
from daemons.telemetry.spool.frames import ENTRY, HEAD_BYTES, pack_frame, read_head, scan, unpack_frame
from protocol.streams import Entry

__all__ = ["SEGMENT_BYTES", "Shelf"]

SEGMENT_BYTES: Final = 16 * 1024 * 1024
_INDEXED_SEGMENTS: Final = 2


@define(eq=False)
class _Segment:
    first: int
    name: str
    size: int


@define(eq=False)
class _Place:
    """Where an entry is: `size` with its head."""

    number: int
    at: int
    size: int


@define(eq=False)
class Shelf:
    """`end`: the number of the first entry that is not durable. `acknowledged`: of the first that the peer does not have
    for good, as far as is known. `broken`: entries that were found damaged. Any thread may call; one at a time works.
    """

    disk: Disk
    id: bytes
    segment_bytes: int = SEGMENT_BYTES
    end: int = field(default=0, init=False)
    acknowledged: int = field(default=0, init=False)
    is_ended: bool = field(default=False, init=False)
    broken: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)  # entries that made room though the peer had not got them
    _head_bytes: int = field(default=0, init=False)
    _heads: list[_Place] = field(factory=list, init=False)
    _segments: list[_Segment] = field(factory=list, init=False)
    _indices: OrderedDict[int, list[_Place]] = field(factory=OrderedDict, init=False)
    _open: dict[str, File] = field(factory=dict, init=False)
    _is_new_segment: bool = field(default=True, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def head_name(self) -> str:
        return f"{self.id.hex()}.head"

    @property
    def ack_name(self) -> str:
        return f"{self.id.hex()}.ack"

    @property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return self._head_bytes + sum(segment.size for segment in self._segments)

    @property
    def is_done(self) -> bool:
        """Is it over, and has the peer all of it?"""
        return self.is_ended and self.acknowledged >= self.end

    def load(self, sizes: dict[str, int]) -> None:
        """Find out what is there, and cut what is torn. `sizes`: of the disk's files by name. Raises OSError."""
        self._heads = []
        has_head = self.head_name in sizes
        data = self.disk.read(self.head_name, 0, sizes[self.head_name]) if has_head else b""
        for frame in scan(data, ENTRY, self.id):
            self._heads.append(_Place(frame.head.number, frame.at, HEAD_BYTES + frame.head.size))
            self._head_bytes = frame.at + HEAD_BYTES + frame.head.size
            self.is_ended = frame.head.kind == EntryKind.END
        self._cut(self.head_name, len(data), self._head_bytes)
        front = f"{self.id.hex()}-"
        self._segments = sorted(
            (
                _Segment(int(name[len(front) : -len(".rows")]), name, size)
                for name, size in sizes.items()
                if name.startswith(front) and name.endswith(".rows")
            ),
            key=lambda segment: segment.first,
        )
        self.end = max((place.number + 1 for place in self._heads), default=0)
        if not self.is_ended and self._segments:
            self._load_last()
        acknowledged = self.disk.read(self.ack_name, 0, 32) if self.ack_name in sizes else b""
        self.acknowledged = min(int(acknowledged), self.end) if acknowledged.isdigit() else 0

    def _load_last(self) -> None:
        """Look through the segment that may be torn."""
        last = self._segments[-1]
        data = self.disk.read(last.name, 0, last.size)
        places = [
            _Place(frame.head.number, frame.at, HEAD_BYTES + frame.head.size)
            for frame in scan(data, ENTRY, self.id)
        ]
        size = places[-1].at + places[-1].size if places else 0
        self._cut(last.name, last.size, size)
        last.size = size
        self._indices[last.first] = places
        self.end = max([self.end, last.first, *(place.number + 1 for place in places)])

    def _cut(self, name: str, is_: int, size: int) -> None:
        if is_ > size:
            file = self.disk.open(name)
            try:
                file.cut(size)
                file.sync()
            finally:
                file.close()

    # --- writing -------------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries, whose numbers follow `end`; durable when it returns. Raises OSError: then none of them is kept,
        and they may be appended again."""
        with self._lock:
            try:
                self._append(entries)
            except BaseException:
                self._leave()
                raise

    def _append(self, entries: Sequence[Entry]) -> None:
        rows = [entry for entry in entries if entry.kind == EntryKind.ROWS]
        heads = [entry for entry in entries if entry.kind != EntryKind.ROWS]
        written = []
        if rows:
            if self._is_new_segment or self._segments[-1].size >= self.segment_bytes:
                self._begin_segment(rows[0].number)
            segment = self._segments[-1]
            places = self._write(segment.name, segment.size, rows)
            written.append(segment.name)
        if heads:
            head_places = self._write(self.head_name, self._head_bytes, heads)
            written.append(self.head_name)
        for name in written:
            self._open[name].sync()
        if rows:
            self._indices[segment.first] += places
            segment.size = places[-1].at + places[-1].size
        if heads:
            self._heads += head_places
            self._head_bytes = head_places[-1].at + head_places[-1].size
            self.is_ended = heads[-1].kind == EntryKind.END
        self.end = entries[-1].number + 1
        if self.is_ended:
            self.close()

    def _write(self, name: str, at: int, entries: Sequence[Entry]) -> list[_Place]:
        file = self._open.get(name)
        if file is None:
            file = self._open[name] = self.disk.open(name)
        parts, places, begin = [], [], at
        for entry in entries:
            parts.append(pack_frame(ENTRY, self.id, entry.number, entry.as_of_us, entry.kind, entry.data))
            places.append(_Place(entry.number, at, len(parts[-1])))
            at += len(parts[-1])
        file.write(begin, b"".join(parts))
        return places

    def _begin_segment(self, first: int) -> None:
        if self._segments and (file := self._open.pop(self._segments[-1].name, None)) is not None:
            file.close()
        if self._segments and self._segments[-1].first == first:
            self._indices.pop(self._segments.pop().first, None)  # nothing of it ever counted
        self._segments.append(_Segment(first, f"{self.id.hex()}-{first:010d}.rows", 0))
        self._remember(first, [])
        self._is_new_segment = False

    def _leave(self) -> None:
        """After a failure: leave the files as they are, and begin anew behind what is known to be good."""
        self.close()
        self._is_new_segment = True
        with suppress(OSError):
            self._cut(self.head_name, self._head_bytes + 1, self._head_bytes)

    def close(self) -> None:
        """Close what is open; it opens again by itself."""
        files, self._open = list(self._open.values()), {}
        for file in files:
            with suppress(OSError):
                file.close()

    def note(self, number: int) -> None:
        """Write down what the peer has. Losing it costs a question to the peer. Raises OSError."""
        file = self.disk.open(self.ack_name)
        try:
            file.write(0, b"%020d" % number)
        finally:
            file.close()

    # --- reading -------------------------------------------------------------------------------------------------

    def read(self, number: int, max_bytes: int) -> list[Entry]:
        """Return entries from `number` on, at least one if there is any and else about `max_bytes`; what was dropped or
        is damaged is left out. Raises OSError."""
        with self._lock:
            entries: list[Entry] = []
            size = 0
            while size < max_bytes and (found := self._next_place(number)) is not None:
                name, place = found
                entry = self._read(name, place)
                number = place.number + 1
                if entry is None:
                    self.broken += 1
                else:
                    entries.append(entry)
                    size += len(entry.data)
            return entries

    def last_rows(self) -> Entry | None:
        """Return the newest ROWS, None when there are none. Raises OSError."""
        with self._lock:
            for segment in reversed(self._segments):
                for place in reversed(self._index(segment)):
                    if (entry := self._read(segment.name, place)) is not None:
                        return entry
        return None

    def _next_place(self, number: int) -> tuple[str, _Place] | None:
        """Return the file and place of the first entry from `number` on."""
        at = bisect_right(self._heads, number - 1, key=lambda place: place.number)
        head = self._heads[at] if at < len(self._heads) else None
        first = max(0, bisect_right(self._segments, number, key=lambda segment: segment.first) - 1)
        for segment in self._segments[first:]:
            places = self._index(segment)
            at = bisect_right(places, number - 1, key=lambda place: place.number)
            if at < len(places):
                rows = places[at]
                return (
                    (segment.name, rows)
                    if head is None or rows.number < head.number
                    else (self.head_name, head)
                )
        return None if head is None else (self.head_name, head)

    def _index(self, segment: _Segment) -> list[_Place]:
        """Return where the entries of a segment are: read once, remembered for the last few."""
        places = self._indices.get(segment.first)
        if places is not None:
            return places
        after = [other.first for other in self._segments if other.first > segment.first]
        places, at = [], 0
        while at < segment.size:
            head = read_head(self.disk.read(segment.name, at, HEAD_BYTES), ENTRY, self.id)
            if head is None or (after and head.number >= after[0]):
                break
            places.append(_Place(head.number, at, HEAD_BYTES + head.size))
            at += HEAD_BYTES + head.size
        self._remember(segment.first, places)
        return places

    def _remember(self, first: int, places: list[_Place]) -> None:
        self._indices[first] = places
        while len(self._indices) > _INDEXED_SEGMENTS:
            oldest = next(
                key for key in self._indices if not self._segments or key != self._segments[-1].first
            )
            del self._indices[oldest]

    def _read(self, name: str, place: _Place) -> Entry | None:
        found = unpack_frame(self.disk.read(name, place.at, place.size), ENTRY, self.id)
        if found is None or found[0].number != place.number:
            return None
        head, data = found
        return Entry(head.number, head.kind, data, head.as_of_us)

    # --- making room ---------------------------------------------------------------------------------------------

    def oldest(self, *, acknowledged: bool) -> bool:
        """Is there a segment that may go: not the one that is written, and all of it acknowledged if that is asked?"""
        if len(self._segments) < 1 + (not self.is_ended):
            return False
        upto = self._segments[1].first if len(self._segments) > 1 else self.end
        return not acknowledged or upto <= self.acknowledged

    def drop_oldest(self) -> int:
        """Drop the oldest segment; return how many bytes that gives. Raises OSError."""
        with self._lock:
            segment = self._segments[0]
            numbers = [place.number for place in self._index(segment)]
            self.disk.remove(segment.name)
            self.dropped += sum(number >= self.acknowledged for number in numbers)
            self._segments.pop(0)
            self._indices.pop(segment.first, None)
            return segment.size

    def remove(self) -> None:
        """Delete all of it. Raises OSError."""
        with self._lock:
            self.close()
            for name in (*(segment.name for segment in self._segments), self.ack_name, self.head_name):
                self.disk.remove(name)
            self._segments, self._head_bytes = [], 0
