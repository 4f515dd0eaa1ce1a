"""Bodies that cross the link as chunks: the sender as a lane's source, the receiver as a bounded assembly.

A body flows against byte credit that the receiver grants from what it has consumed; the shared reader is never paused
for one of them. Small bodies travel inside their Response frame.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from protocol.codec import encode_frame
from protocol.credit import CreditGranter, CreditWindow
from protocol.errors import ErrorCode, RemoteProtocolError, RequestError
from protocol.frames import FRAME_BYTES_MAX, Chunk, Push, Response

INLINE_BYTES_MAX = 4 * 1024
_CHUNK_OVERHEAD_BYTES = 32  # array head, kind, id, offset and byte-string head at their longest
CREDIT_BYTES = 1024 * 1024
"""What of one body may be under way or unconsumed. On a long path it also bounds the rate: 14 Mbit/s at 600 ms."""


@define(eq=False)
class AnswerSource:
    """A Response (or a Push) and the chunks of its body, pulled by the writer at the last moment.

    `body` is the encoded form (what travels). `done` is called once, when the last byte was pulled. `push_method` makes
    it a Push.
    """

    id: int
    result: Mapping[str, Any]
    body: bytes
    credit: CreditWindow
    done: Callable[[], None]
    push_method: str = ""
    _has_begun: bool = field(default=False, init=False)

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        """Return the next frame, or None when all is sent or the credit is spent."""
        if not self._has_begun:
            return self._head()
        offset = self.credit.offset
        room = max(1024, min(max_bytes, FRAME_BYTES_MAX) - _CHUNK_OVERHEAD_BYTES)
        size = min(len(self.body) - offset, self.credit.available_bytes, room)
        if size <= 0:
            return None
        frame = encode_frame(Chunk(self.id, offset, self.body[offset : offset + size]))
        self.credit.spend(size)
        if self.credit.offset == len(self.body):
            self.done()
        return frame

    def _head(self) -> bytes:
        self._has_begun = True
        if len(self.body) <= INLINE_BYTES_MAX:
            self.done()
            return self._encode_head(self.body)
        return self._encode_head(b"")

    def _encode_head(self, inline: bytes) -> bytes:
        if self.push_method:
            return encode_frame(Push(self.id, self.push_method, self.result, len(self.body), inline))
        return encode_frame(Response(self.id, self.result, len(self.body), inline))


@define(eq=False)
class BodyAssembly:
    """Collects the chunks of one body, in order, never more than was announced or granted."""

    size: int
    initial_credit_bytes: int
    received: int = field(default=0, init=False)
    _parts: list[bytes] = field(factory=list, init=False)
    _credit: CreditGranter = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._credit = CreditGranter(self.initial_credit_bytes, CREDIT_BYTES)

    def add(self, chunk: Chunk) -> int | None:
        """Take a chunk. Return the new credit to grant, or None when none is due.

        Raises RemoteProtocolError for a hole, an overlap, or bytes beyond the announced size or the credit.
        """
        if chunk.offset != self.received:
            raise RemoteProtocolError(f"chunk at {chunk.offset}, {self.received} was due")
        size = len(chunk.data)
        self.received += size
        if self.received > self.size:
            raise RemoteProtocolError("chunks beyond the announced size of the body")
        self._parts.append(chunk.data)
        self._credit.arrived(size)
        granted = self._credit.consumed(size)  # a body in memory is consumed as it comes
        return None if self.complete else granted

    @property
    def complete(self) -> bool:
        return self.received == self.size

    def body(self) -> bytes:
        """Return what has arrived so far (all of it when `complete`)."""
        return b"".join(self._parts)


def check_size(size: int, limit: int) -> None:
    """Refuse an announced body over `limit` bytes with TOO_LARGE."""
    if size > limit:
        raise RequestError(ErrorCode.TOO_LARGE, f"the body has {size} bytes, at most {limit} are taken")
