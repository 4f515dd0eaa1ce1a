"""A lap on a grid of positions, and time lost by position, against laps reckoned by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.telemetry.analysis import delta, grid, place
from tests.daemons.telemetry.analysis.bypen import LENGTH_M, OTHER, REFERENCE, REFERENCE_S, drive

AT = [0, 300, 400, 500, 700, 900, 1000, 1150, 1500]


def test_time_at_positions() -> None:
    lap = drive(REFERENCE)
    times = np.interp(np.array(AT) / LENGTH_M, lap.positions, lap.time_s)
    by_hand = [0, 6, 8.5, 11 + 5 / 6, 16 + 5 / 6, 20 + 5 / 6, 22 + 5 / 6, 26 + 1 / 3, REFERENCE_S]
    assert times == pytest.approx(by_hand, abs=1e-3)


def test_time_lost_by_position() -> None:
    lost = delta(drive(OTHER), drive(REFERENCE))
    at = {
        metres: float(np.interp(metres / LENGTH_M, grid(1501), lost))
        for metres in (0, 300, 400, 500, 740, 1200, 1500)
    }
    assert at == pytest.approx({0: 0, 300: 0, 400: -0.1, 500: -0.1, 740: 0.1, 1200: 0.1, 1500: 0.1}, abs=2e-3)


def test_a_channel_of_steps_is_not_between() -> None:
    lap = place(
        np.array([0, 0.3, 0.6, 1]), np.array([0, 0.4, 0.8, 1.2]),
        {"Gear": np.array([2, 3, 4, 4]), "Speed": np.array([10, 20, 30, 30])},
        np.array([0.15, 0.3, 0.59, 0.6]), steps={"Gear"},
    )  # fmt: skip
    assert lap.columns["Gear"].tolist() == [2, 3, 3, 4]
    assert lap.columns["Speed"].tolist() == pytest.approx([15, 20, 29.667, 30], abs=1e-3)


def test_a_hole_and_what_was_not_driven_are_not_bridged() -> None:
    position = np.array([0.1, 0.2, 0.3, 0.5, 0.6])
    lap = place(position, np.array([1.0, 1.4, 1.8, 4.0, 4.4]), {"Speed": position * 100}, np.arange(11) / 10)
    assert np.isnan(lap.time_s).tolist() == [True, False, False, False, True, False, False, *[True] * 4]
    assert np.isnan(lap.columns["Speed"]).tolist() == np.isnan(lap.time_s).tolist()
    assert lap.time_s[3] == 1.8 and lap.time_s[5] == 4.0


def test_a_spin_counts_once() -> None:
    position = np.array([0, 0.2, 0.4, 0.35, 0.3, 0.4, 0.6, 1])
    lap = place(position, np.arange(8) * 0.1, {"Speed": np.arange(8.0)}, np.array([0.2, 0.4, 0.6]))
    assert lap.time_s.tolist() == pytest.approx([0.1, 0.2, 0.6])


def test_the_line_is_crossed_where_the_lap_says() -> None:
    lap = place(np.array([0.005, 0.5, 0.995]), np.array([0.05, 0.4, 0.8]), {}, grid(3), lap_s=0.85)
    assert lap.time_s.tolist() == pytest.approx([0, 0.4, 0.85])
    assert place(np.array([0.005, 0.5, 0.9]), np.array([0.05, 0.4, 0.8]), {}, grid(3)).time_s[
        2:
    ].tolist() == pytest.approx([math.nan], nan_ok=True)


@pytest.mark.parametrize("position", [[], [0.5], [math.nan, math.nan], [0.5, 0.5, 0.4]])
def test_what_is_no_lap_has_nothing_known(position: list[float]) -> None:
    count = len(position)
    lap = place(np.array(position), np.arange(count), {"Speed": np.ones(count)}, grid(5))
    assert np.isnan(lap.time_s).all() and np.isnan(lap.columns["Speed"]).all()


@given(st.lists(st.floats(0.001, 0.3), min_size=8, max_size=60), st.integers(2, 90))
def test_a_lap_loses_nothing_against_itself_and_time_ascends(gaps: list[float], points: int) -> None:
    way = np.concatenate(([0.0], np.cumsum(gaps)))
    lap = place(way / way[-1], np.arange(len(way)) * 0.1, {}, grid(points), lap_s=(len(way) - 1) * 0.1)
    assert (delta(lap, lap) == 0).all()
    assert (np.diff(lap.time_s) > 0).all()
    assert lap.time_s[-1] == pytest.approx((len(way) - 1) * 0.1)
