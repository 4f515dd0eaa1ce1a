"""What the spool's files are made of: frames, one behind the other, each with its own checksum.

A frame is a head of 48 bytes, little endian, and the data:

    0   4  "PLSP": an entry; "PLTK": a tick of a batch that is not closed yet
    4   4  crc32 of all that follows
    8  16  the recording's id
    24  8  the entry's number, or the tick
    32  8  the newest moment in it, UTC in µs
    40  4  bytes of data
    44  1  what kind of entry
    45  3  zero

What is behind the last whole frame was torn by a crash, and is not there.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from attrs import frozen

__all__ = ["ENTRY", "HEAD_BYTES", "TICK", "Frame", "Head", "pack_frame", "read_head", "scan", "unpack_frame"]

ENTRY: Final = b"PLSP"
TICK: Final = b"PLTK"
_REST = struct.Struct("<16sqqIB3x")
_FRONT = struct.Struct("<4sI")
HEAD_BYTES: Final = _FRONT.size + _REST.size


@frozen
class Head:
    """What a frame says of itself. `size`: bytes of its data."""

    recording: bytes
    number: int
    as_of_us: int
    size: int
    kind: int


@frozen
class Frame:
    """A whole frame that was found at `at`."""

    at: int
    head: Head
    data: bytes


def pack_frame(magic: bytes, recording: bytes, number: int, as_of_us: int, kind: int, data: bytes) -> bytes:
    rest = _REST.pack(recording, number, as_of_us, len(data), kind)
    return b"".join((_FRONT.pack(magic, zlib.crc32(data, zlib.crc32(rest))), rest, data))


def read_head(data: bytes, magic: bytes, recording: bytes) -> Head | None:
    """Return what a frame's first 48 bytes say, unchecked; None: there is no such frame of that recording."""
    if len(data) < HEAD_BYTES or data[:4] != magic:
        return None
    head = Head(*_REST.unpack_from(data, _FRONT.size))
    return head if head.recording == recording else None


def unpack_frame(data: bytes, magic: bytes, recording: bytes) -> tuple[Head, bytes] | None:
    """Return the frame that `data` begins with; None: it is torn, or there is none of that recording."""
    head = read_head(data, magic, recording)
    if head is None or len(data) < HEAD_BYTES + head.size:
        return None
    whole = memoryview(data)[: HEAD_BYTES + head.size]
    if _FRONT.unpack_from(data)[1] != zlib.crc32(whole[_FRONT.size :]):
        return None
    return head, bytes(whole[HEAD_BYTES:])


def scan(data: bytes, magic: bytes, recording: bytes) -> Iterator[Frame]:
    """Yield the whole frames from the beginning up to the first that is not."""
    at, view = 0, memoryview(data)
    while True:
        head = read_head(bytes(view[at : at + HEAD_BYTES]), magic, recording)
        if head is None:
            return
        found = unpack_frame(bytes(view[at : at + HEAD_BYTES + head.size]), magic, recording)
        if found is None:
            return
        yield Frame(at, *found)
        at += HEAD_BYTES + head.size
