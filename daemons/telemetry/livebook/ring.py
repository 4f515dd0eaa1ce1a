"""The newest minutes of a driver, as they came: packed batches, opened when somebody looks at them."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from attrs import define, field

from daemons.telemetry.look import Column
from daemons.telemetry.reading import open_batch
from daemons.telemetry.recording import Recording
from protocol.columns import Batch

__all__ = ["Piece", "Ring"]

_MINUTE_US: Final = 60_000_000

_OPEN_KEPT: Final = 32
"""Of the newest pieces, so many stay open once somebody has looked: everybody else reads the same."""


@define(eq=False)
class Piece:
    """One batch. `index`: counts up by one for each driver. `taken_us`: when its last tick was taken; None: not known.
    `lost`: ticks that are missing between the piece before and this one."""

    index: int
    recording: Recording
    first_tick: int
    last_tick: int
    data: bytes
    taken_us: int | None
    heard_us: int
    lost: int
    _batch: Batch | None = field(default=None, init=False)
    _columns: dict[str, Column] = field(factory=dict, init=False)

    @property
    def ticks(self) -> int:
        """From its first to its last."""
        return self.last_tick - self.first_tick + 1

    def batch(self) -> Batch:
        """Open it, if it is not: half a millisecond."""
        if self._batch is None:
            self._batch = open_batch(self.recording, self.data)
        return self._batch

    def column(self, name: str) -> Column | None:
        """Return one channel; None: it is not in there."""
        batch = self.batch()
        if name not in self._columns:
            if name not in batch.names:
                return None
            self._columns[name] = Column(*batch.column(name))
        return self._columns[name]

    def close(self) -> None:
        """Forget what was opened."""
        self._batch = None
        self._columns.clear()


@define(eq=False)
class Ring:
    """Pieces of the last `back_s` seconds, in `bytes_max` bytes; the oldest go first."""

    back_s: float
    bytes_max: int
    pieces: deque[Piece] = field(factory=deque, init=False)
    bytes: int = field(default=0, init=False)
    next_index: int = field(default=0, init=False)
    _minute: deque[tuple[int, int, int]] = field(factory=deque, init=False)
    _ticks: int = field(default=0, init=False)
    _lost: int = field(default=0, init=False)

    def minute(self) -> tuple[int, int]:
        """Return the ticks that came in the last minute, and those that are known to be missing in it."""
        return self._ticks, self._lost

    def put(self, piece: Piece) -> None:
        """Add the newest."""
        self.pieces.append(piece)
        self.bytes += len(piece.data)
        self.next_index = piece.index + 1
        self._minute.append((piece.heard_us, piece.ticks, piece.lost))
        self._ticks += piece.ticks
        self._lost += piece.lost
        while self._minute[0][0] <= piece.heard_us - _MINUTE_US:
            _, ticks, lost = self._minute.popleft()
            self._ticks -= ticks
            self._lost -= lost
        if len(self.pieces) > _OPEN_KEPT:
            self.pieces[-_OPEN_KEPT - 1].close()
        oldest_us = piece.heard_us - int(self.back_s * 1e6)
        while len(self.pieces) > 1 and (self.bytes > self.bytes_max or self.pieces[0].heard_us < oldest_us):
            self.bytes -= len(self.pieces.popleft().data)

    @property
    def newest(self) -> Piece | None:
        return self.pieces[-1] if self.pieces else None

    def since(self, index: int, count: int) -> Sequence[Piece]:
        """Return up to `count` pieces from number `index` on, of those that are still here."""
        if not self.pieces:
            return ()
        skip = max(0, index - self.pieces[0].index)
        return [self.pieces[at] for at in range(skip, min(skip + count, len(self.pieces)))]

    def index_back(self, back_s: float) -> int:
        """Return the number of the first piece of the last `back_s` seconds."""
        if not self.pieces or back_s <= 0:
            return self.next_index
        newest = self.pieces[-1]
        index = newest.index
        for piece in reversed(self.pieces):
            if piece.heard_us <= newest.heard_us - back_s * 1e6:
                break
            index = piece.index
        return index
