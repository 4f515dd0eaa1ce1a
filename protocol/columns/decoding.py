"""A batch to columns and rows; what a stranger may have sent is bounded before anything is made of it."""

from itertools import chain

import numpy as np

from protocol.columns.batch import Batch, Part
from protocol.columns.bounded import Reader, signed
from protocol.columns.encoding import ALL, FORMAT, GROUPS_MAX, HAS_EXACT, PLAIN, ROWS_MAX, TICK_LIMIT, ZSTD
from protocol.columns.plan import plan_of
from protocol.columns.rice import read_bits
from protocol.columns.section import read_section
from protocol.columns.values import ColumnsError, Group, Head, Precision, Ticks
from protocol.irsdk import Layout
from protocol.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

__all__ = ["decode", "peek"]

DIGEST_BYTES = 8
WINDOW_LOG_MAX = 23

_WORD, _DOUBLE = np.dtype("<u4"), np.dtype("<u8")


def peek(data: bytes) -> Head:
    """Return what a batch says of itself in front. Raises ColumnsError."""
    return _head(Reader(data))


def decode(layout: Layout, data: bytes, *, rows_max: int, bytes_max: int) -> Batch:
    """Open a batch of `layout`.

    `rows_max`: rows that are taken at most; `bytes_max`: bytes of all values decoded, and of the body before. Memory and
    time are a small multiple of these. Raises ColumnsError for what is not a batch, or not of this layout.
    """
    reader = Reader(data)
    head = _head(reader)
    if head.digest != layout.digest:
        raise ColumnsError(f"a batch of layout {head.digest.hex()}, not of {layout.digest.hex()}")
    if head.rows > rows_max:
        raise ColumnsError(f"a batch of {head.rows} rows; {rows_max} are allowed")
    body = Reader(_body(reader, bytes_max))
    ticks = _ticks(body, head)
    count = body.varint()
    if count > GROUPS_MAX:
        raise ColumnsError(f"{count} groups; {GROUPS_MAX} can be")
    parts: list[Part] = []
    changed = every = taken = 0
    for _ in range(count):
        part, size = _part(body, layout, ticks, bytes_max, taken)
        bytes_max -= size
        taken |= part.plan.mask
        parts.append(part)
        rows = len(part.ticks)
        changed += rows * (len(part.words.moving) + len(part.doubles.moving))
        every += rows * (len(part.words.first) + len(part.doubles.first))
    body.end()
    groups = tuple(part.group for part in parts)
    names = (
        parts[0].plan.names
        if len(parts) == 1
        else tuple(chain.from_iterable(part.plan.names for part in parts))
    )
    return Batch(ticks, names, groups, changed, every - changed, tuple(parts), layout)


def _head(reader: Reader) -> Head:
    kind = reader.byte()
    if kind != FORMAT:
        raise ColumnsError(f"not a batch: begins with {kind}, a batch with {FORMAT}")
    digest = bytes(reader.take(DIGEST_BYTES))
    first = signed(reader.varint())
    rows = reader.varint()
    span = reader.varint()
    if not 1 <= rows <= ROWS_MAX or span < rows - 1 or abs(first) >= TICK_LIMIT or span >= TICK_LIMIT:
        raise ColumnsError(f"{rows} rows from tick {first} to {first + span}: cannot be")
    return Head(digest, first, first + span, rows)


def _body(reader: Reader, bytes_max: int) -> bytes | memoryview:
    form = reader.byte()
    if form == PLAIN:
        body = reader.rest()
        if len(body) > bytes_max:
            raise ColumnsError(f"a body of {len(body)} bytes; {bytes_max} are allowed")
        return body
    if form != ZSTD:
        raise ColumnsError(f"a body of form {form}, known are {PLAIN} and {ZSTD}")
    size = reader.varint()
    if size > bytes_max:
        raise ColumnsError(f"a body of {size} bytes; {bytes_max} are allowed")
    decompressor = ZstdDecompressor(options={int(DecompressionParameter.window_log_max): WINDOW_LOG_MAX})
    try:
        opened = decompressor.decompress(reader.rest(), size + 1)
    except ZstdError:
        raise ColumnsError("a body that is not zstd") from None
    if len(opened) != size or not decompressor.eof or decompressor.unused_data:
        raise ColumnsError("a body that is not as long as it says")
    return opened


def _ticks(body: Reader, head: Head) -> Ticks:
    if head.last_tick - head.first_tick == head.rows - 1:
        return np.arange(head.first_tick, head.last_tick + 1, dtype=np.int64)
    ticks = read_section(body, head.rows, 1, _DOUBLE).values(0, 1, head.rows)[:, 0].view(np.int64)
    if ticks[0] != head.first_tick or ticks[-1] != head.last_tick or (ticks[1:] <= ticks[:-1]).any():
        raise ColumnsError("ticks that do not ascend from the first to the last")
    return ticks


def _part(body: Reader, layout: Layout, ticks: Ticks, bytes_max: int, taken: int) -> tuple[Part, int]:
    """Return a group and the bytes of its values; `taken`: the channels of the groups before, as bits."""
    flags = body.byte()
    if flags >> 4 or flags & 3 not in tuple(Precision):
        raise ColumnsError(f"a group with flags {flags}")
    precision = Precision(flags & 3)
    every = body.varint()
    if not 1 <= every <= TICK_LIMIT:
        raise ColumnsError(f"a group of every {every} ticks")
    sampled = ticks if every == 1 else ticks[ticks % every == 0]
    channels = len(layout.variables)
    chosen = b"" if flags & ALL else bytes(body.take((channels + 7) // 8))
    mask = int.from_bytes(chosen, "little") if chosen else (1 << channels) - 1
    if mask >> channels or mask & taken:
        raise ColumnsError("a group with channels that the layout does not have, or that another group has")
    plan = plan_of(layout, chosen, precision)
    rows = len(sampled)
    narrow = plan.words.count + plan.floats.count
    size = rows * (4 * narrow + 8 * (plan.doubles.count + plan.fines.count))
    if size > bytes_max:
        raise ColumnsError(f"a group of {size} bytes; {bytes_max} are allowed")
    quantised = plan.floats.count + plan.fines.count
    exact = read_bits(body, quantised) if flags & HAS_EXACT else np.zeros(quantised, np.bool_)
    exact_fines = int(np.count_nonzero(exact[plan.floats.count :]))
    if rows:
        words = read_section(body, rows, narrow + plan.fines.count - exact_fines, _WORD)
        doubles = read_section(body, rows, plan.doubles.count + exact_fines, _DOUBLE)
    else:
        words = read_section(body, 0, 0, _WORD)
        doubles = read_section(body, 0, 0, _DOUBLE)
    group = Group(() if flags & ALL else plan.names, every, precision)
    return Part(group, plan, sampled, words, doubles, exact, bool(flags & HAS_EXACT)), size
