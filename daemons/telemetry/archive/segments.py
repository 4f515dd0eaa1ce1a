"""Segment files: ROWS of all drivers one after the other, so that one sync serves them all.

A segment is full at SEGMENT_BYTES; then the next begins. What the catalogue says of it counts: bytes behind that are of
work that was undone, or torn by a crash, and are cut. A frame is a head of 40 bytes, little endian, and the data:

    0   4  "PLTR"
    4   4  crc32 of all that follows
    8  16  the recording's id
    24  8  the entry's number
    32  4  bytes of data
    36  4  zero

so that segments can be read without the catalogue too.
"""

import struct
import zlib
from contextlib import suppress
from typing import Final

from daemons.telemetry.archive.disk import Disk, File

__all__ = [
    "HEAD_BYTES",
    "SEGMENT_BYTES",
    "BadFrame",
    "SegmentWriter",
    "pack_frame",
    "segment_name",
    "unpack_frame",
]

SEGMENT_BYTES = 64 * 1024 * 1024
_HEAD = struct.Struct("<16sQI4x")
_FRONT = struct.Struct("<4sI")
_MAGIC: Final = b"PLTR"
HEAD_BYTES: Final = _FRONT.size + _HEAD.size


class BadFrame(ValueError):
    """These bytes are not the frame that was written there."""


def segment_name(segment: int) -> str:
    return f"{segment:08d}.seg"


def pack_frame(recording: bytes, number: int, data: bytes) -> bytes:
    rest = _HEAD.pack(recording, number, len(data)) + data
    return _FRONT.pack(_MAGIC, zlib.crc32(rest)) + rest


def unpack_frame(frame: bytes, recording: bytes, number: int) -> bytes:
    """Return the data of the frame of that entry. Raises BadFrame."""
    if len(frame) < HEAD_BYTES:
        raise BadFrame(f"{len(frame)} bytes, the head alone has {HEAD_BYTES}")
    magic, checksum = _FRONT.unpack_from(frame)
    if magic != _MAGIC or checksum != zlib.crc32(memoryview(frame)[_FRONT.size :]):
        raise BadFrame("its checksum is another")
    whose, which, size = _HEAD.unpack_from(frame, _FRONT.size)
    if (whose, which, size) != (recording, number, len(frame) - HEAD_BYTES):
        raise BadFrame("it is another entry's")
    return frame[HEAD_BYTES:]


class SegmentWriter:
    """Appends to the newest segment. `segment`, `end`: where the next frame goes. Used by one thread at a time.

    After anything failed the segment is left alone: what a file holds after a failed sync nobody knows, so the next frame
    begins a new one.
    """

    def __init__(self, disk: Disk, segment: int, end: int, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.segment = segment
        self.end = end
        self.syncs = 0
        self._disk = disk
        self._segment_bytes = segment_bytes
        self._file: File | None = None
        self._is_synced = True

    def write(self, data: bytes) -> tuple[int, int]:
        """Write frames at the end; return segment and offset. They are durable after `sync`. Raises OSError."""
        try:
            if self.end >= self._segment_bytes:
                self._begin_next()
            if self._file is None:
                self._file = self._disk.open(segment_name(self.segment))
            self._is_synced = False
            self._file.write(self.end, data)
        except BaseException:
            self._leave()
            raise
        at = self.end
        self.end += len(data)
        return self.segment, at

    def sync(self) -> None:
        """Wait for the disk, when it has not everything yet. Raises OSError."""
        if self._file is None or self._is_synced:
            return
        try:
            self._file.sync()
        except BaseException:
            self._leave()
            raise
        self._is_synced = True
        self.syncs += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin_next(self) -> None:
        self.sync()
        self.close()
        self.segment += 1
        self.end = 0

    def _leave(self) -> None:
        file, self._file = self._file, None
        self._is_synced = True
        self.segment += 1
        self.end = 0
        if file is not None:
            with suppress(OSError):
                file.close()
