"""What the backend knows of one recording while its entries come: decodes and checks them, and finds laps. No I/O.

Used by one thread at a time: whoever takes the recording's entries holds its lock.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import structlog
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from daemons.telemetry.about import INFO_BYTES_MAX, About, about_of
from daemons.telemetry.entries import BadEntry, Entry, EntryKind
from daemons.telemetry.finding import CHANNELS, Finder, FoundLap, FoundStint
from daemons.telemetry.lanes import columns_of
from daemons.telemetry.plausible import implausible
from daemons.telemetry.recording import Recording
from protocol.columns import Batch, ColumnsError, decode, decode_info

Ticks = NDArray[np.int64]
_log = structlog.get_logger()

__all__ = ["ENTRY_BYTES_MAX", "ROWS_MAX", "Read", "Reading", "open_batch"]

ROWS_MAX: Final = 1200
"""Of one batch: 20 s at 60 Hz; senders make them of 1 s to 5 s."""
ENTRY_BYTES_MAX: Final = 8 * 1024 * 1024
_SEEN_MAX = 64
_SESSIONS_MAX = 1000
_END_BYTES_MAX = 4096


@frozen
class Read:
    """What came of some entries. `refused`: entries that are bad, and why, in words."""

    good: tuple[Entry, ...]
    refused: tuple[tuple[Entry, str], ...]


def open_batch(recording: Recording, data: bytes) -> Batch:
    """Decode ROWS of a recording, bounded. Raises ColumnsError."""
    layout = recording.layout
    return decode(layout, data, rows_max=ROWS_MAX, bytes_max=8 * ROWS_MAX * layout.row_bytes)


@define(eq=False)
class Reading:
    """`next_number`: one above the newest entry that was looked at; `last_tick`: of the newest rows."""

    rec: int
    recording: Recording
    info: bytes = b""
    about: About = field(factory=About)
    next_number: int = 0
    last_tick: int = -1
    session_num: int | None = None
    finder: Finder = field(init=False)
    fed: int = -1
    """Number of the newest ROWS that the finder has had."""
    _unfed: list[tuple[int, Ticks, dict[str, NDArray[np.float64]]]] = field(factory=list, init=False)
    """What it has not had: number, ticks and columns of less than a second."""
    found: list[FoundLap | FoundStint] = field(factory=list, init=False)
    """What was found and is not in the catalogue yet."""
    is_told_anew: bool = field(default=True, init=False)
    """What is in the catalogue about the recording is not the newest."""
    counts: Counter[str] = field(factory=Counter, init=False)
    """Of what was looked at; whoever adds them up clears them."""
    odd: Counter[str] = field(factory=Counter, init=False)
    """Batches with implausible values, by channel; as `counts`."""
    bad: dict[int, str] = field(factory=dict, init=False)
    """Numbers that were refused, and why: the same is said when they come again before that is durable."""

    def __attrs_post_init__(self) -> None:
        self.finder = Finder(self.about.facts, self.recording.layout.tick_rate)

    def look(self, entries: Sequence[Entry]) -> Read:
        """Look at entries that came, in order. Blocks for a millisecond or two a batch."""
        good: list[Entry] = []
        refused: list[tuple[Entry, str]] = []
        for entry in entries:
            try:
                good.append(self._look(entry))
            except (BadEntry, ColumnsError) as error:
                self.counts["refused"] += 1
                self.bad[entry.number] = str(error)
                refused.append((entry, str(error)))
                if len(self.bad) > _SEEN_MAX:
                    del self.bad[next(iter(self.bad))]
            self.next_number = max(self.next_number, entry.number + 1)
        return Read(tuple(good), tuple(refused))

    def feed_again(self, entries: Sequence[Entry]) -> None:
        """Have the finder see ROWS that were kept before the catalogue knew what is in them."""
        for entry in entries:
            if entry.kind is EntryKind.ROWS:
                self._feed(open_batch(self.recording, entry.data), entry.number)
            elif entry.kind is EntryKind.END:
                self._finish()

    def _look(self, entry: Entry) -> Entry:
        if len(entry.data) > ENTRY_BYTES_MAX:
            raise BadEntry(f"an entry of {len(entry.data)} bytes; {ENTRY_BYTES_MAX} are allowed")
        if entry.number in self.bad:
            raise BadEntry(self.bad[entry.number])
        if entry.number < self.next_number:  # it comes again, or fills a gap that was told as one
            return _again(entry, self.recording)
        if entry.kind is EntryKind.ROWS:
            return self._rows(entry)
        if entry.kind is EntryKind.INFO:
            self.tell(decode_info(entry.data, self.info or None, bytes_max=INFO_BYTES_MAX))
        elif entry.kind is EntryKind.END:
            if len(entry.data) > _END_BYTES_MAX:
                raise BadEntry(f"an end of {len(entry.data)} bytes")
            self._finish()
        elif entry.number:
            raise BadEntry("a second head")
        return entry

    def tell(self, info: bytes) -> None:
        """Take a session info."""
        self._find()
        self.info = info
        self.about = about_of(info, self.about)
        self.finder.facts = self.about.facts
        self.is_told_anew = True

    def _rows(self, entry: Entry) -> Entry:
        batch = open_batch(self.recording, entry.data)
        first, last = int(batch.ticks[0]), int(batch.ticks[-1])
        if first <= self.last_tick:
            raise BadEntry(f"ticks from {first}, after tick {self.last_tick}")
        self.last_tick = last
        for name in implausible(batch):
            self.counts["odd"] += 1
            if name in self.odd or len(self.odd) < _SEEN_MAX:
                self.odd[name] += 1
        self.counts["batches"] += 1
        self.counts["rows"] += len(batch.ticks)
        self.counts["changed"] += batch.changed
        self.counts["constant"] += batch.constant
        self._feed(batch, entry.number)
        return evolve(entry, first_tick=first, last_tick=last)

    def _feed(self, batch: Batch, number: int) -> None:
        """Put the batch to those that the finder is to have; it has them once there is a second of them."""
        found = columns_of(batch, CHANNELS)
        if self._unfed and self._unfed[-1][2].keys() != found.keys():
            self._find()
        self._unfed.append((number, batch.ticks, found))
        if self.session_num is None:
            num = columns_of(batch, ("SessionNum",)).get("SessionNum")
            if num is not None and 0 <= num[0] < _SESSIONS_MAX:
                self.session_num = int(num[0])
                self.is_told_anew = True
        if batch.ticks[-1] - self._unfed[0][1][0] + 1 >= self.recording.layout.tick_rate:
            self._find()

    def _find(self) -> None:
        if not self._unfed:
            return
        number, ticks, columns = self._unfed[-1]
        if len(self._unfed) > 1:
            ticks = np.concatenate([part for _, part, _ in self._unfed])
            columns = {name: np.concatenate([part[name] for _, _, part in self._unfed]) for name in columns}
        self._unfed.clear()
        try:
            self.found += self.finder.feed(ticks, columns)
        except Exception:  # a mistake of ours about laps must not keep anybody's ticks from the disk
            _log.exception("reading.finder_failed", recording=self.recording.id.hex(), tick=int(ticks[0]))
            self.finder = self.finder.anew()
        self.fed = number

    def _finish(self) -> None:
        self._find()
        self.found += self.finder.finish()


def _again(entry: Entry, recording: Recording) -> Entry:
    if entry.kind is not EntryKind.ROWS:
        return entry
    ticks = open_batch(recording, entry.data).ticks
    return evolve(entry, first_tick=int(ticks[0]), last_tick=int(ticks[-1]))
