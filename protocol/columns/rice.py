"""Small numbers as few bits, many lanes at once (Rice coding, laid out so that numpy can do it).

A number r of a lane with parameter k is r >> k in unary, so many zero bits and a one, and its k low bits. The unary parts
of all numbers stand together; of the low bits, whole bytes stand in planes (byte 0 of all numbers that have one, then
byte 1, ...) and the k % 8 bits above them in planes of bits. Numbers are in order of lanes, then of rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol.columns.bounded import Reader, varint
from protocol.columns.values import ColumnsError

__all__ = [
    "best_k",
    "cost",
    "pack_bits",
    "pack_bytes",
    "pack_numbers",
    "read_bits",
    "read_bytes",
    "read_numbers",
]

UNARY_BITS_MAX = 4
"""For each number of a section, on the average; `best_k` needs two and a half at most, whatever the numbers are."""

Words = NDArray[Any]
"""Of uint32 or uint64."""


def best_k(sums: NDArray[np.float64], counts: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Return the parameter for lanes whose `counts` numbers have these `sums`: the best when they are spread as
    differences are (geometrically), else some percent off."""
    mean = sums / np.maximum(counts, 1)
    # log2(mean * ln 2), rounded up: Kiely, "Selecting the Golomb Parameter in Rice Coding", 2004, within half a bit.
    k: NDArray[np.float64] = np.ceil(np.log2(np.maximum(mean * 0.6931, 1.0)))
    return np.minimum(k, bits - 1).astype(np.uint8)


def cost(numbers: Words, k: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the bits that each lane of `numbers`, (lanes, rows), takes with its k."""
    quotients: NDArray[np.float64] = (numbers >> k.astype(numbers.dtype)[:, None]).sum(
        axis=1, dtype=np.float64
    )
    return quotients + np.float64(numbers.shape[1]) * (k + np.float64(1))


def pack_bits(bits: NDArray[Any]) -> bytes:
    """Return booleans as bits, the lowest of a byte first."""
    return np.packbits(bits, bitorder="little").tobytes()


def read_bits(reader: Reader, count: int) -> NDArray[np.bool_]:
    """Take `count` booleans. Raises ColumnsError, also when the bits that fill the last byte are not zero."""
    packed = reader.take((count + 7) // 8)
    if count % 8 and packed[-1] >> count % 8:
        raise ColumnsError("bits behind the last one")
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=count, bitorder="little").view(np.bool_)


def planes_of(lengths: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of the values of these lengths have a place in each plane: (planes, values)."""
    return lengths > np.arange(int(lengths.max()), dtype=np.uint8)[:, None]


def pack_bytes(words: Words, lengths: NDArray[Any]) -> bytes:
    """Return the low bytes of `words`, as many of each as its length: a plane after the other, the lowest first."""
    raw = words.astype(words.dtype.newbyteorder("<"), copy=False).view(np.uint8).reshape(len(words), -1)
    has = planes_of(lengths)
    return raw.T[: len(has)][has].tobytes()


def read_bytes(reader: Reader, lengths: NDArray[Any], dtype: np.dtype[Any]) -> Words:
    """Take words of these lengths. Raises ColumnsError."""
    has = planes_of(lengths)
    raw = np.zeros((dtype.itemsize, len(lengths)), np.uint8)
    raw[: len(has)][has] = np.frombuffer(reader.take(int(np.count_nonzero(has))), np.uint8)
    return np.ascontiguousarray(raw.T).view(dtype.newbyteorder("<")).ravel().astype(dtype, copy=False)


def pack_numbers(numbers: Words, k: NDArray[np.uint8]) -> bytes:
    """Pack `numbers`, (values,), each with its own `k`."""
    if not len(numbers):
        return b""
    shift = k.astype(numbers.dtype)
    ones = np.cumsum((numbers >> shift).astype(np.int64) + 1) - 1
    unary = np.zeros(int(ones[-1]) + 1, np.uint8)
    unary[ones] = 1
    packed = pack_bits(unary)
    parts = [varint(len(packed)), packed]
    parts.append(pack_bytes(numbers, k >> 3))
    rest = k & 7
    has = planes_of(rest)
    above = (numbers >> (shift & shift.dtype.type(0xF8))).astype(np.uint8)
    bits = above >> np.arange(len(has), dtype=np.uint8)[:, None] & 1
    parts.append(pack_bits(bits[has]))
    return b"".join(parts)


def read_numbers(reader: Reader, k: NDArray[np.uint8], dtype: np.dtype[Any]) -> Words:
    """Take as many numbers as `k` has. Raises ColumnsError."""
    if not len(k):
        return np.zeros(0, dtype)
    size = reader.varint()
    if size > (UNARY_BITS_MAX * len(k) + 7) // 8:
        raise ColumnsError(f"{size} bytes in unary for {len(k)} numbers")
    unary = np.unpackbits(np.frombuffer(reader.take(size), np.uint8), bitorder="little")
    ones = unary.nonzero()[0]
    if len(ones) != len(k):
        raise ColumnsError(f"{len(ones)} numbers where {len(k)} belong")
    if len(unary) - ones[-1] > 8:
        raise ColumnsError("bits behind the last number")
    quotients = ones.astype(dtype)
    quotients[1:] -= quotients[:-1] + dtype.type(1)
    numbers: Words = quotients << k.astype(dtype)
    numbers |= read_bytes(reader, k >> 3, dtype)
    has = planes_of(k & 7)
    bits = np.zeros((8, len(k)), np.uint8)
    bits[: len(has)][has] = read_bits(reader, int(np.count_nonzero(has)))
    above = np.packbits(bits, axis=0, bitorder="little")[0]
    numbers |= above.astype(dtype) << (k & 0xF8).astype(dtype)
    return numbers
