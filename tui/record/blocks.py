"""A recording's file: blocks one after another, each found and checked by itself.

A block is a skippable frame of zstd that says what follows, then a frame of zstd with lines of JSON. So `zstd -dc FILE`
prints a recording, and what is in it is found from the skippable frames alone. Numbers are little-endian:

    magic 184D2A50, length 36 | "PLR1" | kind | 3 × 0 | packed bytes | raw bytes | at, seconds | UTC, seconds | CRC-32

The checksum is of all that stands before it and of the packed bytes: what was torn off or has changed is never read.
"""

import os
import struct
import zlib
from enum import IntEnum
from typing import BinaryIO

from attrs import frozen

from protocol.zstd import ZstdCompressor, ZstdDecompressor, ZstdError

__all__ = ["BEGINNING", "RAW_BYTES_MAX", "VERSION", "Block", "BlockKind", "pack", "scan", "unpack"]

VERSION = 1
LEVEL = 9
"""Of compression: 10 ms for 5 s of telemetry, in a thread, and a sixth less than the usual level makes of it."""

RAW_BYTES_MAX = 64 * 1024 * 1024
"""No block is larger when it is unpacked."""

_HEAD = struct.Struct("<II4sB3xIIddI")
_CRC_BYTES = 4
_MAGIC = 0x184D2A50
_TAG = b"PLR1"
BEGINNING = struct.pack("<II4s", _MAGIC, _HEAD.size - 8, _TAG)
"""The first bytes of each recording."""

_PIECE_BYTES = 1 << 20


class BlockKind(IntEnum):
    """What a block holds."""

    HEADER = 0
    """One line: what this file is. Each recording begins with it."""

    CALLS = 1
    """What was told, in order."""

    KEYFRAME = 2
    """The whole model as it was then, so that nobody has to begin at the beginning."""

    END = 3
    """Nothing: the recording was ended, not torn off."""


@frozen
class Block:
    """One block. `at`: seconds since the beginning, of its first call; `utc`: the same moment by the clock on the wall;
    `offset`: where the packed bytes are."""

    kind: BlockKind
    at: float
    utc: float
    raw_bytes: int
    packed_bytes: int
    offset: int


def pack(kind: BlockKind, at: float, utc: float, raw: bytes) -> bytes:
    """Return a block as it is written."""
    packed = ZstdCompressor(LEVEL).compress(raw, ZstdCompressor.FLUSH_FRAME)
    head = _HEAD.pack(_MAGIC, _HEAD.size - 8, _TAG, kind, len(packed), len(raw), at, utc, 0)[:-_CRC_BYTES]
    return b"".join((head, struct.pack("<I", zlib.crc32(packed, zlib.crc32(head))), packed))


def scan(file: BinaryIO) -> tuple[list[Block], bool]:
    """Return the blocks up to the first that is not whole, and whether that is the end of the file.

    Reads the whole file once, a piece at a time.
    """
    size = os.fstat(file.fileno()).st_size
    blocks: list[Block] = []
    offset = 0
    while offset < size:
        block = _read_block(file, offset, size)
        if block is None:
            return blocks, False
        blocks.append(block)
        offset = block.offset + block.packed_bytes
    return blocks, True


def _read_block(file: BinaryIO, offset: int, size: int) -> Block | None:
    file.seek(offset)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, length, tag, kind, packed_bytes, raw_bytes, at, utc, crc = _HEAD.unpack(head)
    if (magic, length, tag) != (_MAGIC, _HEAD.size - 8, _TAG):
        return None
    left = packed_bytes
    if left > size - offset - _HEAD.size or raw_bytes > RAW_BYTES_MAX or kind not in list(BlockKind):
        return None
    found = zlib.crc32(head[:-_CRC_BYTES])
    while left:
        piece = file.read(min(left, _PIECE_BYTES))
        if not piece:
            return None
        found = zlib.crc32(piece, found)
        left -= len(piece)
    if found != crc:
        return None
    return Block(BlockKind(kind), at, utc, raw_bytes, packed_bytes, offset + _HEAD.size)


def unpack(file: BinaryIO, block: Block) -> bytes:
    """Return what a block holds. Raises ValueError when that is not what was announced, OSError when it cannot be read."""
    file.seek(block.offset)
    try:
        raw = ZstdDecompressor().decompress(file.read(block.packed_bytes), block.raw_bytes + 1)
    except ZstdError as exc:
        raise ValueError("a block that cannot be unpacked") from exc
    if len(raw) != block.raw_bytes:
        raise ValueError("a block of another size than it says")
    return raw
