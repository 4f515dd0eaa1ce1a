"""Rows to a batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol.columns.bounded import unsigned, varint
from protocol.columns.plan import Kind, Plan, plan_of
from protocol.columns.rice import pack_bits
from protocol.columns.section import pack_section
from protocol.columns.values import ColumnsError, Group, Rows, Ticks
from protocol.irsdk import Layout
from protocol.zstd import ZstdCompressor

__all__ = ["FORMAT", "GROUPS_MAX", "ROWS_MAX", "STEPS_LIMIT", "TICK_LIMIT", "encode"]

FORMAT = 0xC1
"""The first byte of a batch."""
ROWS_MAX = 4096
GROUPS_MAX = 64
TICK_LIMIT = 1 << 53
STEPS_LIMIT = 1 << 30
"""A value of so many steps, or one that is not finite, is kept exactly, with its lane."""

ALL, HAS_EXACT = 4, 8

_CHOICES_MAX = 256
_choices: dict[tuple[bytes, tuple[str, ...]], bytes] = {}
"""The bits of the groups that were last asked for: the same few, batch after batch."""

PLAIN, ZSTD = 0, 1


def encode(layout: Layout, rows: Rows, ticks: Ticks, groups: Sequence[Group], *, level: int = 3) -> bytes:
    """Return `rows`, (n, row_bytes) with n ascending `ticks`, as one batch of `groups`; `level` is of zstd.

    Raises ColumnsError for rows, ticks or groups that cannot be.
    """
    ticks = np.ascontiguousarray(ticks, np.int64)
    _check(layout, rows, ticks, groups)
    first, last = int(ticks[0]), int(ticks[-1])
    head = b"".join(
        [bytes([FORMAT]), layout.digest, varint(unsigned(first)), varint(len(rows)), varint(last - first)]
    )
    parts = [] if last - first == len(rows) - 1 else [pack_section(ticks.view(np.uint64)[:, None])]
    parts.append(varint(len(groups)))
    taken = 0
    for group in groups:
        chosen = _chosen(layout, group)
        plan = plan_of(layout, chosen, group.precision)
        if taken & plan.mask:
            twice = [each.name for bit, each in enumerate(layout.variables) if taken & plan.mask & 1 << bit]
            raise ColumnsError(f"in two groups: {', '.join(twice)}")
        taken |= plan.mask
        parts += _group(plan, chosen, rows if group.every == 1 else rows[ticks % group.every == 0], group)
    body = b"".join(parts)
    packed = ZstdCompressor(level).compress(body, ZstdCompressor.FLUSH_FRAME)
    size = varint(len(body))
    if len(packed) + len(size) < len(body):
        return b"".join([head, bytes([ZSTD]), size, packed])
    return b"".join([head, bytes([PLAIN]), body])


def _check(layout: Layout, rows: Rows, ticks: Ticks, groups: Sequence[Group]) -> None:
    if not 1 <= len(rows) <= ROWS_MAX or len(rows) != len(ticks):
        raise ColumnsError(f"{len(rows)} rows with {len(ticks)} ticks; 1 to {ROWS_MAX} of both can be")
    if rows.shape[1:] != (layout.row_bytes,) or rows.dtype != np.uint8 or not rows.flags.c_contiguous:
        raise ColumnsError(
            f"rows of {rows.shape[1:]} {rows.dtype}, {layout.row_bytes} bytes side by side belong"
        )
    if (np.diff(ticks) <= 0).any() or abs(int(ticks[0])) >= TICK_LIMIT or abs(int(ticks[-1])) >= TICK_LIMIT:
        raise ColumnsError("ticks that do not ascend")
    if len(groups) > GROUPS_MAX:
        raise ColumnsError(f"{len(groups)} groups; {GROUPS_MAX} can be")


def _group(plan: Plan, chosen: bytes, rows: Rows, group: Group) -> list[bytes]:
    flags = int(group.precision) | (0 if chosen else ALL)
    every = varint(group.every)
    if not len(rows):
        return [bytes([flags]), every, chosen]
    words = [plan.words.gather(rows, "<u4")]
    doubles = [plan.doubles.gather(rows, "<u8")]
    exact = np.zeros(0, np.bool_)
    whole = []
    for kind, steps, dtype, kept in (
        (plan.floats, plan.float_steps, "<f4", words),
        (plan.fines, plan.fine_steps, "<f8", doubles),
    ):
        found, is_exact, bits = _quantised(kind, steps, rows, dtype)
        exact = np.concatenate([exact, is_exact])
        whole.append(found)
        kept.append(bits)
    parts = [every, chosen]
    if exact.any():
        flags |= HAS_EXACT
        parts.append(pack_bits(exact))
    parts.append(pack_section(np.concatenate([*words, *whole], axis=1)))
    parts.append(pack_section(np.concatenate(doubles, axis=1)))
    return [bytes([flags]), *parts]


def _quantised(
    kind: Kind, steps: NDArray[np.float64], rows: Rows, dtype: str
) -> tuple[NDArray[np.uint32], NDArray[np.bool_], NDArray[Any]]:
    """Return the lanes as whole numbers of steps, which lanes must be kept exactly, and the bits of those."""
    values = kind.gather(rows, dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.rint(values / steps)
        few: NDArray[np.bool_] = np.all(np.abs(found) < STEPS_LIMIT, axis=0)
    return found[:, few].astype(np.int32).view(np.uint32), ~few, values[:, ~few].view(dtype.replace("f", "u"))


def _chosen(layout: Layout, group: Group) -> bytes:
    """Return a bit for each channel of the layout, or nothing when all are in the group."""
    if not 1 <= group.every <= TICK_LIMIT:
        raise ColumnsError(f"a group of every {group.every} ticks")
    if not group.names:
        return b""
    key = (layout.digest, group.names)
    chosen = _choices.get(key)
    if chosen is None:
        if len(_choices) >= _CHOICES_MAX:
            _choices.clear()
        chosen = _choices[key] = _bits_of(layout, group)
    return chosen


def _bits_of(layout: Layout, group: Group) -> bytes:
    names = set(group.names)
    bits = np.array([variable.name in names for variable in layout.variables], np.bool_)
    if int(np.count_nonzero(bits)) != len(names):
        raise ColumnsError(
            f"not in this layout: {', '.join(sorted(name for name in names if name not in layout))}"
        )
    return pack_bits(bits)
