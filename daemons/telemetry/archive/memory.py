"""Keeps recordings in memory: for tests and simulations of what stands on the port."""

from collections import Counter
from collections.abc import Sequence

import trio
from attrs import define, field

from daemons.telemetry.archive.port import BYTES_MAX, Kept, LogFigures, Missing
from daemons.telemetry.entries import Entry, EntryKind

__all__ = ["MemoryLog"]


@define
class _Recording:
    driver: str
    entries: dict[int, Entry] = field(factory=dict)
    next_number: int = 0
    trimmed: int = -1
    ticks: tuple[int, int] | None = None

    def rows(self) -> list[Entry]:
        return [self.entries[n] for n in sorted(self.entries) if self.entries[n].kind is EntryKind.ROWS]


class MemoryLog:
    """A TelemetryLog that forgets everything with the process; `trim` gives up entry by entry."""

    def __init__(self) -> None:
        self._recordings: dict[bytes, _Recording] = {}
        self._order: list[tuple[bytes, int]] = []
        self._counts: Counter[str] = Counter()

    async def append(self, driver: str, recording: bytes, entries: Sequence[Entry]) -> int:
        """As the port says."""
        await trio.lowlevel.checkpoint()
        known = self._recordings.setdefault(recording, _Recording(driver))
        for entry in entries:
            if entry.number in known.entries:
                self._counts["doubles"] += 1
                continue
            known.entries[entry.number] = entry
            known.next_number = max(known.next_number, entry.number + 1)
            self._counts["entries"] += 1
            if entry.kind is EntryKind.ROWS:
                self._order.append((recording, entry.number))
                self._counts["bytes"] += len(entry.data)
                first, last = known.ticks or (entry.first_tick, entry.last_tick)
                known.ticks = min(first, entry.first_tick), max(last, entry.last_tick)
        self._counts["syncs"] += 1
        return known.next_number

    async def read(
        self, recording: bytes, first: int, last: int, *, bytes_max: int = BYTES_MAX
    ) -> Sequence[Entry]:
        """As the port says."""
        await trio.lowlevel.checkpoint()
        known = self._recordings.get(recording)
        found: list[Entry] = []
        room = bytes_max
        for number in sorted(known.entries) if known else ():
            if first <= number <= last:
                entry = known.entries[number] if known else None
                assert entry is not None
                if found and len(entry.data) > room:
                    break
                room -= len(entry.data)
                found.append(entry)
        return found

    async def numbers_at(self, recording: bytes, first_tick: int, last_tick: int) -> tuple[int, int] | None:
        """As the port says."""
        await trio.lowlevel.checkpoint()
        known = self._recordings.get(recording)
        found = [
            entry.number
            for entry in (known.rows() if known else ())
            if entry.first_tick <= last_tick and entry.last_tick >= first_tick
        ]
        return (found[0], found[-1]) if found else None

    async def missing(self, recording: bytes) -> Sequence[Missing]:
        """As the port says."""
        await trio.lowlevel.checkpoint()
        known = self._recordings.get(recording)
        found: list[Missing] = []
        for number in range(known.next_number) if known else ():
            assert known is not None
            if number in known.entries:
                continue
            is_trimmed = number <= known.trimmed
            if found and found[-1].last == number - 1 and found[-1].is_trimmed == is_trimmed:
                found[-1] = Missing(found[-1].first, number, is_trimmed)
            else:
                found.append(Missing(number, number, is_trimmed))
        return found

    async def recordings(self, driver: str | None = None) -> Sequence[Kept]:
        """As the port says."""
        await trio.lowlevel.checkpoint()
        return [
            _kept(id_, known) for id_, known in self._recordings.items() if driver in (None, known.driver)
        ]

    async def recording(self, recording: bytes) -> Kept | None:
        """As the port says."""
        await trio.lowlevel.checkpoint()
        known = self._recordings.get(recording)
        return None if known is None else _kept(recording, known)

    async def trim(self, bytes_max: int) -> int:
        """As the port says."""
        await trio.lowlevel.checkpoint()
        given_up = 0
        while self._order and self._counts["bytes"] - self._counts["trimmed_bytes"] > bytes_max:
            recording, number = self._order.pop(0)
            known = self._recordings[recording]
            size = len(known.entries.pop(number).data)
            known.trimmed = max(known.trimmed, number)
            self._counts["trimmed_bytes"] += size
            given_up += size
        return given_up

    def statistics(self) -> LogFigures:
        """As the port says."""
        counts = self._counts
        return LogFigures(
            bytes=counts["bytes"] - counts["trimmed_bytes"], entries=counts["entries"], doubles=counts["doubles"],
            syncs=counts["syncs"], trimmed_bytes=counts["trimmed_bytes"],
        )  # fmt: skip


def _kept(id_: bytes, known: _Recording) -> Kept:
    first_tick, last_tick = known.ticks or (None, None)
    ends = [entry for entry in known.entries.values() if entry.kind is EntryKind.END]
    return Kept(
        id=id_, driver=known.driver, next_number=known.next_number,
        rows_bytes=sum(len(entry.data) for entry in known.rows()), first_tick=first_tick, last_tick=last_tick,
        ended=ends[-1].data.decode("utf-8", "replace") if ends else None,
    )  # fmt: skip
