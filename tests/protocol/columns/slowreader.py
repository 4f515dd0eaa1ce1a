"""Another reader of batches, written from docs/columns.md alone: one number after the other, nothing of numpy, nothing shared.

Returns for each channel its ticks and the bits of its values (exact) or whole steps (quantised).
"""

import struct
from collections.abc import Iterator
from typing import Any

from protocol.irsdk import Layout
from protocol.zstd import ZstdDecompressor

__all__ = ["read"]

SIZES = (1, 1, 4, 4, 4, 8)
FLOAT, DOUBLE = 4, 5


class _Source:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        found = self.data[self.at : self.at + size]
        assert len(found) == size
        self.at += size
        return found

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def bits(self, count: int) -> list[int]:
        packed = self.take((count + 7) // 8)
        return [packed[n // 8] >> n % 8 & 1 for n in range(count)]


def _signed(value: int) -> int:
    return value // 2 if value % 2 == 0 else -(value + 1) // 2


def read(layout: Layout, data: bytes, is_stepped: Any) -> dict[str, tuple[list[int], list[list[Any]]]]:
    """Read a batch; `is_stepped(variable, precision)`: whether a channel has a step, which the table in the docs says."""
    source = _Source(data)
    assert source.take(1) == b"\xc1" and source.take(8) == layout.digest
    first = _signed(source.varint())
    rows = source.varint()
    span = source.varint()
    if source.take(1) == b"\1":
        size = source.varint()
        body = ZstdDecompressor().decompress(source.data[source.at :])
        assert len(body) == size
    else:
        body = source.data[source.at :]
    source = _Source(body)
    ticks = list(range(first, first + rows))
    if span != rows - 1:
        ticks = [tick - 2**64 if tick >= 2**63 else tick for tick in _section(source, 1, 8, rows)[0]]
    found = {}
    for _ in range(source.varint()):
        found.update(_group(source, layout, ticks, is_stepped))
    assert source.at == len(source.data)
    return found


def _group(
    source: _Source, layout: Layout, ticks: list[int], is_stepped: Any
) -> Iterator[tuple[str, tuple[list[int], list[list[Any]]]]]:
    flags = source.take(1)[0]
    precision, is_all, has_exact = flags & 3, flags & 4, flags & 8
    every = source.varint()
    chosen = [1] * len(layout.variables) if is_all else source.bits(len(layout.variables))
    channels = [each for each, bit in zip(layout.variables, chosen, strict=True) if bit]
    ticks = [tick for tick in ticks if tick % every == 0]
    stepped = [
        each
        for each in channels
        if precision and each.type in (FLOAT, DOUBLE) and is_stepped(each, precision)
    ]
    lanes = [
        (each, n)
        for kind in (FLOAT, DOUBLE)
        for each in stepped
        if each.type == kind
        for n in range(each.count)
    ]
    kept = source.bits(len(lanes)) if has_exact else [0] * len(lanes)
    whole = [(each, n) for each in channels if each not in stepped for n in range(each.count)]
    words = [lane for lane in whole if lane[0].type != DOUBLE]
    if is_all and not precision:
        taken = {n for each in layout.variables for n in range(each.offset, each.offset + each.size)}
        words += [(None, n) for n in range(layout.row_bytes) if n not in taken]
    exact = [lane for lane, bit in zip(lanes, kept, strict=True) if bit]
    words += [lane for lane in exact if lane[0].type == FLOAT]
    stepping = len(words)
    words += [lane for lane, bit in zip(lanes, kept, strict=True) if not bit]
    doubles = [lane for lane in whole if lane[0].type == DOUBLE] + [
        lane for lane in exact if lane[0].type == DOUBLE
    ]
    if not ticks:
        for each in channels:
            yield each.name, ([], [])
        return
    values = {}
    for width, members in ((4, words), (8, doubles)):
        if members:
            for index, (lane, column) in enumerate(
                zip(members, _section(source, len(members), width, len(ticks)), strict=True)
            ):
                is_steps = width == 4 and index >= stepping
                values[lane] = [("steps", _int32(value)) if is_steps else ("bits", value) for value in column]
    for each in channels:
        yield (
            each.name,
            (ticks, [[values[each, n][row] for n in range(each.count)] for row in range(len(ticks))]),
        )
    for lane, column in values.items():
        if lane[0] is None:
            yield f"byte {lane[1]}", (ticks, [[value] for value in column])


def _int32(value: int) -> int:
    return int(struct.unpack("<i", struct.pack("<I", value))[0])


def _section(source: _Source, lanes: int, width: int, rows: int) -> list[list[int]]:
    limit = 1 << 8 * width
    moves = source.bits(lanes)
    packed = source.take((lanes + 1) // 2)
    lengths = [packed[n // 2] >> 4 * (n % 2) & 15 for n in range(lanes)]
    firsts = [0] * lanes
    for plane in range(width):
        for lane in range(lanes):
            if lengths[lane] > plane:
                firsts[lane] |= source.take(1)[0] << 8 * plane
    first = [_signed(value) % limit for value in firsts]
    moving = [lane for lane in range(lanes) if moves[lane]]
    if not moving:
        return [[value] * rows for value in first]
    codes = list(source.take(len(moving)))
    kinds, ks = [code >> 6 for code in codes], [code & 63 for code in codes]
    copied = {n: struct.unpack("<H", source.take(2))[0] for n, kind in enumerate(kinds) if kind == 3}
    jumping = [n for n, kind in enumerate(kinds) if kind == 2]
    mask = source.bits(len(jumping) * (rows - 1)) if jumping else []
    wanted = [
        (n, row)
        for n, kind in enumerate(kinds)
        for row in range(rows - 1)
        if kind in (0, 1) or (kind == 2 and mask[jumping.index(n) * (rows - 1) + row])
    ]
    steps = [[0] * (rows - 1) for _ in moving]
    for (n, row), number in zip(wanted, _numbers(source, [ks[n] for n, _ in wanted]), strict=True):
        steps[n][row] = _signed(number + (kinds[n] == 2))
    found = [[value] * rows for value in first]
    for n, lane in enumerate(moving):
        value, rate = first[lane], 0
        for row in range(rows - 1):
            rate = steps[n][row] + (rate if kinds[n] == 1 else 0)
            value = (value + rate) % limit
            found[lane][row + 1] = value
    for n, other in copied.items():
        found[moving[n]] = list(found[moving[other]])
    return found


def _numbers(source: _Source, ks: list[int]) -> list[int]:
    if not ks:
        return []
    unary = source.take(source.varint())
    stream = (unary[n // 8] >> n % 8 & 1 for n in range(8 * len(unary)))
    numbers = []
    for k in ks:
        zeros = 0
        while not next(stream):
            zeros += 1
        numbers.append(zeros << k)
    for plane in range(8):
        for n, k in enumerate(ks):
            if k >= 8 * (plane + 1):
                numbers[n] |= source.take(1)[0] << 8 * plane
    planes = iter(source.bits(sum(k % 8 for k in ks)))
    for bit in range(8):
        for n, k in enumerate(ks):
            if k % 8 > bit:
                numbers[n] |= next(planes) << k - k % 8 + bit
    return numbers
