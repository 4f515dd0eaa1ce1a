"""What a relay finds on its disk when it starts: recordings, whole or cut short by a crash, and the ticks of their tails."""

import numpy as np
import structlog

from daemons.telemetry.archive.disk import Disk
from daemons.telemetry.entries import BadEntry, EntryKind, unpack_head
from daemons.telemetry.spool.batch import rows_entries
from daemons.telemetry.spool.shelf import Shelf
from daemons.telemetry.spool.tail import read_tails, tail_names
from protocol.columns import ColumnsError, peek
from protocol.irsdk import Layout
from protocol.streams import Entry

__all__ = ["CUT_SHORT", "recover"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")

CUT_SHORT = "the relay ended without a word: a crash, or the power was cut"
_ROWS_AT_ONCE = 60


def recover(disk: Disk, segment_bytes: int) -> list[Shelf]:
    """Return all recordings, the oldest first, none of them open any more. Raises OSError."""
    sizes = disk.sizes()
    shelves: list[tuple[int, Shelf]] = []
    for id_ in sorted({bytes.fromhex(name[:32]) for name in sizes if _is_ours(name)}):
        shelf = Shelf(disk, id_, segment_bytes)
        shelf.load(sizes)
        found = _head(shelf)
        if found is None:
            _log.warning("spool.unreadable", recording=id_.hex(), words="it has no beginning, and is deleted")
            shelf.remove()
        else:
            started_us, layout = found
            if not shelf.is_ended:
                _finish(disk, sizes, shelf, layout)
            shelves.append((started_us, shelf))
        for name in tail_names(id_):
            if name in sizes:
                disk.remove(name)
    return [shelf for _, shelf in sorted(shelves, key=lambda pair: pair[0])]


def _is_ours(name: str) -> bool:
    front, ending = name[:32], name[32:]
    is_id = len(front) == 32 and all(char in "0123456789abcdef" for char in front)
    return is_id and (ending[:1] == "-" or ending.startswith((".head", ".tail", ".ack")))


def _head(shelf: Shelf) -> tuple[int, Layout] | None:
    """Return when it began, and its layout."""
    entries = shelf.read(0, 1)
    if not entries or entries[0].kind != EntryKind.HEAD:
        return None
    try:
        recording = unpack_head(entries[0].data, "")
    except BadEntry:
        return None
    return recording.started_utc_us, recording.layout


def _finish(disk: Disk, sizes: dict[str, int], shelf: Shelf, layout: Layout) -> None:
    """Add what the tails hold, and an end."""
    last = shelf.last_rows()
    as_of_us = 0 if last is None else last.as_of_us
    ticks = read_tails(disk, sizes, shelf.id, _last_tick(last), layout.row_bytes)
    entries: list[Entry] = []
    for first in range(0, len(ticks), _ROWS_AT_ONCE):
        some = ticks[first : first + _ROWS_AT_ONCE]
        as_of_us = some[-1][1]
        rows = np.frombuffer(b"".join(row for _, _, row in some), np.uint8).reshape(
            len(some), layout.row_bytes
        )
        numbers = np.array([tick for tick, _, _ in some], np.int64)
        entries += rows_entries(layout, rows, numbers, shelf.end + len(entries), as_of_us)
    entries.append(Entry(shelf.end + len(entries), EntryKind.END, CUT_SHORT.encode(), as_of_us))
    shelf.append(entries)
    _log.warning("spool.recovered", recording=shelf.id.hex(), entries=shelf.end, ticks_of_tail=len(ticks))


def _last_tick(last: Entry | None) -> int:
    """Return the tick behind which the tails are of use."""
    if last is None:
        return -1
    try:
        return peek(last.data).last_tick
    except ColumnsError:
        return -1
