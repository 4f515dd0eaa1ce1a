"""What goes into a batch comes out of it: every bit, or within half a step of what was asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.columns import ColumnsError, Group, Precision, decode, encode, peek
from protocol.columns.steps import step_of
from protocol.irsdk import Layout, Type
from tests.protocol.columns.rowsof import BATCHES, batches_of, layout_of, recorded, rows_of

ROWS_MAX, BYTES_MAX = 4096, 1 << 24
ALL = [Group()]
Case = tuple[Layout, NDArray[np.uint8], NDArray[np.int64]]


def bits(column: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(column).tobytes()


@settings(max_examples=40)
@given(BATCHES)
def test_a_lossless_batch_of_everything_gives_every_byte_back(case: Case) -> None:
    layout, rows, ticks = case
    data = encode(layout, rows, ticks, ALL)
    batch = decode(layout, data, rows_max=ROWS_MAX, bytes_max=BYTES_MAX)
    assert bits(batch.rows()) == bits(rows)
    assert batch.ticks.tolist() == ticks.tolist()
    assert batch.names == tuple(variable.name for variable in layout.variables)
    values = rows.view(layout.dtype)[:, 0]
    for name in batch.names:
        at, column = batch.column(name)
        assert at.tolist() == ticks.tolist()
        assert column.dtype == values[name].dtype and column.shape == values[name].shape
        assert bits(column) == bits(values[name])
    head = peek(data)
    assert (head.digest, head.first_tick, head.last_tick, head.rows) == (
        layout.digest, ticks[0], ticks[-1], len(rows),
    )  # fmt: skip


@settings(max_examples=40)
@given(BATCHES)
def test_what_moved_and_what_stood_still_are_counted_apart(case: Case) -> None:
    layout, rows, ticks = case
    batch = decode(layout, encode(layout, rows, ticks, ALL), rows_max=ROWS_MAX, bytes_max=BYTES_MAX)
    values = rows.view(layout.dtype)[:, 0]
    moved = free = 0
    for variable in layout.variables:
        raw = np.ascontiguousarray(values[variable.name]).reshape(len(rows), variable.count)
        raw = raw.view(f"u{raw.itemsize}")
        moved += int((raw != raw[0]).any(axis=0).sum())
        free += variable.count
    outside = np.ones(layout.row_bytes, bool)
    for variable in layout.variables:
        outside[variable.offset : variable.offset + variable.size] = False
    moved += int((rows[:, outside] != rows[0, outside]).any(axis=0).sum())
    assert batch.changed == moved * len(rows)
    assert batch.changed + batch.constant == (free + int(outside.sum())) * len(rows)


@settings(max_examples=40)
@given(BATCHES, st.sampled_from([Precision.FINE, Precision.COARSE]), st.integers(1, 7))
def test_a_quantised_batch_is_within_half_a_step(case: Case, precision: Precision, every: int) -> None:
    layout, rows, ticks = case
    data = encode(layout, rows, ticks, [Group(every=every, precision=precision)])
    batch = decode(layout, data, rows_max=ROWS_MAX, bytes_max=BYTES_MAX)
    sampled = ticks % every == 0
    values = rows.view(layout.dtype)[:, 0][sampled]
    for variable in layout.variables:
        at, column = batch.column(variable.name)
        assert at.tolist() == ticks[sampled].tolist()
        truth = values[variable.name]
        assert column.shape == truth.shape and column.dtype == truth.dtype
        step = step_of(variable, precision)
        if step is None:
            assert bits(column) == bits(truth)
            continue
        assert np.array_equal(column[~np.isfinite(truth)], truth[~np.isfinite(truth)], equal_nan=True)
        close = np.isfinite(truth)
        slack = step / 2 + np.abs(truth[close].astype(float)) * 1e-6
        with np.errstate(over="ignore"):
            assert (np.abs(column[close].astype(float) - truth[close].astype(float)) <= slack).all()


@settings(max_examples=40)
@given(BATCHES, st.data())
def test_groups_are_sampled_by_their_own_ticks(case: Case, data: st.DataObject) -> None:
    layout, rows, ticks = case
    names = [variable.name for variable in layout.variables]
    if len(names) < 2:
        return
    cut = data.draw(st.integers(1, len(names) - 1))
    groups = [Group(tuple(names[cut:]), 3), Group(tuple(names[: cut // 2 + 1]), 2)]
    batch = decode(layout, encode(layout, rows, ticks, groups), rows_max=ROWS_MAX, bytes_max=BYTES_MAX)
    values = rows.view(layout.dtype)[:, 0]
    assert set(batch.names) == {*groups[0].names, *groups[1].names}
    for group in groups:
        for name in group.names:
            at, column = batch.column(name)
            assert at.tolist() == [tick for tick in ticks.tolist() if tick % group.every == 0]
            assert bits(column) == bits(values[name][ticks % group.every == 0])
    with pytest.raises(ColumnsError, match="one lossless group of everything"):
        batch.rows()


def test_batches_join_whatever_their_size() -> None:
    layout = layout_of(("Speed", Type.FLOAT, 1, "m/s"))
    ticks = np.arange(1000, 1100)
    rows = rows_of(layout, Speed=np.sin(ticks / 10))
    found: list[int] = []
    for piece in batches_of(100, 7):
        data = encode(layout, rows[piece], ticks[piece], [Group(every=12)])
        found += decode(layout, data, rows_max=7, bytes_max=999).column("Speed")[0].tolist()
    assert found == [tick for tick in range(1000, 1100) if tick % 12 == 0]


def test_a_value_that_has_no_whole_number_of_steps_is_kept_exactly() -> None:
    layout = layout_of(
        ("Speed", Type.FLOAT, 3, "m/s"), ("SessionTime", Type.DOUBLE, 2, "s"), ("Lap", Type.INT, 1, "")
    )
    speed = np.array([[1, np.nan, 3], [1.1, 5, -np.inf], [1.2, 5, 3]], "<f4")
    clock = np.array([[1e300, 5.0], [1e300, 6.0], [2e300, 6.5]])
    rows = rows_of(layout, Speed=speed, SessionTime=clock, Lap=[1, 2, 3])
    data = encode(layout, rows, np.arange(3), [Group(precision=Precision.FINE)])
    batch = decode(layout, data, rows_max=3, bytes_max=999)
    assert bits(batch.column("Speed")[1][:, 1:]) == bits(speed[:, 1:])
    assert bits(batch.column("SessionTime")[1][:, 0]) == bits(clock[:, 0])
    assert np.allclose(batch.column("Speed")[1][:, 0], speed[:, 0], atol=0.05 / 3.6 + 1e-7)
    assert batch.column("SessionTime")[1][:, 1].tolist() == [5, 6, 6.5]


def test_every_recording_comes_back_byte_for_byte(samples: Path) -> None:
    seen = 0
    for name, layout, rows, ticks in recorded(samples):
        for piece in batches_of(len(rows), 60 if len(rows) < 1000 else 300):
            data = encode(layout, rows[piece], ticks[piece], ALL)
            batch = decode(layout, data, rows_max=ROWS_MAX, bytes_max=BYTES_MAX)
            assert bits(batch.rows()) == bits(rows[piece]), name
            assert batch.ticks.tolist() == ticks[piece].tolist()
            seen += len(batch.ticks)
    assert seen


def test_ticks_of_another_width_and_apart_from_each_other() -> None:
    layout = layout_of(("Lap", Type.INT, 1, ""))
    ticks = np.arange(40, dtype=np.int32)[1::3]
    data = encode(layout, rows_of(layout, Lap=ticks), ticks, ALL)
    batch = decode(layout, data, rows_max=40, bytes_max=999)
    assert batch.ticks.tolist() == batch.column("Lap")[1].tolist() == list(range(1, 40, 3))


@pytest.mark.parametrize(
    ("rows", "ticks", "words"),
    [
        (np.zeros((0, 4), np.uint8), np.zeros(0, np.int64), "0 rows"),
        (np.zeros((2, 4), np.uint8), np.arange(3), "2 rows with 3 ticks"),
        (np.zeros((2, 5), np.uint8), np.arange(2), "4 bytes side by side"),
        (np.zeros((2, 8), np.uint8)[:, ::2], np.arange(2), "4 bytes side by side"),
        (np.zeros((2, 4), np.uint8), np.array([5, 5]), "do not ascend"),
        (np.zeros((2, 4), np.uint8), np.array([5, 1 << 60]), "do not ascend"),
    ],
)
def test_rows_that_cannot_be_are_refused(
    rows: NDArray[np.uint8], ticks: NDArray[np.int64], words: str
) -> None:
    layout = layout_of(("Lap", Type.INT, 1, ""))
    with pytest.raises(ColumnsError, match=words):
        encode(layout, rows, ticks, ALL)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([Group(("Lap", "Fuel"))], "not in this layout: Fuel"),
        ([Group(every=0)], "every 0 ticks"),
        ([Group(), Group(("Lap",))], "in two groups: Lap"),
        ([Group(("Lap",), every=5)] * 65, "65 groups"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups: list[Group], words: str) -> None:
    layout = layout_of(("Lap", Type.INT, 1, ""))
    with pytest.raises(ColumnsError, match=words):
        encode(layout, np.zeros((2, 4), np.uint8), np.arange(2), groups)
