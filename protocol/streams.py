"""Streams: numbered entries of bytes that flow one way, live or as an archive.

A **live** stream is for now: its queue is short, what does not go in time is dropped and counted, nothing is sent
twice, and the receiver knows a loss by the numbers left out. An **archive** is for good: it is offered, the receiver
says from which number on it wants it, entries flow in order against a bound on what is not durable there yet, and a new
connection goes on where the receiver stands.

An entry longer than a frame travels in pieces, each at the offset where the last one ended.
"""

from typing import Final

from attrs import frozen

from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import FRAME_BYTES_MAX, Batch, Fill

__all__ = ["ENTRY_BYTES_MAX", "FEATURE", "WEIGHT_BYTES", "Entry", "Pieces", "room_for_data"]

FEATURE: Final = "streams"
"""In a hello's features: the frames of streams may be sent to it."""

ENTRY_BYTES_MAX: Final = 1024 * 1024

WEIGHT_BYTES: Final = 64
"""What an entry counts in a window beside its data: so empty ones are bounded too."""

_HEAD_BYTES = 112
"""More than a piece's frame takes beside its data."""


@frozen
class Entry:
    """One entry of a stream. What `kind` and `data` mean is the wing's affair.

    `as_of_us`: the sender's UTC (µs) of what is newest in it; 0: unknown.
    """

    number: int
    kind: int
    data: bytes
    as_of_us: int = 0

    @property
    def weight(self) -> int:
        """What it counts in a window of bytes under way."""
        return len(self.data) + WEIGHT_BYTES

    def pieced(self, offset: int, n_bytes: int) -> tuple[int, int, int, int, int, bytes]:
        """Return what a frame says of the piece of at most `n_bytes` at `offset`: its fields from `number` on."""
        data = self.data[offset : offset + n_bytes]
        return self.number, self.kind, self.as_of_us, offset, len(self.data), data


def room_for_data(max_bytes: int) -> int:
    """Return how many bytes of an entry fit into a frame of at most `max_bytes`; at least one does."""
    return max(1, min(max_bytes, FRAME_BYTES_MAX) - _HEAD_BYTES)


class Pieces:
    """Puts the pieces of one entry after the other together."""

    __slots__ = ("_entry", "_number", "_parts", "_size", "_total")

    def __init__(self) -> None:
        self.clear()

    @property
    def bytes(self) -> int:
        """What is held of an entry that is not whole."""
        return self._size

    @property
    def number(self) -> int | None:
        """Of the entry that is not whole; None: there is none."""
        return self._number

    def clear(self) -> None:
        """Forget what is not whole."""
        self._number: int | None = None
        self._entry = self._size = self._total = 0
        self._parts: list[bytes] = []

    def take(self, frame: Batch | Fill) -> Entry | None:
        """Take a piece; return the entry that it makes whole, or None. Raises RemoteProtocolError for one that does not
        follow: the caller sees to it that one with offset 0 begins a new entry."""
        if frame.total > ENTRY_BYTES_MAX:
            raise RemoteProtocolError(f"an entry of {frame.total} B", CloseCode.TOO_LARGE)
        if frame.offset == 0:
            self.clear()
            self._number, self._entry, self._total = frame.number, frame.entry, frame.total
        elif (frame.number, frame.entry, frame.total) != (self._number, self._entry, self._total):
            raise RemoteProtocolError("a piece of another entry than the one that was begun")
        if frame.offset != self._size or self._size + len(frame.data) > self._total:
            raise RemoteProtocolError("a piece of an entry leaves a hole, overlaps or is too long")
        if not frame.data and self._total:
            raise RemoteProtocolError("an empty piece of an entry")
        self._parts.append(frame.data)
        self._size += len(frame.data)
        if self._size < self._total:
            return None
        entry = Entry(frame.number, frame.entry, b"".join(self._parts), frame.as_of_us)
        self.clear()
        return entry
