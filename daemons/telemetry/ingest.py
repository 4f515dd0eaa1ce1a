"""Takes what drivers send to be kept: decodes and checks each batch, finds laps in it, and acknowledges when it is on the disk.

One recording is worked on in order, many beside each other: decoding in threads, one sync of the disk for all that waits.
What is bad is put aside, told, and acknowledged: it would be as bad when it came again. Laps and the finder's state are
saved now and then; what a crash took of that is found again in the rows.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Final

import apsw
import structlog
import trio
from attrs import define, field, frozen

from daemons.link.streams import StreamRefused
from daemons.store import Store
from daemons.telemetry.about import INFO_BYTES_MAX
from daemons.telemetry.archive.port import TelemetryLog
from daemons.telemetry.catalogue import rec_of, refuse, refused_upto, save, snapshot, told
from daemons.telemetry.entries import BadEntry, Entry, EntryKind, unpack_head
from daemons.telemetry.finding import Finder, FoundLap
from daemons.telemetry.ingestpool import WorkPool
from daemons.telemetry.quarantine import Quarantine
from daemons.telemetry.reading import Read, Reading
from daemons.telemetry.recording import ID_BYTES
from protocol.tokenbucket import Buckets

__all__ = ["Ingest", "IngestFigures", "Limits"]

_log = structlog.get_logger()

SAVE_EVERY: Final = 20
"""Batches after which the finder's state is saved though nothing was found: so many are read again after a crash."""
ODD_MAX: Final = 256
"""Channels whose implausible values are counted by name: names are a stranger's."""
OPEN_MAX: Final = 1000
"""Recordings that are known in memory at once; the one not used for longest is forgotten, and read again when it comes."""


@frozen
class Limits:
    """Of each driver; a rate of 0 is none. `bytes_s`: that may come to be kept, a back-fill comes as quick as this; `burst`:
    in bytes. `recordings_s`, `recordings_burst`: that may begin."""

    bytes_s: float = 8e6
    burst: float = 32e6
    recordings_s: float = 1 / 30
    recordings_burst: float = 30.0


@frozen(kw_only=True)
class IngestFigures:
    """Since the start. `changed`, `constant`: values of lanes that moved and that stood still. `odd`: implausible channels of
    batches, `odd_by_name`: how often each. `waiting`: batches that wait for a thread."""

    batches: int
    rows: int
    changed: int
    constant: int
    odd: int
    refused: int
    laps: int
    waiting: int
    odd_by_name: Mapping[str, int]


@define(eq=False)
class _Open:
    driver: str
    lock: trio.Lock = field(factory=trio.Lock)
    reading: Reading | None = None
    saved: int = 0


@define(eq=False)
class Ingest:
    """`run` must be running for `take` to return. `now`: seconds, monotonic."""

    store: Store
    log: TelemetryLog
    quarantine: Quarantine
    now: Callable[[], float] = trio.current_time
    limits: Limits = field(factory=Limits)
    pool: WorkPool = field(factory=WorkPool)
    on_laps: Callable[[str, Sequence[FoundLap]], None] = lambda driver, laps: None
    """Called with laps of a driver that are in the catalogue now."""
    _open: dict[bytes, _Open] = field(factory=dict, init=False)
    _counts: Counter[str] = field(factory=Counter, init=False)
    _odd: Counter[str] = field(factory=Counter, init=False)
    _bytes: Buckets = field(factory=Buckets, init=False)
    _begun: Buckets = field(factory=Buckets, init=False)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled."""
        await self.pool.run(task_status=task_status)

    async def position(self, recording: bytes) -> int:
        """Return the number of the entry that is wanted next of a recording."""
        kept = await self.log.recording(recording)
        if kept is None:
            return 0

        def work(conn: apsw.Connection) -> int:
            rec = rec_of(conn, recording)
            return 0 if rec is None else refused_upto(conn, rec)

        return max(kept.next_number, await self.store.read(work))

    async def take(self, driver: str, recording: bytes, entries: Sequence[Entry]) -> int:
        """Take entries of a recording, in order; return the number that is wanted next when these are durable.

        Harmless when cancelled, and when entries come again. Waits when the driver sends more than its share. Raises
        StreamRefused, in words, for what cannot be a recording, and StorageError.
        """
        if len(recording) != ID_BYTES:
            raise StreamRefused("a recording has a name of 16 bytes")
        if any(a.number >= b.number for a, b in pairwise(entries)):
            raise StreamRefused("entries that are not in order")
        wait_s = self._bytes.charge(
            driver,
            self.now(),
            self.limits.bytes_s,
            self.limits.burst,
            float(sum(len(e.data) for e in entries)),
        )
        if wait_s:
            await trio.sleep(wait_s)
        one = self._open_of(driver, recording)
        async with one.lock:
            if one.reading is None:
                one.reading = await self._begin(driver, recording, entries)
                if one.reading is None:
                    return 0
            return await self._take(one, one.reading, entries)

    def statistics(self) -> IngestFigures:
        """Return what was taken so far."""
        counts = self._counts
        return IngestFigures(
            batches=counts["batches"], rows=counts["rows"], changed=counts["changed"], constant=counts["constant"],
            odd=counts["odd"], refused=counts["refused"], laps=counts["laps"], waiting=self.pool.waiting,
            odd_by_name=dict(self._odd),
        )  # fmt: skip

    def driving(self, recording: bytes) -> FoundLap | None:
        """Return the lap of a recording that is being driven; None: nothing comes of it now."""
        one = self._open.get(recording)
        return one.reading.finder.open_lap() if one is not None and one.reading is not None else None

    # --- one recording ---------------------------------------------------------------------------------------------

    def _open_of(self, driver: str, recording: bytes) -> _Open:
        one = self._open.pop(recording, None) or _Open(driver)
        if one.driver != driver:
            self._open[recording] = one
            raise StreamRefused("this recording is of another driver")
        self._open[recording] = one  # as the newest
        for other in list(self._open):
            if len(self._open) <= OPEN_MAX:
                break
            if other != recording and not self._open[other].lock.statistics().owner:
                del self._open[other]
        return one

    async def _begin(self, driver: str, recording: bytes, entries: Sequence[Entry]) -> Reading | None:
        """Return what is known of a recording, from the catalogue or from its HEAD; None: its head is wanted first."""
        kept = await self.log.recording(recording)
        if kept is not None and kept.driver != driver:
            raise StreamRefused("this recording is of another driver")
        stored = await self.log.read(recording, 0, 0)
        head = stored[0] if stored else next((entry for entry in entries if entry.number == 0), None)
        if head is None:
            return None
        limits = self.limits
        if not stored and self._begun.take(driver, self.now(), limits.recordings_s, limits.recordings_burst):
            raise StreamRefused("a new recording again: one in half a minute is enough", 30.0)
        try:
            found = unpack_head(head.data, driver)
        except BadEntry as error:
            raise StreamRefused(str(error)) from None
        if head.kind is not EntryKind.HEAD or found.id != recording:
            raise StreamRefused("a recording whose first entry is not its head")
        if not stored:
            await self.log.append(driver, recording, [head])
        rec = await self.store.read(lambda conn: rec_of(conn, recording))
        assert rec is not None
        known = await self.store.read(lambda conn: told(conn, rec, INFO_BYTES_MAX))
        reading = Reading(rec, found)
        if known.info:
            await self.pool.do(lambda: reading.tell(known.info))
        reading.session_num = known.session_num
        if kept is not None:
            upto = await self.store.read(lambda conn: refused_upto(conn, rec))
            reading.next_number = max(kept.next_number, upto)
            reading.last_tick = -1 if kept.last_tick is None else kept.last_tick
            await self._catch_up(reading, known.fed, known.state, kept.next_number)
        return reading

    async def _catch_up(
        self, reading: Reading, fed: int, state: Mapping[str, object] | None, upto: int
    ) -> None:
        """Have the finder stand behind the last entry that is kept."""
        if state is not None:
            rate = reading.recording.layout.tick_rate
            reading.finder = Finder.resume(reading.about.facts, state, rate)
        reading.fed = fed
        at = fed + 1
        while at < upto:
            entries = await self.log.read(reading.recording.id, at, upto - 1)
            if not entries:
                break
            await self.pool.do(partial(reading.feed_again, entries))
            at = entries[-1].number + 1

    async def _take(self, one: _Open, reading: Reading, entries: Sequence[Entry]) -> int:
        # Looked at and not kept (cancelled, or the disk failed), they come again: the finder leaves out what it has had.
        read: Read = await self.pool.do(lambda: reading.look(entries))
        reading_next = await self.log.append(reading.recording.driver, reading.recording.id, read.good)
        self._counts.update(reading.counts)
        reading.counts.clear()
        for name, count in reading.odd.items():
            if name in self._odd or len(self._odd) < ODD_MAX:
                self._odd[name] += count
        reading.odd.clear()
        if read.refused:
            await self._put_aside(reading, read)
            reading_next = max(reading_next, read.refused[-1][0].number + 1)
        is_over = any(entry.kind is EntryKind.END for entry in read.good)
        if reading.found or reading.is_told_anew or reading.fed - one.saved >= SAVE_EVERY or is_over:
            await self._save(one, reading)
        if is_over:
            one.reading = None  # what comes again is read again; nothing else is to come
        return reading_next

    async def _save(self, one: _Open, reading: Reading) -> None:
        taken = snapshot(reading)
        await self.store.transact_batched(save, taken)
        laps = [found for found in taken.found if isinstance(found, FoundLap)]
        self._counts["laps"] += len(laps)
        del reading.found[: len(taken.found)]
        reading.is_told_anew = False
        one.saved = reading.fed
        if laps:
            self.on_laps(reading.recording.driver, laps)

    async def _put_aside(self, reading: Reading, read: Read) -> None:
        driver, recording = reading.recording.driver, reading.recording.id

        def keep() -> list[tuple[int, str, str]]:
            return [
                (entry.number, words, self.quarantine.keep(driver, recording, entry.number, entry.data))
                for entry, words in read.refused
            ]

        refused = await self.pool.do(keep)
        await self.store.transact(lambda conn: refuse(conn, reading.rec, refused))
        for number, words, file in refused:
            _log.warning(
                "ingest.refused",
                driver=driver,
                recording=recording.hex(),
                number=number,
                words=words,
                file=file,
            )
