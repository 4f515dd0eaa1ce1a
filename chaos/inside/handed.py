"""One direction of a stream under faults: what gets through waits to be taken, and who waits is told."""

import math
from typing import TYPE_CHECKING

import trio

from chaos.faults import Stream
from chaos.model.belt import SLOW_PIECE_BYTES, Belt, Timer
from chaos.model.counts import Counts

if TYPE_CHECKING:
    from chaos.inside.stream import FaultyStream

__all__ = ["PIECE_BYTES", "HandedBelt"]

PIECE_BYTES = 64 * 1024
BUFFER_BYTES = 64 * 1024
"""Handed over and not taken yet, each way: as a kernel's buffers have it."""


class HandedBelt(Belt):
    """One direction. What is handed over waits in `handed` until whoever it is for takes it."""

    def __init__(self, stream: Stream, timer: Timer, counts: Counts, connection: "FaultyStream") -> None:
        super().__init__(stream, timer, counts)
        self.handed = bytearray()
        self.has_ended = False
        self.news = trio.lowlevel.ParkingLot()
        """Unparked when something was handed over, and when more may be laid on."""
        self._connection = connection

    @property
    def is_idle(self) -> bool:
        return self.plan.is_plain and not self._flying and not self.handed and not self.is_forgotten

    @property
    def piece_bytes(self) -> int:
        return SLOW_PIECE_BYTES if self.plan.lines or self.plan.slicer else PIECE_BYTES

    @property
    def is_cut(self) -> bool:
        """Whether nothing gets through, not even the news of an end."""
        return self.is_deaf or self.plan.frozen

    def lay(self, data: bytes) -> None:
        self.active_at = now = trio.current_time()
        self._counts.received[self.stream] += len(data)
        self._take(data, now)

    def lay_end(self) -> None:
        self._take_end(trio.current_time())

    def _may_take_at(self, now: float) -> float:
        return math.inf if self._is_full else super()._may_take_at(now)

    async def admitted(self) -> None:
        """Wait until more may be laid on."""
        while not self._connection.is_over and (at := self._may_take_at(now := trio.current_time())) > now:
            with trio.CancelScope(deadline=at):
                await self.news.park()

    async def heard_out(self) -> None:
        """Wait while the end of the stream, like its bytes, would vanish."""
        while self.is_cut and not self._connection.is_over:
            if self.is_deaf:
                self.has_swallowed = self.has_ended_unheard = True
            await self.news.park()

    def taken(self, count: int) -> bytes:
        """Take what was handed over, so many bytes at most."""
        data = bytes(self.handed[:count])
        del self.handed[:count]
        self._is_full = False
        self._flush(trio.current_time())
        return data

    def _hand(self, data: bytes) -> int:
        part = data[: max(0, BUFFER_BYTES - len(self.handed))]
        self.handed += part
        self.news.unpark_all()
        return len(part)

    def _end(self) -> None:
        self.has_ended = True
        self.news.unpark_all()

    def _limit(self) -> None:
        self._connection.close()

    def _fail(self) -> None:
        self._connection.fail()

    def _admit(self) -> None:
        self.news.unpark_all()
