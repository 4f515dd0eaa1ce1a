"""Messages of a connection: one flag byte, then frames, as they are or as a segment of one zstd stream.

The stream lasts as long as the connection and is flushed at the end of each message, so that what repeats
between messages costs next to nothing (level 1, window 2^17: 2.6 µs for a message of 300 B, 105 to 240 KB a
connection and direction). A segment that was compressed and not sent leaves the peer's window behind ours:
the connection is over.
"""

from collections.abc import Mapping

from protocol.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from protocol.frames import MESSAGE_BYTES_MAX
from protocol.zstd import (
    CompressionParameter,
    DecompressionParameter,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdError,
)

__all__ = ["COMPRESSED", "COUNTED", "Compressor", "Decompressor"]

COMPRESSED = 1
"""Flag bit: a segment of the connection's zstd stream follows, not plain frames."""

COUNTED = 2
"""Flag bit: the message holds a frame of lanes 2 to 5, so its bytes count towards `received`."""

LEVEL = 1
WINDOW_LOG = 17
"""The window is 128 KiB. The decoder refuses a larger one: it is what a stranger can make it allocate."""

_STREAM: Mapping[int, int] = {
    CompressionParameter.compression_level: LEVEL,
    CompressionParameter.window_log: WINDOW_LOG,
}
_TOO_LARGE = f"a message of more than {MESSAGE_BYTES_MAX} bytes"


class Compressor:
    """The sending half of a connection. Not to be used again after it has raised."""

    def __init__(self) -> None:
        self._stream: ZstdCompressor | None = None  # 100 KB, only made when something is compressed
        self._is_broken = False

    def wrap(self, frames: bytes, *, counted: bool, compress: bool = True) -> bytes:
        """Return the message that carries `frames` (a CBOR sequence). What comes back must be sent, or
        nothing ever.

        `compress=False` leaves the stream untouched: for the opening, and for what is compressed already.
        Raises LocalProtocolError when `frames` is longer than MESSAGE_BYTES_MAX, or after an earlier failure.
        """
        if self._is_broken:
            raise LocalProtocolError("the stream is broken by an earlier failure")
        if len(frames) > MESSAGE_BYTES_MAX:
            raise LocalProtocolError(f"a message of {len(frames)} bytes, at most {MESSAGE_BYTES_MAX}")
        flags = COUNTED if counted else 0
        if not compress:
            return bytes((flags,)) + frames
        if self._stream is None:
            self._stream = ZstdCompressor(options=_STREAM)
        self._is_broken = True
        segment = self._stream.compress(frames, ZstdCompressor.FLUSH_BLOCK)
        self._is_broken = False
        return bytes((flags | COMPRESSED,)) + segment


class Decompressor:
    """The receiving half of a connection. Takes messages in the order they came; over after it has raised."""

    def __init__(self) -> None:
        self._stream: ZstdDecompressor | None = None
        self._is_broken = False

    def unwrap(self, message: bytes) -> tuple[bytes, bool]:
        """Return the frames of a message and whether it is counted.

        Raises RemoteProtocolError, with TOO_LARGE when there would be more than MESSAGE_BYTES_MAX. No more
        than that is ever produced, however much the message claims to hold.
        """
        if self._is_broken:
            raise LocalProtocolError("the stream is broken by an earlier failure")
        if not message or message[0] & ~(COMPRESSED | COUNTED):
            raise RemoteProtocolError("a message that does not begin with a known flag byte")
        flags = message[0]
        if flags & COMPRESSED:
            frames = self._inflate(message)
        else:
            frames = message[1:]
            if len(frames) > MESSAGE_BYTES_MAX:
                raise RemoteProtocolError(_TOO_LARGE, CloseCode.TOO_LARGE)
        return frames, bool(flags & COUNTED)

    def _inflate(self, message: bytes) -> bytes:
        if self._stream is None:
            self._stream = ZstdDecompressor(options={DecompressionParameter.window_log_max: WINDOW_LOG})
        stream = self._stream
        self._is_broken = True
        try:
            frames = stream.decompress(memoryview(message)[1:], MESSAGE_BYTES_MAX + 1)
        except ZstdError:
            raise RemoteProtocolError("a segment that is not of this zstd stream") from None
        # What does not ask for input has more to give: only the bound has stopped it.
        if len(frames) > MESSAGE_BYTES_MAX or not (stream.needs_input or stream.eof):
            raise RemoteProtocolError(_TOO_LARGE, CloseCode.TOO_LARGE)
        if stream.eof:
            raise RemoteProtocolError("a zstd stream that ends before its connection")
        self._is_broken = False
        return frames
