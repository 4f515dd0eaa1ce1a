"""The simulator's shared memory, read while it is written: which rows are new, and were they whole when copied.

The simulator has (mostly) three row buffers that it fills in turn. It says in a buffer's header which tick it holds, but
says so after the row, and it begins to fill the oldest buffer for the coming tick while that still carries its old
number: a row half full of zeros whose numbers look right is in a public recording. So the oldest buffer is never read. A
row counts only if after the copy its buffer still carries the same numbers and has not become the oldest meanwhile.
"""

import mmap
import struct
from typing import Final

from attrs import define, field, frozen

from protocol.irsdk import CONNECTED, VARIABLE_BYTES, BadLayout, Header, Layout, read_variables

__all__ = ["Changed", "Memory", "Row"]

_HEAD = struct.Struct("<10i i B3x 16i")
_STATUS, _UPDATE, _NEWEST_TICK, _NEWEST, _BUFFERS = 1, 3, 10, 11, 12
_PART: Final = 16 * VARIABLE_BYTES
"""Bytes of variables that are compared with each row: all of them in a third of a second."""
_BACK: Final = 2
"""Rows that one look can catch up at most: with three buffers the newest and the one before it."""


class Changed(Exception):
    """The simulator publishes other variables than those the memory was opened with: another car, another build."""


@frozen
class Row:
    """A row that was whole when it was copied. `count`: the simulator's own number of it."""

    count: int
    data: bytes


@define(eq=False)
class Memory:
    """Reads a mapping (`mmap`, or any bytes) of the simulator's memory. Raises BadLayout when made of something else.

    `torn`: copies thrown away; `missed`: rows published and overwritten before they were read."""

    data: "mmap.mmap | bytearray | bytes"
    layout: Layout = field(init=False)
    torn: int = field(default=0, init=False)
    missed: int = field(default=0, init=False)
    _fixed: tuple[int, ...] = field(init=False)
    _variables: bytes = field(init=False, repr=False)
    _variables_at: int = field(init=False)
    _buffers: int = field(init=False)
    _checked: int = field(default=0, init=False)
    _checked_update: int = field(init=False)
    _seen: list[int] | None = field(default=None, init=False)
    _last: int | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        head = bytes(self.data[: _HEAD.size])
        header = Header.read(head)
        self._variables_at = header.variables_at
        self._variables = bytes(
            self.data[header.variables_at : header.variables_at + header.variables * VARIABLE_BYTES]
        )
        if len(self._variables) != header.variables * VARIABLE_BYTES:
            raise BadLayout("the memory ends within its variables")
        if not self._variables:
            raise BadLayout("the memory has no variables yet")
        self.layout = read_variables(self._variables, header.row_bytes, header.tick_rate)
        if len(header.buffers) < 2:
            raise BadLayout("one row buffer: this is a recording that stands still; read it with --from")
        if any(not 0 <= b.offset <= len(self.data) - header.row_bytes for b in header.buffers):
            raise BadLayout("a row buffer lies outside the memory")
        if not 0 <= header.session_info_at <= len(self.data) - header.session_info_bytes:
            raise BadLayout("the session info lies outside the memory")
        self._buffers = len(header.buffers)
        self._fixed = self._head_fixed(_HEAD.unpack(head))
        self._checked_update = header.session_info_update

    @property
    def connected(self) -> bool:
        """Whether the simulator says that it runs. (pyirsdk's `is_connected` says yes for ever about a test file.)"""
        return bool(self._head()[_STATUS] & CONNECTED)

    @property
    def info_update(self) -> int:
        """A number that changes with the session info."""
        return self._head()[_UPDATE]

    def changed(self) -> bool:
        """Return whether the variables are no longer those of `layout`."""
        return self._head_fixed(self._head()) != self._fixed or not self._variables_same(
            0, len(self._variables)
        )

    def new_rows(self) -> list[Row]:
        """Return what was published since the last call and can still be read, oldest first: mostly one row, none when
        nothing is new, two after having come late. The first call returns the newest only. Counts torn and missed ones.
        Raises Changed."""
        for _ in range(self._buffers):
            rows = self._look()
            if rows is not None:
                return rows
        return []  # written each time we looked: the next call tries again

    def skip(self) -> None:
        """Take what stands there now for read. After a change of variables it still is a row of the old ones."""
        self._seen, self._last = self._counts(self._head()), None

    def info(self) -> bytes | None:
        """Return the session info without its trailing zeros, or None when it changed while it was copied."""
        before = self._head()
        at, size = before[5], before[4]
        end = self.data.find(b"\0", at, at + size)
        text = bytes(self.data[at : end if end >= 0 else at + size])
        return text if self._head()[_UPDATE] == before[_UPDATE] else None

    def _head(self) -> tuple[int, ...]:
        return _HEAD.unpack_from(self.data)

    def _head_fixed(self, head: tuple[int, ...]) -> tuple[int, ...]:
        """What makes a layout, of the header: version, rate, the places of info, variables and rows."""
        offsets = head[_BUFFERS + 1 : _BUFFERS + 4 * self._buffers : 4]
        return (head[0], head[2], *head[4:10], *offsets)

    def _is_other_layout(self, head: tuple[int, ...]) -> bool:
        """Whether the variables changed: by the header, which nearly always tells; and by themselves, all of them when the
        session info has changed (a car does not without), else a part each time, for they are more than the row itself."""
        if self._head_fixed(head) != self._fixed:
            return True
        if head[_UPDATE] != self._checked_update:
            first, last = 0, len(self._variables)
            self._checked_update = head[_UPDATE]
        else:
            first = self._checked
            last = min(first + _PART, len(self._variables))
            self._checked = last % len(self._variables)
        return not self._variables_same(first, last)

    def _variables_same(self, first: int, last: int) -> bool:
        at = self._variables_at
        return bytes(self.data[at + first : at + last]) == self._variables[first:last]

    def _look(self) -> list[Row] | None:
        """Return the new rows, or None when the newest was not whole."""
        head = self._head()
        counts = self._counts(head)
        if counts == self._seen:
            return []
        if self._is_other_layout(head):
            raise Changed
        newest = self._newest(head, counts)
        if newest <= 0:  # nothing was written yet
            self._seen, self._last = counts, None
            return []
        rows = []
        for which in self._wanted(counts, newest):
            row = self._copied(head, which, newest - counts[which])
            if row is not None:
                rows.append(row)
                continue
            self.torn += 1
            if counts[which] == newest:
                return None
            # else: the one before the newest was too old already: it is missed, and counted as such below
        if self._last is not None and newest > self._last:
            self.missed += newest - self._last - len(rows)
        self._seen, self._last = counts, newest
        return rows

    def _counts(self, head: tuple[int, ...]) -> list[int]:
        return list(head[_BUFFERS : _BUFFERS + 4 * self._buffers : 4])

    def _newest(self, head: tuple[int, ...], counts: list[int]) -> int:
        """Return the number of the newest row. After a restart within the same memory old, higher numbers may still
        stand in buffers not written since: only what changed counts, and what newer builds say themselves."""
        if head[_NEWEST_TICK] and head[_NEWEST] < self._buffers and self._seen is None:
            return counts[head[_NEWEST]]
        before = self._seen or [-1] * self._buffers
        return max(count for count, old in zip(counts, before, strict=True) if count != old)

    def _wanted(self, counts: list[int], newest: int) -> list[int]:
        """Return the buffers to read, oldest first."""
        if self._last is None or newest <= self._last:
            return [counts.index(newest)]
        first = max(self._last + 1, newest - min(_BACK, self._buffers - 1) + 1)
        return [counts.index(count) for count in range(first, newest + 1) if count in counts]

    def _copied(self, head: tuple[int, ...], which: int, age: int) -> Row | None:
        """Return the row of a buffer, the newest but `age`, or None if it was not whole all the while."""
        at = _BUFFERS + 4 * which
        count, offset, begin = head[at : at + 3]
        if begin not in (0, count):
            return None  # newer builds: being written now
        data = bytes(self.data[offset : offset + self.layout.row_bytes])
        after = self._head()
        if after[at] != count or after[at + 2] != begin or self._head_fixed(after) != self._fixed:
            return None
        published = sum(old != new for old, new in zip(self._counts(head), self._counts(after), strict=True))
        # With all buffers but this one newer it is the oldest, which the simulator fills next.
        return None if age + published >= self._buffers - 1 else Row(count, data)
