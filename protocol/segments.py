"""One WebSocket message: a flag byte, then frames, plain or as a segment of the connection's zstd stream (RFC 8878).

The stream lives as long as the connection and is flushed at every message, so that what was said before makes what is
said now small. Level 1 with a window of 128 KiB costs 26 KB of memory a connection; the receiver enforces the window
and bounds what may come out of one message.
"""

import sys

from protocol.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from protocol.frames import MESSAGE_BYTES_MAX

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["COMPRESSED", "COUNTED", "Compressor", "Decompressor"]

COMPRESSED = 1
"""Flag: the rest is a segment of the sender's zstd stream."""

COUNTED = 2
"""Flag: the message holds a frame of lanes 2–5 and counts in `received`."""

_LEVEL = 1
_WINDOW_LOG = 17
_ALL_FLAGS = COMPRESSED | COUNTED


class Compressor:
    """The sending side of one connection. What `wrap` compressed must be sent, or the connection ended."""

    def __init__(self) -> None:
        options = {
            zstd.CompressionParameter.compression_level: _LEVEL,
            zstd.CompressionParameter.window_log: _WINDOW_LOG,
        }
        self._stream: zstd.ZstdCompressor | None = zstd.ZstdCompressor(options=options)

    def wrap(self, frames: bytes, *, counted: bool, compress: bool = True) -> bytes:
        """Return the message that carries `frames`. With compress=False the stream is left as it is.

        Raises LocalProtocolError once the stream has failed: the peer could not follow it any more.
        """
        flags = COUNTED if counted else 0
        if not compress:
            return bytes((flags,)) + frames
        stream = self._stream
        if stream is None:
            raise LocalProtocolError("the compression stream has failed; this connection cannot go on")
        self._stream = None  # poisoned unless it comes back whole
        segment = stream.compress(frames, zstd.ZstdCompressor.FLUSH_BLOCK)
        self._stream = stream
        return bytes((flags | COMPRESSED,)) + segment


class Decompressor:
    """The receiving side of one connection."""

    def __init__(self) -> None:
        options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        self._stream = zstd.ZstdDecompressor(options=options)

    def unwrap(self, message: bytes) -> tuple[bytes, bool]:
        """Return the frames of a message, and whether it counts.

        Raises RemoteProtocolError: empty, unknown flags, no segment of the stream, or more than 64 KiB come out.
        """
        if not message or message[0] & ~_ALL_FLAGS:
            raise RemoteProtocolError("a message without the flags of this protocol")
        flags, payload = message[0], message[1:]
        if flags & COMPRESSED:
            payload = self._inflate(payload)
        if len(payload) > MESSAGE_BYTES_MAX:
            raise RemoteProtocolError(f"a message of more than {MESSAGE_BYTES_MAX} bytes", CloseCode.TOO_LARGE)
        return payload, bool(flags & COUNTED)

    def _inflate(self, segment: bytes) -> bytes:
        if self._stream.eof:
            raise RemoteProtocolError("the compressed stream has ended")
        try:
            data: bytes = self._stream.decompress(segment, MESSAGE_BYTES_MAX + 1)
        except (zstd.ZstdError, EOFError):
            raise RemoteProtocolError("a segment that does not continue the compressed stream") from None
        return data
