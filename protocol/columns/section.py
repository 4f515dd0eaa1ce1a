"""A section: lanes of one width, each a value in every row, packed together.

Most lanes stand still: a bitmap says which move, and of the others only the first value is kept. A lane that moves is
sent as its differences from row to row (STEPS), as the differences of those (BENDS), as a mask of the rows in which it
moved and the differences there (JUMPS), or as the number of another lane that is the same (COPY). docs/columns.md has
the bytes.
"""

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from protocol.columns.bounded import Reader
from protocol.columns.rice import (
    best_k,
    cost,
    pack_bits,
    pack_bytes,
    pack_numbers,
    read_bits,
    read_bytes,
    read_numbers,
)
from protocol.columns.values import ColumnsError

__all__ = ["Lanes", "pack_section", "read_section"]

STEPS, BENDS, JUMPS, COPY = range(4)

Words = NDArray[Any]
"""Of uint32 or uint64; differences wrap around."""

SOURCE_MAX = 0xFFFF

# Odd, so that every bit of every row counts; equal sums are looked at again.
_MIX = np.arange(1, 4097, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
_MIX = _MIX ^ _MIX >> np.uint64(29) | np.uint64(1)


@frozen(eq=False)
class Lanes:
    """Read lanes. `first`: (lanes,), the value in the first row. `place`: (lanes,), where a lane is among those that move,
    or -1. `moving`: (those that move, rows)."""

    first: Words
    place: NDArray[np.intp]
    moving: Words

    def values(self, start: int, count: int, rows: int) -> Words:
        """Return lanes from `start` as (rows, count), C-contiguous, of their own."""
        if count == 1:
            at = self.place[start]
            one = np.full(rows, self.first[start]) if at < 0 else self.moving[at].copy()
            return one[:, None]
        found = np.empty((rows, count), self.first.dtype)
        found[:] = self.first[start : start + count]
        place = self.place[start : start + count]
        moves = (place >= 0).nonzero()[0]
        if len(moves):
            found[:, moves] = self.moving[place[moves]].T
        return found


def pack_section(words: Words) -> bytes:
    """Pack `words`, (rows, lanes) of uint32 or uint64, one row at least."""
    if not words.shape[1]:
        return b""
    moves = (words[1:] != words[0]).any(axis=0)
    moving = np.ascontiguousarray(words[:, moves].T)
    parts = [pack_bits(moves), _pack_firsts(zigzag(words[0]))]
    if len(moving):
        parts.append(_pack_moving(moving))
    return b"".join(parts)


def read_section(reader: Reader, rows: int, lanes: int, dtype: np.dtype[Any]) -> Lanes:
    """Take a section of so many rows and lanes. Raises ColumnsError."""
    if not lanes:
        nothing = np.zeros(0, dtype)
        return Lanes(nothing, np.zeros(0, np.intp), nothing.reshape(0, rows))
    moves = read_bits(reader, lanes)
    first = unzigzag(_read_firsts(reader, lanes, dtype))
    which = moves.nonzero()[0]
    place = np.full(lanes, -1)
    place[which] = np.arange(len(which))
    if len(which) and rows < 2:
        raise ColumnsError("one row in which something moves")
    moving = _read_moving(reader, first[which], rows) if len(which) else np.zeros((0, rows), dtype)
    return Lanes(first, place, moving)


def zigzag(words: Words) -> Words:
    """Return words as numbers that are small when they are near zero, either sign."""
    bits = words.itemsize * 8
    whole = words.view(f"i{words.itemsize}")
    found: Words = (whole << 1 ^ whole >> bits - 1).view(words.dtype)
    return found


def unzigzag(words: Words) -> Words:
    """Return what `zigzag` was given."""
    one = words.dtype.type(1)
    found: Words = words >> one ^ np.negative(words & one)
    return found


def _pack_firsts(words: Words) -> bytes:
    limits = np.array([1 << 8 * size for size in range(words.itemsize)], words.dtype)
    lengths = np.searchsorted(limits, words, side="right").astype(np.uint8)
    padded = np.zeros(len(words) + 1 & ~1, np.uint8)
    padded[: len(words)] = lengths
    return (padded[::2] | padded[1::2] << 4).tobytes() + pack_bytes(words, lengths)


def _read_firsts(reader: Reader, lanes: int, dtype: np.dtype[Any]) -> Words:
    packed = np.frombuffer(reader.take((lanes + 1) // 2), np.uint8)
    lengths = np.empty(2 * len(packed), np.uint8)
    lengths[::2], lengths[1::2] = packed & 15, packed >> 4
    if lengths.max() > dtype.itemsize or lengths[lanes:].any():
        raise ColumnsError("a first value that is longer than its lane")
    return read_bytes(reader, lengths[:lanes], dtype)


def _pack_moving(moving: Words) -> bytes:
    lanes, rows = moving.shape
    bits = moving.itemsize * 8
    source = _same(moving)
    steps = moving[:, 1:] - moving[:, :-1]
    bends = steps.copy()
    bends[:, 1:] -= steps[:, :-1]
    steps, bends = zigzag(steps), zigzag(bends)
    still = steps == 0
    jumps = steps - (~still).astype(steps.dtype)
    jumped = (rows - 1) - np.count_nonzero(still, axis=1)
    counts = np.stack([np.full(lanes, rows - 1), np.full(lanes, rows - 1), jumped])
    ks, costs = [], []
    for numbers, count in zip((steps, bends, jumps), counts, strict=True):
        ks.append(best_k(numbers.sum(axis=1, dtype=np.float64), count, bits))
        costs.append(cost(numbers, ks[-1]))
    # Of the numbers that are zero because nothing moved, a mask needs one bit and no k.
    costs[JUMPS] -= (rows - 1 - jumped) * (ks[JUMPS] + 1.0) - (rows - 1)
    kind = np.argmin(np.stack(costs), axis=0)
    kind[source >= 0] = COPY
    k = np.choose(np.minimum(kind, JUMPS), ks)
    k[kind == COPY] = 0
    numbers = np.where((kind == BENDS)[:, None], bends, steps)
    masked = kind == JUMPS
    numbers[masked] = jumps[masked]
    coded = ~still
    coded[~masked] = True
    coded[kind == COPY] = False
    each = np.repeat(k, np.count_nonzero(coded, axis=1))
    return b"".join(
        [
            (kind.astype(np.uint8) << 6 | k).tobytes(),
            source[kind == COPY].astype("<u2").tobytes(),
            pack_bits(~still[masked]) if masked.any() else b"",
            pack_numbers(numbers[coded], each),
        ]
    )


def _read_moving(reader: Reader, first: Words, rows: int) -> Words:
    lanes, dtype = len(first), first.dtype
    codes = np.frombuffer(reader.take(lanes), np.uint8)
    kind: NDArray[np.uint8] = np.right_shift(codes, 6)
    k: NDArray[np.uint8] = np.bitwise_and(codes, 63)
    if int(k.max()) >= dtype.itemsize * 8:
        raise ColumnsError(f"a parameter of {k.max()} for numbers of {dtype.itemsize * 8} bits")
    has = np.bincount(kind, minlength=4).tolist()
    copies = source = np.zeros(0, np.intp)
    if has[COPY]:
        copies = (kind == COPY).nonzero()[0]
        source = np.frombuffer(reader.take(2 * has[COPY]), "<u2").astype(np.intp)
        if int(source.max()) >= lanes or (kind[source] == COPY).any():
            raise ColumnsError("a lane that is a copy of none")
    moving = np.zeros((lanes, rows), dtype)
    moving[:, 0] = first
    if has[COPY] or has[JUMPS]:
        coded = (kind < JUMPS).repeat(rows - 1).reshape(lanes, rows - 1)
        counts = np.full(lanes, rows - 1)
        counts[copies] = 0
        if has[JUMPS]:
            masked = (kind == JUMPS).nonzero()[0]
            mask = read_bits(reader, len(masked) * (rows - 1)).reshape(-1, rows - 1)
            coded[masked] = mask
            counts[masked] = np.add.reduce(mask, axis=1, dtype=np.intp)
        numbers = read_numbers(reader, k.repeat(counts), dtype)
        numbers += (kind == JUMPS).repeat(counts)
        moving[:, 1:][coded] = unzigzag(numbers)
    else:
        numbers = read_numbers(reader, k.repeat(rows - 1), dtype)
        moving[:, 1:] = unzigzag(numbers).reshape(lanes, rows - 1)
    if has[BENDS]:
        bent = (kind == BENDS).nonzero()[0]
        moving[bent, 1:] = moving[bent, 1:].cumsum(axis=1, dtype=dtype)
    moving.cumsum(axis=1, dtype=dtype, out=moving)
    if has[COPY]:
        if (first[copies] != first[source]).any():
            raise ColumnsError("a copy that begins otherwise")
        moving[copies] = moving[source]
    return moving


def _same(moving: Words) -> NDArray[np.intp]:
    """Return for each lane the first one that is the same, or -1 where there is none before it."""
    lanes, rows = moving.shape
    mix = np.resize(_MIX, rows)
    _, earliest, which = np.unique(
        (moving * mix).sum(axis=1, dtype=np.uint64), return_index=True, return_inverse=True
    )
    source = earliest[which].astype(np.intp)
    source[(source == np.arange(lanes)) | (source > SOURCE_MAX)] = -1
    twins = (source >= 0).nonzero()[0]
    wrong = (moving[twins] != moving[source[twins]]).any(axis=1)
    source[twins[wrong]] = -1
    return source
