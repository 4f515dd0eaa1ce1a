"""The spool: every tick of every recording to the driver's disk, and back by number, for as long as there is room.

```
tick ─→ batch (memory, and a tail file the kernel keeps) ─→ worker thread: encode, append, sync ─→ durable, may be sent
```

One task writes. A disk that fails or is full is told in words and tried again; what cannot be held in memory meanwhile is
dropped, the oldest first, and counted. Nothing here ends the relay, and what is sent live does not pass through here.
"""

import errno
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

import structlog
import trio
from attrs import define, evolve, field, frozen

from daemons.link.signal import Signal
from daemons.telemetry.archive.disk import Disk
from daemons.telemetry.entries import EntryKind, pack_head
from daemons.telemetry.recording import Recording
from daemons.telemetry.spool.batch import Batch
from daemons.telemetry.spool.recovery import recover
from daemons.telemetry.spool.room import make_room
from daemons.telemetry.spool.shelf import SEGMENT_BYTES, Shelf
from daemons.telemetry.spool.tail import Tail, tail_names
from protocol.columns import ColumnsError, encode_info
from protocol.streams import Entry

__all__ = ["Spool", "SpoolFigures", "open_spool", "renamed"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")
_T = TypeVar("_T")

PENDING_MAX: Final = 8
"""Batches that may wait for the disk: half a megabyte a second of all channels."""
AT_ONCE_MAX: Final = 4
RETRY_S: Final = 2.0
LAST_S: Final = 1.0
"""What is left gets so long at the end: Ctrl-C ends everything within 2 s, on a disk that hangs, too. Ticks of the last batches
are in their tail files, and are found there at the next start."""


@frozen(kw_only=True)
class SpoolFigures:
    """What a spool did since it began, and holds. `lost_ticks`: dropped because the disk did not take them in time;
    `dropped_entries`: that made room before the peer had them."""

    bytes: int
    quota_bytes: int
    recordings: int
    unacknowledged_entries: int
    waiting_batches: int
    ticks: int
    lost_ticks: int
    dropped_entries: int
    broken_entries: int
    failures: int
    words: str


@frozen
class _Opened:
    recording: Recording
    tails: tuple[Tail, ...]


@frozen
class _Info:
    text: bytes


@frozen
class _Closed:
    words: str


_Item = _Opened | _Info | _Closed | Batch


@define(eq=False)
class _Writing:
    """The recording that is written, as the worker thread sees it."""

    shelf: Shelf
    info: bytes | None = None
    as_of_us: int = 0


InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


async def _to_thread(work: Callable[[], _T]) -> _T:
    """A disk that hangs keeps its thread, and nobody who waits for it."""
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


@define(eq=False)
class Spool:
    """A Sink (see `capture.port`). Made by `open_spool`; all is called in Trio's thread.

    `on_grew(shelf)`: there is more of a recording that may be sent; `on_words(words)`: what is wrong with the disk now, ""
    when nothing is.
    """

    disk: Disk
    quota_bytes: int
    batch_s: float
    segment_bytes: int = SEGMENT_BYTES
    in_thread: InThread = _to_thread
    on_grew: Callable[[Shelf], None] = lambda shelf: None
    on_words: Callable[[str], None] = lambda words: None
    shelves: dict[bytes, Shelf] = field(factory=dict, init=False)  # the oldest first
    words: str = field(default="", init=False)
    _work: deque[_Item] = field(factory=deque, init=False)
    _recording: Recording | None = field(default=None, init=False)
    _batch: Batch | None = field(default=None, init=False)
    _tails: list[Tail] = field(factory=list, init=False)  # free ones
    _first_at_us: int | None = field(default=None, init=False)
    _writing: _Writing | None = field(default=None, init=False)
    _signal: Signal = field(factory=Signal, init=False)
    _room: trio.Event = field(factory=trio.Event, init=False)
    _is_stopping: bool = field(default=False, init=False)
    _unnoted: set[bytes] = field(factory=set, init=False)
    _tail_words: str = field(default="", init=False)
    _ticks: int = field(default=0, init=False)
    _lost_ticks: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)

    # --- the sink ------------------------------------------------------------------------------------------------

    def opened(self, recording: Recording) -> None:
        """See Sink. A recording that is here already is kept once more, under another name."""
        if recording.id in self.shelves or any(
            isinstance(item, _Opened) and item.recording.id == recording.id for item in self._work
        ):
            recording = evolve(recording, id=_another(recording.id, set(self.shelves)))
        self._recording, self._first_at_us = recording, None
        self._give_back(self._tails)
        self._tails = [Tail(self.disk, name, recording.id) for name in tail_names(recording.id)]
        self._put(_Opened(recording, tuple(self._tails)))

    def tick(self, tick: int, row: bytes, at_us: int) -> None:
        """See Sink."""
        recording = self._recording
        if recording is None:
            return
        if self._first_at_us is None:
            self._first_at_us = at_us
        as_of_us = recording.started_utc_us + at_us - self._first_at_us
        batch = self._batch
        if batch is None:
            batch = self._batch = self._begin_batch(recording)
        self._ticks += 1
        is_full = batch.put(tick, row, as_of_us)
        if batch.tail is not None:
            self._write_tail(batch, batch.tail, tick, as_of_us, row)
        if is_full:
            self._end_batch()

    def info(self, text: bytes) -> None:
        """See Sink."""
        self._end_batch()
        if self._work and isinstance(self._work[-1], _Info):
            self._work.pop()  # the disk is behind: only the newest counts
        self._put(_Info(text))

    def closed(self, words: str) -> None:
        """See Sink."""
        self._end_batch()
        self._recording = None
        self._give_back(self._tails)
        self._tails = []
        self._put(_Closed(words))

    async def room(self) -> None:
        """Wait until there is room for more: for a source that reads faster than the disk writes."""
        while self._waiting > PENDING_MAX // 2 and not self._is_stopping:
            await self._room.wait()
        await trio.lowlevel.checkpoint()

    # --- reading and the peer ------------------------------------------------------------------------------------

    async def read(self, shelf: Shelf, number: int, max_bytes: int) -> list[Entry]:
        """Return entries of a recording; none when the disk does not give them now."""
        try:
            entries: list[Entry] = await self.in_thread(partial(shelf.read, number, max_bytes))
        except OSError as exc:
            self._failures += 1
            _log.warning("spool.read_failed", recording=shelf.id.hex(), words=str(exc))
            return []
        return entries

    def acknowledged(self, shelf: Shelf, number: int) -> None:
        """Note that the peer has all of a recording below `number` for good."""
        if number > shelf.acknowledged:
            shelf.acknowledged = number
            self._unnoted.add(shelf.id)
            if shelf.is_done:
                self._signal.set()

    def statistics(self) -> SpoolFigures:
        """Return figures."""
        shelves = self.shelves.values()
        return SpoolFigures(
            bytes=sum(shelf.bytes for shelf in shelves),
            quota_bytes=self.quota_bytes,
            recordings=len(self.shelves),
            unacknowledged_entries=sum(max(0, shelf.end - shelf.acknowledged) for shelf in shelves),
            waiting_batches=self._waiting,
            ticks=self._ticks,
            lost_ticks=self._lost_ticks,
            dropped_entries=sum(shelf.dropped for shelf in shelves),
            broken_entries=sum(shelf.broken for shelf in shelves),
            failures=self._failures,
            words=self.words or self._tail_words,
        )

    # --- batches -------------------------------------------------------------------------------------------------

    @property
    def _waiting(self) -> int:
        return sum(isinstance(item, Batch) for item in self._work)

    def _begin_batch(self, recording: Recording) -> Batch:
        room = max(1, round(self.batch_s * recording.layout.tick_rate))
        tail = self._tails.pop() if self._tails else None
        if tail is not None:
            tail.rewind()
        return Batch(recording.layout, room, tail)

    def _write_tail(self, batch: Batch, tail: Tail, tick: int, as_of_us: int, row: bytes) -> None:
        try:
            tail.write(tick, as_of_us, row)
        except OSError as exc:
            self._failures += 1
            self._tail_words = f"ticks of the last second would be lost in a crash: {exc}"
            batch.tail = None
            self._tails.append(tail)

    def _end_batch(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None:
            self._put(batch)

    def _put(self, item: _Item) -> None:
        if isinstance(item, Batch) and self._waiting >= PENDING_MAX:
            oldest = next(item for item in self._work if isinstance(item, Batch))
            self._work.remove(oldest)
            self._lost_ticks += oldest.count
            self._free(oldest)
        self._work.append(item)
        self._signal.set()

    def _free(self, batch: Batch) -> None:
        tail, batch.tail = batch.tail, None
        if tail is not None:
            if self._recording is not None and tail.recording == self._recording.id:
                self._tails.append(tail)
            else:
                self._give_back([tail])

    def _give_back(self, tails: list[Tail]) -> None:
        for tail in tails:
            tail.remove()

    # --- the writer ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what comes, until `stop` and nothing is left."""
        while not (self._is_stopping and not self._work):
            with trio.move_on_after(2 * self.batch_s) as quiet:
                await self._signal.wait()
            if quiet.cancelled_caught:
                self._end_batch()  # the simulator pauses: what is there is not left lying
            while self._work:
                await self._write_some()
            await self._note()

    def stop(self) -> None:
        """Let `run` end when nothing is left."""
        self._is_stopping = True
        self._end_batch()
        self._signal.set()

    async def _write_some(self) -> None:
        """Write the oldest of what waits, again and again until the disk takes it."""
        items: list[_Item] = []
        while self._work and len(items) < AT_ONCE_MAX and not (items and isinstance(self._work[0], _Opened)):
            items.append(self._work.popleft())
        while True:
            try:
                await self.in_thread(partial(self._write, items))
                break
            except OSError as exc:
                self._failures += 1
                self._say(f"the disk does not take telemetry: {exc}")
                if exc.errno == errno.ENOSPC:
                    await self._make_room(needed_bytes=self.segment_bytes)
                await trio.sleep(RETRY_S)
        self._say("")
        self._tail_words = ""
        self._room.set()
        self._room = trio.Event()
        writing = self._writing
        for item in items:
            if isinstance(item, Batch):
                self._free(item)
        if writing is not None:
            self.shelves.setdefault(writing.shelf.id, writing.shelf)
            self.on_grew(writing.shelf)
            if writing.shelf.is_ended:
                self._writing = None
        await self._make_room()

    def _write(self, items: list[_Item]) -> None:
        """In a worker thread. Does nothing at all when it raises OSError, but for the files it has begun."""
        writing = self._writing
        entries: list[Entry] = []
        if isinstance(items[0], _Opened):
            recording = items[0].recording
            for tail in items[0].tails:
                tail.open()
            writing = _Writing(Shelf(self.disk, recording.id, self.segment_bytes))
            writing.as_of_us = recording.started_utc_us
            entries.append(Entry(0, EntryKind.HEAD, pack_head(recording), recording.started_utc_us))
            items = [_Info(recording.info), *items[1:]] if recording.info else items[1:]
        if writing is None:
            return  # what belonged to a recording that could not be begun
        info, as_of_us = writing.info, writing.as_of_us
        for item in items:
            number = writing.shelf.end + len(entries)
            if isinstance(item, Batch):
                as_of_us = item.as_of_us
                try:
                    entries += item.entries(number)
                except ColumnsError as exc:
                    self._lost_ticks += item.count
                    _log.error("spool.rows_refused", recording=writing.shelf.id.hex(), words=str(exc))
            elif isinstance(item, _Info):
                entries.append(Entry(number, EntryKind.INFO, encode_info(item.text, info), as_of_us))
                info = item.text
            elif isinstance(item, _Closed):
                entries.append(Entry(number, EntryKind.END, item.words.encode(), as_of_us))
        writing.shelf.append(entries)
        writing.info, writing.as_of_us = info, as_of_us
        self._writing = writing

    def _say(self, words: str) -> None:
        if words != self.words:
            self.words = words
            self.on_words(words)

    async def _make_room(self, needed_bytes: int = 0) -> None:
        """Keep to the quota. `needed_bytes`: the disk is full of other things: give so much of what the peer has."""
        shelves = list(self.shelves.values())
        taken = sum(shelf.bytes for shelf in shelves)
        most = taken - needed_bytes if needed_bytes else self.quota_bytes
        if taken <= most:
            return
        try:
            gone = await self.in_thread(partial(make_room, shelves, most, acknowledged_only=needed_bytes > 0))
        except OSError as exc:
            self._failures += 1
            _log.warning("spool.no_room_made", words=str(exc))
            return
        for shelf in gone:
            self.shelves.pop(shelf.id, None)

    async def _note(self) -> None:
        """Write down what the peer has; losing that costs nothing but a question."""
        work = [shelf for id_ in self._unnoted if (shelf := self.shelves.get(id_)) is not None]
        self._unnoted.clear()

        def note() -> None:
            for shelf in work:
                shelf.note(shelf.acknowledged)

        if work:
            try:
                await self.in_thread(note)
            except OSError as exc:
                _log.debug("spool.note_failed", words=str(exc))


def _another(id_: bytes, taken: set[bytes]) -> bytes:
    """Return the name of a recording that comes once more: the same each time, as long as the same are there."""
    number = 0
    while True:
        number += 1
        found = renamed(id_, number)
        if found not in taken:
            return found


def renamed(id_: bytes, number: int) -> bytes:
    """Return the name of a recording that is kept for the `number`th time more; 0: its own."""
    return (int.from_bytes(id_, "big") ^ number << 64).to_bytes(len(id_), "big")


@asynccontextmanager
async def open_spool(
    disk: Disk,
    *,
    quota_bytes: int,
    batch_s: float = 1.0,
    in_thread: InThread = _to_thread,
    on_words: Callable[[str], None] = lambda words: None,
) -> AsyncIterator[Spool]:
    """Open the spool, recover what a crash has left, and write for the body of the block. What waits at its end is written
    in a second or left; sources must have ended by then. Raises OSError when the disk cannot be read.
    """
    segment_bytes = max(64 * 1024, min(SEGMENT_BYTES, quota_bytes // 8))
    spool = Spool(disk, quota_bytes, batch_s, segment_bytes, in_thread, on_words=on_words)
    for shelf in await in_thread(partial(recover, disk, segment_bytes)):
        spool.shelves[shelf.id] = shelf
    async with trio.open_nursery() as nursery:
        # Shielded until the block has ended, and then for a bounded time: the last batch is worth a second.
        scope = trio.CancelScope(shield=True)

        async def write() -> None:
            with scope:
                await spool.run()

        nursery.start_soon(write)
        try:
            yield spool
        finally:
            scope.deadline = trio.current_time() + LAST_S
            spool.stop()
