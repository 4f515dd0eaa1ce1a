"""A whole table on its way: cut into parts at one end, built aside at the other."""

from itertools import islice

from protocol.frames import SyncPart
from protocol.topicdigest import changed_digest, digest_bytes, row_bytes

__all__ = ["IncomingSync", "OutgoingSync"]


class OutgoingSync:
    """The rows of a table as they were when the sync began. Holds references, not copies."""

    def __init__(self, rows: dict[str, bytes], as_of_us: int) -> None:
        self._rows = list(rows.items())
        self._next_row = 0
        self.next_index = 0
        self.as_of_us = as_of_us

    def take(self, room_bytes: int) -> tuple[dict[str, bytes], bool]:
        """Return the rows of the next part, at least one if there is any, and whether it is the last part."""
        rows: dict[str, bytes] = {}
        for key, row in islice(self._rows, self._next_row, None):
            room_bytes -= row_bytes(key, row)
            if room_bytes < 0 and rows:
                break
            rows[key] = row
        self._next_row += len(rows)
        self.next_index += 1
        return rows, self._next_row == len(self._rows)


class IncomingSync:
    """The table that the parts build, until the last one says whether it is right."""

    def __init__(self, first: SyncPart) -> None:
        self.epoch = first.epoch
        self.seq = first.seq
        self.rows: dict[str, bytes] = {}
        self.size_bytes = 0
        self.digest = 0
        self._next_index = 0

    def is_next(self, part: SyncPart) -> bool:
        """Tell whether this part follows the last one."""
        return (part.epoch, part.seq, part.index) == (self.epoch, self.seq, self._next_index)

    def add(self, part: SyncPart) -> bool:
        """Add the next part; return whether the digest fits so far: only the last part carries one."""
        before = {key: self.rows.get(key) for key in part.rows}
        self.digest = changed_digest(self.digest, before, part.rows)
        self.size_bytes += sum(row_bytes(key, row) for key, row in part.rows.items())
        self.size_bytes -= sum(row_bytes(key, row) for key, row in before.items() if row is not None)
        self.rows.update(part.rows)
        self._next_index += 1
        return not part.last or digest_bytes(self.digest) == part.digest
