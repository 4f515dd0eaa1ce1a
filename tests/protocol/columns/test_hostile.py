"""What is no batch is refused in words, whatever it is; nothing else is raised, and little is taken for it."""

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.columns import ColumnsError, Group, Precision, decode, encode, peek
from protocol.columns.bounded import Reader, unsigned, varint
from protocol.columns.decoding import _body, _head
from protocol.columns.encoding import FORMAT, ZSTD
from protocol.irsdk import Layout, Type
from protocol.zstd import ZstdCompressor
from tests.protocol.columns.rowsof import BATCHES, layout_of, recorded

Case = tuple[Layout, NDArray[np.uint8], NDArray[np.int64]]
LAYOUT = layout_of(
    ("SessionTime", Type.DOUBLE, 2, "s"), ("Speed", Type.FLOAT, 3, "m/s"), ("Lap", Type.INT, 1, ""),
    ("OnTrack", Type.BOOL, 5, ""), ("Flags", Type.BITFIELD, 2, ""), gaps=(0, 0, 3),
)  # fmt: skip
BYTES_MAX = 1 << 16


def read_all(layout: Layout, data: bytes, bytes_max: int = BYTES_MAX) -> bool:
    """Decode and look at everything. Returns whether it was a batch; lets through nothing but ColumnsError."""
    try:
        batch = decode(layout, data, rows_max=64, bytes_max=bytes_max)
    except ColumnsError:
        return False
    assert 1 <= len(batch.ticks) <= 64 and (np.diff(batch.ticks) > 0).all()
    total = 0
    for name in batch.names:
        ticks, column = batch.column(name)
        assert len(ticks) == len(column)
        total += column.nbytes
    assert total <= bytes_max
    if batch.groups == (Group(),):
        assert batch.rows().shape == (len(batch.ticks), layout.row_bytes)
    return True


def head(rows: int, *, first: int = 5, span: int | None = None, layout: Layout = LAYOUT) -> bytes:
    return b"".join(
        [
            bytes([FORMAT]),
            layout.digest,
            varint(unsigned(first)),
            varint(rows),
            varint(rows - 1 if span is None else span),
        ]
    )


@given(st.binary(max_size=200))
def test_noise(data: bytes) -> None:
    read_all(LAYOUT, data)
    read_all(LAYOUT, head(9) + data)
    read_all(LAYOUT, head(9) + bytes([0, 1, 4, 1]) + data)  # plain, one group, everything, every tick
    read_all(LAYOUT, head(9) + bytes([0, 1, 5, 1]) + data)
    read_all(LAYOUT, head(9, span=99) + b"\0" + data)


@settings(max_examples=40)
@given(BATCHES, st.sampled_from(Precision), st.integers(1, 3), st.data())
def test_a_batch_with_some_bytes_changed(
    case: Case, precision: Precision, every: int, data: st.DataObject
) -> None:
    layout, rows, ticks = case
    whole = encode(layout, rows, ticks, [Group(every=every, precision=precision)])
    body = bytearray(whole)
    if data.draw(st.booleans()):  # beneath the compression, where a change is not noticed by zstd
        body = bytearray(_plain(whole))
        assert read_all(layout, bytes(body))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    read_all(layout, bytes(body))


@settings(max_examples=40)
@given(BATCHES, st.sampled_from(Precision), st.data())
def test_a_batch_that_ends_early_or_goes_on(case: Case, precision: Precision, data: st.DataObject) -> None:
    layout, rows, ticks = case
    whole = encode(layout, rows, ticks, [Group(precision=precision)])
    for bytes_ in (whole, _plain(whole)):
        assert not read_all(layout, bytes_[: data.draw(st.integers(0, len(bytes_) - 1))])
        assert not read_all(layout, bytes_ + b"\0")


def test_batches_of_recordings_with_some_bytes_changed(samples: Path) -> None:
    """Beneath the compression: flipped, cut, and put together of two."""
    chance = random.Random(5)
    for _, layout, rows, ticks in recorded(samples):
        kept = [
            encode(layout, rows[:20], ticks[:20], [Group(precision=precision)]) for precision in Precision
        ]
        plain = [_plain(data) for data in kept]
        for _ in range(30):
            body, other = bytearray(chance.choice(plain)), chance.choice(plain)
            at = chance.randrange(len(body))
            match chance.randrange(3):
                case 0:
                    body[at] ^= 1 << chance.randrange(8)
                case 1:
                    del body[at : at + chance.randrange(1, 9)]
                case _:
                    body[at:] = other[chance.randrange(len(other)) :]
            read_all(layout, bytes(body), bytes_max=1 << 20)


def _plain(data: bytes) -> bytes:
    """The same batch with its body not compressed."""
    reader = Reader(data)
    found = _head(reader)
    body = bytes(_body(reader, 1 << 24))
    front = b"".join([bytes([FORMAT]), found.digest, varint(unsigned(found.first_tick)), varint(found.rows)])
    return front + varint(found.last_tick - found.first_tick) + b"\0" + body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends 1 bytes too early"),
        (b"\x00", "begins with 0"),
        (head(9)[:5], "too early"),
        (head(0, span=0), "0 rows"),
        (head(4097), "4097 rows"),
        (head(9, span=3), "cannot be"),
        (head(9, first=1 << 60), "cannot be"),
        (b"\xc1" + bytes(8) + b"\x00\x02\x01\x00", "layout 0000000000000000"),
        (head(65), "65 rows; 64 are allowed"),
        (head(9) + b"\x07", "form 7"),
        (head(9) + bytes([ZSTD]) + varint(1 << 40), "are allowed"),
        (head(9) + bytes([ZSTD]) + varint(9) + b"not zstd.", "not zstd"),
        (head(9) + b"\0" + bytes(BYTES_MAX + 1), "are allowed"),
        (head(9) + b"\0" + varint(65), "65 groups"),
        (head(9) + b"\0\x01\x10", "flags 16"),
        (head(9) + b"\0\x01\x03", "flags 3"),
        (head(9) + b"\0\x01\x04\x00", "every 0 ticks"),
        (head(9) + b"\0\x01\x00\x01\xff", "does not have"),
        (head(9) + b"\0" + varint(2) + (b"\x04" + varint(1000)) * 2, "another group has"),
        (head(9) + b"\0\x00more", "4 bytes behind"),
        (head(9) + b"\0" + b"\xff" * 12, "more than 63 bits"),
    ],
)
def test_each_says_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(ColumnsError, match=words):
        decode(LAYOUT, data, rows_max=64, bytes_max=BYTES_MAX)


def test_a_body_that_is_a_bomb_is_not_opened() -> None:
    bomb = ZstdCompressor(19).compress(bytes(1 << 26), ZstdCompressor.FLUSH_FRAME)
    assert len(bomb) < 10_000
    for claimed in (1000, BYTES_MAX, 1 << 26):
        tracemalloc.start()
        try:
            with pytest.raises(ColumnsError):
                decode(
                    LAYOUT, head(9) + bytes([ZSTD]) + varint(claimed) + bomb, rows_max=64, bytes_max=BYTES_MAX
                )
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()


def test_a_few_bytes_that_claim_much_cost_little() -> None:
    """4,096 rows of a layout as large as one can be, in a hundred bytes."""
    layout = layout_of(*((f"V{n}", Type.DOUBLE, 4096, "") for n in range(8)))
    rows = np.zeros((4096, layout.row_bytes), np.uint8)[:50]
    data = encode(layout, rows, np.arange(50), [Group()])
    assert len(data) < 200
    tracemalloc.start()
    try:
        with pytest.raises(ColumnsError, match="are allowed"):
            decode(layout, data, rows_max=4096, bytes_max=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_memory_is_a_small_multiple_of_what_is_allowed() -> None:
    layout = layout_of(("V", Type.INT, 1000, ""))
    chance = np.random.default_rng(3)
    rows = chance.integers(0, 256, (60, 4000), np.uint8)
    data = encode(layout, rows, np.arange(60), [Group()])
    decode(layout, data, rows_max=60, bytes_max=1 << 18)
    tracemalloc.start()
    try:
        decode(layout, data, rows_max=60, bytes_max=1 << 18)
        assert tracemalloc.get_traced_memory()[1] < 20 << 18
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=60))
def test_a_head_is_read_without_the_body(data: bytes) -> None:
    try:
        found = peek(data)
    except ColumnsError:
        return
    assert found.rows >= 1 and found.last_tick - found.first_tick >= found.rows - 1


def test_a_head_of_a_batch_whose_body_is_lost() -> None:
    rows = np.zeros((30, LAYOUT.row_bytes), np.uint8)
    ticks = np.arange(100, 160, 2)
    data = encode(LAYOUT, rows, ticks, [Group()])
    found = peek(data[:16])
    assert (found.digest, found.first_tick, found.last_tick, found.rows) == (LAYOUT.digest, 100, 158, 30)
