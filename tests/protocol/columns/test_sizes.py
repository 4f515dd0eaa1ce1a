"""What a real race may take: the bounds that links and disks were reckoned with."""

from pathlib import Path

import numpy as np
import pytest

from bench.columns import dashboard
from protocol.columns import SNAPSHOT, Group, Precision, encode
from tests.protocol.columns.rowsof import recorded


@pytest.mark.parametrize(
    ("precision", "batch", "bytes_"),
    [
        (Precision.FINE, 60, 5), (Precision.FINE, 6, 16), (Precision.LOSSLESS, 60, 19), (Precision.LOSSLESS, 6, 45),
    ],
)  # fmt: skip
def test_seventeen_values(samples: Path, precision: Precision, batch: int, bytes_: float) -> None:
    for name, layout, rows, ticks in recorded(samples):
        if "Lat" not in layout or not name.startswith("race"):
            continue
        shown = dashboard(layout, rows[:600])
        sizes = [
            len(
                encode(SNAPSHOT, shown[at : at + batch], ticks[at : at + batch], [Group(precision=precision)])
            )
            for at in range(0, len(shown) - batch + 1, batch)
        ]
        assert np.mean(sizes) / batch <= bytes_


def test_all_channels_of_a_file(samples: Path) -> None:
    for name, layout, rows, ticks in recorded(samples):
        if name == "race_sebring_2025.ibt":
            sizes = [
                len(encode(layout, rows[at : at + 60], ticks[at : at + 60], [Group()]))
                for at in range(0, 2640, 60)
            ]
            assert np.mean(sizes) / 60 <= 205
