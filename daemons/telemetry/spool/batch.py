"""Rows on their way to the disk: gathered tick by tick, then encoded in a worker thread."""

from collections.abc import Sequence

import numpy as np
from attrs import define, field

from daemons.telemetry.entries import EntryKind
from daemons.telemetry.spool.tail import Tail
from protocol.columns import Group, encode
from protocol.irsdk import Layout
from protocol.streams import ENTRY_BYTES_MAX, Entry

__all__ = ["Batch", "rows_entries"]


@define(eq=False)
class Batch:
    """Rows of one layout, at most `room` of them. `as_of_us`: UTC of the newest."""

    layout: Layout
    room: int
    tail: Tail | None = None
    count: int = field(default=0, init=False)
    as_of_us: int = field(default=0, init=False)
    _ticks: np.ndarray = field(init=False)
    _rows: np.ndarray = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._ticks = np.empty(self.room, np.int64)
        self._rows = np.empty((self.room, self.layout.row_bytes), np.uint8)

    def put(self, tick: int, row: bytes, as_of_us: int) -> bool:
        """Add a row; return whether it is full now."""
        at = self.count
        self._ticks[at] = tick
        self._rows[at] = np.frombuffer(row, np.uint8)
        self.as_of_us = as_of_us
        self.count = at + 1
        return self.count == self.room

    def entries(self, number: int) -> list[Entry]:
        """Return it as ROWS from `number` on: one, or more when one would be too large. For a worker thread."""
        count = self.count
        return rows_entries(self.layout, self._rows[:count], self._ticks[:count], number, self.as_of_us)


def rows_entries(
    layout: Layout, rows: np.ndarray, ticks: np.ndarray, number: int, as_of_us: int
) -> list[Entry]:
    """Return lossless ROWS of everything, numbered from `number` on."""
    data = encode(layout, rows, ticks, _EVERYTHING)
    if len(data) <= ENTRY_BYTES_MAX or len(rows) == 1:
        return [Entry(number, EntryKind.ROWS, data, as_of_us)]
    half = len(rows) // 2
    first = rows_entries(layout, rows[:half], ticks[:half], number, as_of_us)
    return [*first, *rows_entries(layout, rows[half:], ticks[half:], number + len(first), as_of_us)]


_EVERYTHING: Sequence[Group] = (Group(),)
