"""docs/columns.md is enough to write a reader from: one that was reads what we write, and the tables in it are ours."""

import re
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.columns import Group, Precision, decode, encode
from protocol.columns.steps import BY_UNIT, step_of
from protocol.irsdk import Layout, Type, Variable
from tests.protocol.columns.rowsof import BATCHES
from tests.protocol.columns.slowreader import read

PAGE = (Path(__file__).parents[3] / "docs" / "columns.md").read_text()


def is_stepped(variable: Variable, precision: int) -> bool:
    return step_of(variable, Precision(precision)) is not None


@settings(max_examples=30)
@given(BATCHES, st.sampled_from(Precision), st.booleans(), st.integers(1, 3))
def test_another_reader_reads_the_same(
    case: tuple[Layout, NDArray[np.uint8], NDArray[np.int64]], precision: Precision, apart: bool, every: int
) -> None:
    layout, rows, ticks = case
    names = tuple(variable.name for variable in layout.variables)
    groups = [Group(precision=precision, every=every)]
    if apart and len(names) > 1:
        groups = [Group(names[::2], every, precision), Group(names[1::2], 2)]
    data = encode(layout, rows, ticks, groups)
    batch = decode(layout, data, rows_max=64, bytes_max=1 << 20)
    found = read(layout, data, is_stepped)
    assert {name for name in found if not name.startswith("byte ")} == set(batch.names)
    for name in batch.names:
        at, column = batch.column(name)
        told_at, told = found[name]
        assert at.tolist() == told_at
        variable = layout[name]
        group = next(each for each in batch.groups if not each.names or name in each.names)
        step = step_of(variable, group.precision) or 0.0
        dtype = variable.type.dtype
        for got, cells in zip(column.reshape(len(at), variable.count), told, strict=True):
            for value, (kind, number) in zip(got, cells, strict=True):
                assert _bits(value) == (_bits(dtype.type(number * step)) if kind == "steps" else number)


def _bits(value: Any) -> int:
    return int(np.asarray(value).view(f"u{np.asarray(value).itemsize}"))


def test_the_steps_in_the_page() -> None:
    table = PAGE[PAGE.index("| else by unit") : PAGE.index("Any other unit")]
    told: dict[str, float] = {}
    for cell, steps in re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)[1:]:
        units = [re.sub(r" \(.*\)", "", unit) for unit in cell.split(" · ")]
        each = steps.split(" · ")
        told |= dict(zip(units, each * len(units) if len(each) == 1 else each, strict=len(each) > 1))
    words = {"0.1/3.6": 0.1 / 3.6, "0.1 π/180": 0.1 * pi / 180, "10⁻⁵": 1e-5}
    assert {unit: words[step] if step in words else float(step) for unit, step in told.items()} == BY_UNIT
    for name, step in re.findall(r"^\| ((?:\w+, )*LapDistPct.*?|Lat, .*?) \| (10⁻.)", PAGE, re.MULTILINE):
        for each in name.split(", "):
            assert (
                step_of(Variable(each, Type.FLOAT, 0), Precision.FINE) == {"10⁻⁶": 1e-6, "10⁻⁵": 1e-5}[step]
            )
