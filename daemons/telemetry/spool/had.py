"""How far a recording is on the disk already: for a source that can begin again where it was cut short."""

from collections.abc import Mapping
from functools import partial
from itertools import count

from daemons.telemetry.capture.resuming import ALL
from daemons.telemetry.spool.shelf import Shelf
from daemons.telemetry.spool.spool import Spool, renamed
from protocol.columns import ColumnsError, peek

__all__ = ["last_tick"]


async def last_tick(spool: Spool, id_: bytes) -> int | None:
    """Return the last tick that is there of a recording, under its name or where it was gone on with; None: nothing is.
    ALL for one that is being written, or whose rows have made room already. Raises OSError."""
    found: int | None = await spool.in_thread(partial(_last_tick, dict(spool.shelves), id_))
    return found


def _last_tick(shelves: Mapping[bytes, Shelf], id_: bytes) -> int | None:
    last: int | None = None
    for number in count():
        shelf = shelves.get(renamed(id_, number))
        if shelf is None:
            return last
        rows = shelf.last_rows() if shelf.is_ended else None
        if rows is None:
            return ALL
        try:
            last = max(-1 if last is None else last, peek(rows.data).last_tick)
        except ColumnsError:
            return ALL
    return last
