"""Values of all lanes at once are those that the columns have, in every precision, and on real recordings."""

from pathlib import Path

import numpy as np
import pytest

from daemons.telemetry.capture.ibtfile import IbtFile
from daemons.telemetry.lanes import columns_of, extremes, newest
from daemons.telemetry.plausible import implausible
from protocol.columns import Batch, Group, Precision, decode, encode
from protocol.irsdk import Layout, Type, Variable
from tests.daemons.telemetry.finding.test_laps import drive
from tests.daemons.telemetry.rig import LAYOUT, rows_of


def columns_say(batch: Batch, layout: Layout) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Return newest values and extremes by the slow way."""
    values = {name: batch.column(name)[1].astype(np.float64) for name in batch.names}
    last = {n: float(v[-1]) for n, v in values.items() if layout[n].count == 1 and np.isfinite(v[-1])}
    return last, {name: (float(v.min()), float(v.max())) for name, v in values.items()}


def check(batch: Batch, layout: Layout) -> None:
    last, ends = columns_say(batch, layout)
    found = newest(batch)
    assert found.keys() == last.keys()
    assert all(found[name] == pytest.approx(last[name], rel=1e-6, abs=1e-6) for name in last)
    single = [
        name
        for name in batch.names
        if layout[name].count == 1 and len(batch.column(name)[0]) == len(batch.ticks)
    ]
    columns = columns_of(batch, batch.names)
    assert sorted(columns) == sorted(single)
    for name in single:
        assert np.allclose(
            columns[name], batch.column(name)[1].astype(np.float64), rtol=1e-6, atol=1e-6, equal_nan=True
        )
    seen: dict[str, tuple[float, float]] = {}
    for one in extremes(batch):
        for variable, least, greatest in zip(one.section.variables, one.least, one.greatest, strict=True):
            if variable is not None:
                before = seen.get(variable.name, (least, greatest))
                seen[variable.name] = min(before[0], least), max(before[1], greatest)
    assert seen.keys() == ends.keys()
    for name, (least, greatest) in ends.items():
        if np.isfinite(least) and np.isfinite(greatest):
            assert seen[name] == pytest.approx((least, greatest), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("precision", Precision)
def test_lanes_are_the_columns(precision: Precision) -> None:
    rows = rows_of(drive(laps=0.2, lap_s=10.0)).copy()
    names = tuple(variable.name for variable in LAYOUT.variables)
    for count in (1, 15, 60):
        groups = [Group(names[:5], precision=precision), Group(names[5:], precision=precision)]
        data = encode(LAYOUT, rows[:count].copy(), np.arange(count), groups)
        check(decode(LAYOUT, data, rows_max=60, bytes_max=1 << 20), LAYOUT)


def test_flags_with_the_highest_bit_and_numbers_below_zero_are_what_they_are() -> None:
    layout = Layout(
        (Variable("Flags", Type.BITFIELD, 0), Variable("Where", Type.INT, 4), Variable("On", Type.BOOL, 8)), 9
    )
    rows = np.zeros((3, 9), np.uint8)
    table = rows.view(layout.dtype)[:, 0]
    table["Flags"], table["Where"], table["On"] = 0x80000001, [-1, 3, -1], [0, 1, 7]
    batch = decode(layout, encode(layout, rows, np.arange(3), [Group()]), rows_max=9, bytes_max=9999)
    assert newest(batch) == {"Flags": 0x80000001, "Where": -1.0, "On": 7.0}
    assert implausible(batch) == {"On"}


def test_nothing_in_a_real_recording_is_implausible(samples: Path) -> None:
    path = samples / "iracing" / "race_sebring_2025.ibt"
    with IbtFile.open(path) as file:
        layout, count = file.layout, file.rows
    data = np.frombuffer(path.read_bytes(), np.uint8)
    rows = data[len(data) - count * layout.row_bytes :].reshape(count, layout.row_bytes)
    for precision in (Precision.LOSSLESS, Precision.FINE):
        names = () if precision == Precision.LOSSLESS else tuple(v.name for v in layout.variables)
        for at in (0, 600):
            packed = encode(
                layout, rows[at : at + 60].copy(), np.arange(60), [Group(names, precision=precision)]
            )
            batch = decode(layout, packed, rows_max=60, bytes_max=1 << 22)
            check(batch, layout)
            assert implausible(batch) == set()
