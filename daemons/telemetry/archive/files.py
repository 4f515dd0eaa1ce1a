"""Keeps recordings in segment files, with a catalogue in the daemon's database.

A commit of the store takes the entries of all drivers that wait: their frames are written and synced once, and then the
catalogue commits. So what the catalogue says is on the disk, whenever the power goes; frames that it does not know are cut
at the next start.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import apsw
import structlog
from attrs import frozen

from daemons.store import Store, fetch
from daemons.store.errors import storage_error
from daemons.telemetry.archive.disk import Disk
from daemons.telemetry.archive.port import BYTES_MAX, Kept, LogFigures, Missing
from daemons.telemetry.archive.segments import (
    HEAD_BYTES,
    SEGMENT_BYTES,
    BadFrame,
    SegmentWriter,
    pack_frame,
    segment_name,
    unpack_frame,
)  # fmt: skip
from daemons.telemetry.entries import Entry, EntryKind

__all__ = ["FileLog", "open_file_log"]

_log = structlog.get_logger()

_KNOWN = "SELECT rec, next, rows_bytes, first_tick, last_tick, ended FROM tele_recording WHERE id = ?"
_KEPT = "SELECT id, driver, next, rows_bytes, first_tick, last_tick, ended FROM tele_recording"
_HAS = """SELECT number FROM tele_rows WHERE rec = ?1 AND number BETWEEN ?2 AND ?3
    UNION ALL SELECT number FROM tele_text WHERE rec = ?1 AND number BETWEEN ?2 AND ?3"""
_ENTRIES = """SELECT number, 2, NULL, segment, at, bytes, first_tick, last_tick FROM tele_rows
    WHERE rec = ?1 AND number BETWEEN ?2 AND ?3
    UNION ALL SELECT number, kind, data, 0, 0, length(data), -1, -1 FROM tele_text WHERE rec = ?1 AND number BETWEEN ?2 AND ?3
    ORDER BY number LIMIT 10000"""
_HOLES = """SELECT before + 1, number - 1 FROM (
    SELECT number, lag(number, 1, -1) OVER (ORDER BY number) AS before FROM (
        SELECT number FROM tele_rows WHERE rec = ?1 UNION ALL SELECT number FROM tele_text WHERE rec = ?1
        UNION ALL SELECT next FROM tele_recording WHERE rec = ?1
    )) WHERE number > before + 1 ORDER BY number"""


@frozen
class _Work:
    driver: str
    recording: bytes
    entries: tuple[Entry, ...]


class FileLog:
    """A TelemetryLog. Made by `open_file_log`."""

    def __init__(self, store: Store, disk: Disk, writer: SegmentWriter, kept_bytes: int) -> None:
        self._store = store
        self._disk = disk
        self._writer = writer
        self._counts: Counter[str] = Counter(bytes=kept_bytes)

    async def append(self, driver: str, recording: bytes, entries: Sequence[Entry]) -> int:
        """As the port says."""
        return await self._store.transact_batched(self._keep, _Work(driver, recording, tuple(entries)))

    async def read(
        self, recording: bytes, first: int, last: int, *, bytes_max: int = BYTES_MAX
    ) -> Sequence[Entry]:
        """As the port says. A frame that the disk has spoilt is left out, and told to the log of the daemon."""
        return await self._store.read(lambda conn: self._read(conn, recording, first, last, bytes_max))

    async def numbers_at(self, recording: bytes, first_tick: int, last_tick: int) -> tuple[int, int] | None:
        """As the port says."""

        def work(conn: apsw.Connection) -> tuple[int, int] | None:
            rec = _rec(conn, recording)
            rows = "SELECT number, last_tick FROM tele_rows WHERE rec = ? AND first_tick"
            greatest = fetch(conn, f"{rows} <= ? ORDER BY first_tick DESC LIMIT 1", (rec, last_tick))
            before = fetch(conn, f"{rows} <= ? ORDER BY first_tick DESC LIMIT 1", (rec, first_tick))
            if not before or before[0][1] < first_tick:
                before = fetch(conn, f"{rows} > ? ORDER BY first_tick LIMIT 1", (rec, first_tick))
            if not greatest or not before or before[0][0] > greatest[0][0]:
                return None
            return before[0][0], greatest[0][0]

        return await self._store.read(work)

    async def missing(self, recording: bytes) -> Sequence[Missing]:
        """As the port says."""

        def work(conn: apsw.Connection) -> list[Missing]:
            rec = _rec(conn, recording)
            trimmed = fetch(conn, "SELECT trimmed FROM tele_recording WHERE rec = ?", (rec,))
            found = []
            for first, last in fetch(conn, _HOLES, (rec,)):
                middle = min(max(trimmed[0][0], first - 1), last)
                if first <= middle:
                    found.append(Missing(first, middle, True))
                if middle < last:
                    found.append(Missing(middle + 1, last, False))
            return found

        return await self._store.read(work)

    async def recordings(self, driver: str | None = None) -> Sequence[Kept]:
        """As the port says."""
        where, bindings = ("", ()) if driver is None else (" WHERE driver = ?", (driver,))
        rows = await self._store.read(lambda conn: fetch(conn, f"{_KEPT}{where} ORDER BY rec", bindings))
        return [_kept(row) for row in rows]

    async def recording(self, recording: bytes) -> Kept | None:
        """As the port says."""
        rows = await self._store.read(lambda conn: fetch(conn, f"{_KEPT} WHERE id = ?", (recording,)))
        return _kept(rows[0]) if rows else None

    async def trim(self, bytes_max: int) -> int:
        """As the port says. The newest segment, which is being written, stays in any case."""
        given_up = 0
        while True:
            gone = await self._store.transact(lambda conn: self._give_up_oldest(conn, bytes_max))
            if gone is None:
                break
            segment, size = gone
            self._disk.remove(segment_name(segment))
            given_up += size
        self._counts["trimmed_bytes"] += given_up
        return given_up

    def statistics(self) -> LogFigures:
        """As the port says."""
        counts = self._counts
        return LogFigures(
            bytes=counts["bytes"] - counts["trimmed_bytes"], entries=counts["entries"], doubles=counts["doubles"],
            syncs=self._writer.syncs, trimmed_bytes=counts["trimmed_bytes"],
        )  # fmt: skip

    def close(self) -> None:
        """Close the segment; call it after the last `append`."""
        self._writer.close()

    # --- in the store's threads ------------------------------------------------------------------------------------

    def _keep(self, conn: apsw.Connection, works: Sequence[_Work]) -> list[int]:
        begun = self._writer.segment, self._writer.end
        counts: Counter[str] = Counter()
        try:
            found = [self._keep_one(conn, work, counts) for work in works]
            if (self._writer.segment, self._writer.end) != begun:
                self._writer.sync()
                conn.execute(
                    "INSERT INTO tele_segment VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = ?2",
                    (self._writer.segment, self._writer.end),
                )
        except OSError as error:
            raise storage_error(error, self._store.path) from error
        self._store.after_commit(lambda: self._counts.update(counts))
        return found

    def _keep_one(self, conn: apsw.Connection, work: _Work, counts: Counter[str]) -> int:
        known = fetch(conn, _KNOWN, (work.recording,))
        if known:
            ((rec, next_, rows_bytes, first_tick, last_tick, ended),) = known
        else:
            conn.execute(
                "INSERT INTO tele_recording VALUES (NULL, ?, ?, 0, 0, NULL, NULL, NULL, -1)",
                (work.recording, work.driver),
            )
            rec, next_, rows_bytes, first_tick, last_tick, ended = (
                conn.last_insert_rowid(), 0, 0, None, None, None,
            )  # fmt: skip
        has: set[int] = set()
        if work.entries and work.entries[0].number < next_:
            has = {
                number
                for (number,) in conn.execute(_HAS, (rec, work.entries[0].number, work.entries[-1].number))
            }
        fresh = [entry for entry in work.entries if entry.number not in has]
        counts["doubles"] += len(work.entries) - len(fresh)
        if not fresh:
            return int(next_)
        rows = [entry for entry in fresh if entry.kind is EntryKind.ROWS]
        for entry in fresh:
            if entry.kind is not EntryKind.ROWS:
                conn.execute(
                    "INSERT INTO tele_text VALUES (?, ?, ?, ?)",
                    (rec, entry.number, int(entry.kind), entry.data),
                )
            if entry.kind is EntryKind.END:
                ended = entry.data.decode("utf-8", "replace")
        if rows:
            frames = [pack_frame(work.recording, entry.number, entry.data) for entry in rows]
            segment, at = self._write(conn, b"".join(frames))
            for entry, frame in zip(rows, frames, strict=True):
                conn.execute(
                    "INSERT INTO tele_rows VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (rec, entry.number, segment, at, len(frame), entry.first_tick, entry.last_tick),
                )
                at += len(frame)
            rows_bytes += sum(map(len, frames))
            first_tick = min([tick for tick in (first_tick, rows[0].first_tick) if tick is not None])
            last_tick = max([tick for tick in (last_tick, rows[-1].last_tick) if tick is not None])
        next_ = max(next_, fresh[-1].number + 1)
        conn.execute(
            "UPDATE tele_recording SET next = ?, rows_bytes = ?, first_tick = ?, last_tick = ?, ended = ? WHERE rec = ?",
            (next_, rows_bytes, first_tick, last_tick, ended, rec),
        )
        counts["entries"] += len(fresh)
        counts["bytes"] += sum(len(entry.data) + HEAD_BYTES for entry in rows)
        return int(next_)

    def _write(self, conn: apsw.Connection, frames: bytes) -> tuple[int, int]:
        segment, end = self._writer.segment, self._writer.end
        where = self._writer.write(frames)
        if where[0] != segment and end:  # the one before is full, and its last bytes may not be synced yet
            conn.execute(
                "INSERT INTO tele_segment VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = ?2",
                (segment, end),
            )
        return where

    def _read(
        self, conn: apsw.Connection, recording: bytes, first: int, last: int, bytes_max: int
    ) -> list[Entry]:
        found: list[Entry] = []
        room = bytes_max
        for number, kind, data, segment, at, size, first_tick, last_tick in conn.execute(
            _ENTRIES, (_rec(conn, recording), first, last)
        ):
            if found and size > room:
                break
            if kind == EntryKind.ROWS:
                try:
                    frame = self._disk.read(segment_name(segment), at, size)
                    data = unpack_frame(frame, recording, number)
                except FileNotFoundError:  # trimmed since this read began
                    continue
                except (OSError, BadFrame) as error:
                    _log.warning("archive.spoilt", segment=segment, at=at, number=number, error=str(error))
                    continue
            room -= size
            found.append(Entry(number, EntryKind(kind), data, first_tick, last_tick))
        return found

    def _give_up_oldest(self, conn: apsw.Connection, bytes_max: int) -> tuple[int, int] | None:
        segments = fetch(conn, "SELECT segment, bytes FROM tele_segment ORDER BY segment")
        if sum(size for _, size in segments) <= bytes_max or len(segments) < 2:
            return None
        segment, size = segments[0]
        for rec, number, gone in fetch(
            conn,
            "SELECT rec, max(number), sum(bytes) FROM tele_rows WHERE segment = ? GROUP BY rec",
            (segment,),
        ):
            conn.execute(
                "UPDATE tele_recording SET rows_bytes = rows_bytes - ?, trimmed = max(trimmed, ?) WHERE rec = ?",
                (gone, number, rec),
            )
        conn.execute("DELETE FROM tele_rows WHERE segment = ?", (segment,))
        conn.execute("DELETE FROM tele_segment WHERE segment = ?", (segment,))
        return segment, size


async def open_file_log(store: Store, disk: Disk, *, segment_bytes: int = SEGMENT_BYTES) -> FileLog:
    """Put catalogue and files in order after whatever happened, and return the log; `close` it before the store.

    Frames behind what the catalogue knows are cut, files that it does not know are deleted. Where a file has less than was
    synced, the entries are taken out of the catalogue, so that they show as missing, and an ERROR says so. Raises StorageError.
    """
    return await store.transact(lambda conn: _in_order(conn, store, disk, segment_bytes))


def _in_order(conn: apsw.Connection, store: Store, disk: Disk, segment_bytes: int) -> FileLog:
    try:
        sizes = disk.sizes()
        known = fetch(conn, "SELECT segment, bytes FROM tele_segment ORDER BY segment")
        for segment, size in known:
            there = sizes.pop(segment_name(segment), 0)
            if there > size:
                file = disk.open(segment_name(segment))
                file.cut(size)
                file.close()
            elif there < size:
                _log.error("archive.lost", segment=segment, bytes=size - there)
                conn.execute("DELETE FROM tele_rows WHERE segment = ? AND at + bytes > ?", (segment, there))
                conn.execute("UPDATE tele_segment SET bytes = ? WHERE segment = ?", (there, segment))
        for name in sizes:
            if name.endswith(".seg"):
                disk.remove(name)
    except OSError as error:
        raise storage_error(error, store.path) from error
    segment, end = known[-1] if known else (1, 0)
    if known:
        end = min(end, fetch(conn, "SELECT bytes FROM tele_segment WHERE segment = ?", (segment,))[0][0])
    kept_bytes = sum(size for _, size in known)
    return FileLog(store, disk, SegmentWriter(disk, segment, end, segment_bytes=segment_bytes), kept_bytes)


def _rec(conn: apsw.Connection, recording: bytes) -> int:
    """Return the catalogue's number of a recording; -1: it has none."""
    rows = fetch(conn, "SELECT rec FROM tele_recording WHERE id = ?", (recording,))
    return int(rows[0][0]) if rows else -1


def _kept(row: Sequence[Any]) -> Kept:
    id_, driver, next_number, rows_bytes, first_tick, last_tick, ended = row
    return Kept(
        id=id_, driver=driver, next_number=next_number, rows_bytes=rows_bytes, first_tick=first_tick,
        last_tick=last_tick, ended=ended,
    )  # fmt: skip
