"""Sector times and stops of all cars from the car arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.telemetry.carfield import CarField

STARTS = (0.0, 0.25, 0.6)


def drive(
    field: CarField, lap_s: list[float], *, hz: float = 5.0, laps: float = 2.5, begin: float = 0.1
) -> None:
    """Cars that go evenly, each at its own pace, from `begin` on."""
    for step in range(int(laps * max(lap_s) * hz)):
        time_s = 100.0 + step / hz
        where = np.array([(begin + step / hz / pace) % 1.0 for pace in lap_s], np.float32)
        field.take(time_s, where, np.zeros(len(lap_s), bool))


def test_even_cars_have_even_sectors() -> None:
    field = CarField(STARTS)
    drive(field, [20.0, 24.0])
    for index, pace in enumerate((20.0, 24.0)):
        assert field.times(index).sectors == pytest.approx((0.25 * pace, 0.35 * pace, 0.4 * pace), abs=0.02)
        assert field.times(index).best == pytest.approx((0.25 * pace, 0.35 * pace, 0.4 * pace), abs=0.02)


def test_the_first_sector_seen_counts_from_its_beginning_only() -> None:
    field = CarField(STARTS)
    drive(field, [20.0], laps=0.3)  # from 0.1 to 0.4: the beginning of the first sector was not seen
    assert field.times(0).sectors == (None, None, None)


def test_a_car_that_is_towed_has_no_time_of_that_sector() -> None:
    field = CarField(STARTS)
    for step, where in enumerate((0.2, 0.26, 0.3, 0.55, 0.61, 0.7)):  # from 0.3 to 0.55 in one sample
        field.take(10.0 + step * 0.2, np.array([where]))
    assert field.times(0).sectors == (None, None, None)


def test_over_a_gap_nothing_is_told() -> None:
    field = CarField(STARTS)
    for time_s, where in ((0.0, 0.2), (0.2, 0.26), (8.0, 0.59), (8.2, 0.61), (8.4, 0.62)):
        field.take(time_s, np.array([where]))
    assert field.times(0).sectors == (None, None, None)


def test_stops_are_counted_when_a_car_comes_in() -> None:
    field = CarField(STARTS)
    for step, is_in in enumerate((True, True, False, True, True, False, False, True)):
        field.take(step * 0.2, np.array([0.1 + step * 0.001]), np.array([is_in]))
    assert field.times(0).stops == 2  # it began in the pits: that is no stop


def test_cars_that_are_not_there_are_not_known() -> None:
    field = CarField(STARTS)
    for step in range(20):
        field.take(step * 0.2, np.array([-1.0, np.nan]))
    assert field.times(0).sectors == field.times(1).sectors == (None, None, None)


@given(
    st.lists(st.lists(st.floats(-1.0, 1.0, width=32), min_size=3, max_size=3), max_size=60),
    st.lists(st.floats(0.0, 6.0), min_size=60, max_size=60),
    st.lists(st.floats(0.0, 1.0), max_size=7),
)
def test_whatever_comes_no_sector_is_shorter_than_nothing(
    samples: list[list[float]], steps: list[float], starts: list[float]
) -> None:
    field, time_s = CarField(tuple(starts)), 0.0
    for where, step in zip(samples, steps, strict=False):
        time_s += step
        field.take(time_s, np.array(where))
    for index in range(3):
        times = field.times(index)
        assert all(one is None or one >= 0.0 for one in (*times.sectors, *times.best))
        assert all(
            last is None or (best is not None and best <= last)
            for last, best in zip(times.sectors, times.best, strict=True)
        )
