"""Corners, how they were driven and what that cost, against laps reckoned by hand."""

import math

import numpy as np
import pytest
from attrs import evolve

from daemons.telemetry.analysis import (
    consistency,
    curvature,
    driven,
    find_corners,
    length_m,
    lost_s,
    stretch_s,
)
from daemons.telemetry.analysis.positions import Placed
from tests.daemons.telemetry.analysis.bypen import LENGTH_M, OTHER, REFERENCE, REFERENCE_S, Stretch, drive

ABOUT_M = 12.0
"""Bends are evened out over 15 m."""


def metres(position: float | None) -> float:
    assert position is not None
    return position * LENGTH_M


def without(lap: Placed, *names: str) -> Placed:
    return evolve(lap, columns={name: values for name, values in lap.columns.items() if name not in names})


def with_hole(lap: Placed, first_m: float, last_m: float) -> Placed:
    gone = (lap.positions > first_m / LENGTH_M) & (lap.positions < last_m / LENGTH_M)
    columns = {name: np.where(gone, math.nan, values) for name, values in lap.columns.items()}
    return Placed(lap.positions, np.where(gone, math.nan, lap.time_s), columns)


def test_length_and_curvature() -> None:
    lap = drive(REFERENCE)
    assert length_m(lap) == pytest.approx(LENGTH_M, rel=1e-3)
    bent = curvature(lap, LENGTH_M)
    at = {where: float(np.interp(where / LENGTH_M, lap.positions, bent)) for where in (200, 450, 1120)}
    assert at == pytest.approx({200: 0, 450: 1 / 50, 1120: -1 / 60}, abs=1e-4)


def test_corners_by_curvature() -> None:
    left, right = find_corners(drive(REFERENCE))  # and the kink is none
    assert (left.number, right.number) == (1, 2)
    assert [metres(left.start), metres(left.end)] == pytest.approx([400, 500], abs=ABOUT_M)
    assert [metres(right.start), metres(right.end)] == pytest.approx([1090, 1150], abs=ABOUT_M)
    assert [left.turn_rad, right.turn_rad] == pytest.approx([2, -1], abs=0.02)
    assert (left.first, right.last) == (0, 1) and left.last == right.first
    assert 700 <= metres(left.last) <= 1000  # on the straight


def test_corners_by_speed_where_there_is_no_yaw_rate() -> None:
    first, second = find_corners(without(drive(REFERENCE), "YawRate"))
    assert metres(first.start) == pytest.approx(300, abs=ABOUT_M) and 500 < metres(first.end) < 560
    assert metres(second.start) == pytest.approx(1000, abs=ABOUT_M) and 1150 < metres(second.end) < 1200
    assert 400 - ABOUT_M <= metres(first.apex) <= 500 + ABOUT_M
    assert first.turn_rad is None
    half_known = evolve(
        drive(REFERENCE), columns={**drive(REFERENCE).columns, "YawRate": np.full(1501, math.nan)}
    )
    assert find_corners(half_known) == [first, second]


def test_a_bend_that_goes_on_is_one_corner() -> None:
    stretches = [
        Stretch(400, 40),
        Stretch(60, 40, 40),
        Stretch(10, 40),
        Stretch(60, 40, 80),
        Stretch(470, 40),
    ]
    (corner,) = find_corners(drive(stretches, first_speed=40))
    assert corner.turn_rad == pytest.approx(60 / 40 + 60 / 80, abs=0.03)
    two = [Stretch(400, 40), Stretch(60, 40, 40), Stretch(10, 40), Stretch(60, 40, -80), Stretch(470, 40)]
    assert [round(corner.turn_rad or 0, 1) for corner in find_corners(drive(two, first_speed=40))] == [
        1.5,
        -0.7,
    ]


def test_no_corners_where_nothing_is_known() -> None:
    lap = drive(REFERENCE)
    assert find_corners(with_hole(lap, 600, 640)) == []
    assert find_corners(drive([Stretch(1500, 50)])) == []
    assert find_corners(without(drive([Stretch(1500, 50)]), "YawRate")) == []


def test_how_a_corner_was_driven() -> None:
    corners = find_corners(drive(REFERENCE))
    left, right = driven(drive(REFERENCE), corners)
    assert left is not None and right is not None
    assert left.entry_speed == pytest.approx(30, abs=2.5) and left.apex_speed == pytest.approx(30, abs=0.1)
    assert left.exit_speed == pytest.approx(30, abs=2.5) and 400 <= metres(left.apex_at) <= 500
    # From 0 to 0.8 in 4 m: at 0.05 after 0.25 m; off again from 400 m on, at 0.05 after 3.75 m.
    assert metres(left.brake_at) == pytest.approx(300.25, abs=1)
    assert metres(left.brake_off_at) == pytest.approx(403.75, abs=1)
    assert left.brake_peak == pytest.approx(0.8, abs=1e-6)
    # From 0 to 0.5 from 400 m on: at 0.05 after 0.4 m. From 0.5 to 1 from 500 m on: at 0.98 after 3.84 m.
    assert metres(left.throttle_at) == pytest.approx(400.4, abs=1)
    assert metres(left.full_at) == pytest.approx(503.84, abs=1)
    assert metres(right.brake_at) == pytest.approx(1000.33, abs=1)
    assert right.apex_speed == pytest.approx(40, abs=0.1) and right.brake_peak == pytest.approx(0.6, abs=1e-6)


def test_throttle_that_comes_back_behind_the_slowest_point() -> None:
    corners = find_corners(drive(REFERENCE))
    left, right = driven(drive(OTHER), corners)
    assert left is not None and right is not None
    assert metres(left.brake_at) == pytest.approx(320.2, abs=1) and left.brake_peak == pytest.approx(
        1, abs=1e-6
    )
    assert metres(left.throttle_at) == pytest.approx(500 + 4 * 0.05 / 0.8, abs=1)
    assert metres(left.full_at) == pytest.approx(740 + 4 * 0.18 / 0.2, abs=1)
    assert right.apex_speed == pytest.approx(40, abs=0.1)


def test_who_brakes_before_the_stretch_begins_is_seen_to() -> None:
    corners = find_corners(drive(REFERENCE))
    early = (*REFERENCE[:6], Stretch(40, 50), Stretch(130, 40, brake=0.4, throttle=0), *REFERENCE[8:])
    _, right = driven(drive(early), corners)
    assert right is not None and metres(right.brake_at) == pytest.approx(960.5, abs=1)
    assert metres(corners[1].first) > 990


def test_a_corner_that_is_flat_has_no_pedal_points() -> None:
    stretches = [Stretch(700, 50), Stretch(200, 50, 150), Stretch(600, 50)]
    lap = drive(stretches)
    (corner,) = find_corners(lap)
    (way,) = driven(lap, [corner])
    assert way is not None
    assert (way.brake_at, way.brake_peak, way.brake_off_at, way.throttle_at, way.full_at) == (None,) * 5
    assert way.entry_speed == way.exit_speed == pytest.approx(50)


def test_time_lost_in_each_corner_is_what_was_lost_in_all() -> None:
    reference, other = drive(REFERENCE), drive(OTHER)
    corners = find_corners(reference)
    assert stretch_s(reference, corners).sum() == pytest.approx(REFERENCE_S, abs=1e-6)
    assert lost_s(other, reference, corners).tolist() == pytest.approx([0.1, 0], abs=2e-3)
    assert lost_s(reference, reference, corners).tolist() == [0, 0]


def test_a_corner_with_a_hole_is_not_told() -> None:
    reference = drive(REFERENCE)
    corners = find_corners(reference)
    holed = with_hole(reference, 420, 450)
    left, right = driven(holed, corners)
    assert left is None and right is not None
    assert lost_s(with_hole(reference, 1400, 1600), reference, corners).tolist() == pytest.approx(
        [0, math.nan], nan_ok=True
    )


def test_consistency() -> None:
    """Three laps of 33.533, 33.633 and 33.533 s; braking at 300.25, 320.2 and 300.25 m."""
    laps = [drive(REFERENCE), drive(OTHER), drive(REFERENCE)]
    told = consistency(laps, find_corners(laps[0]))
    assert told.times_s == pytest.approx([REFERENCE_S, REFERENCE_S + 0.1, REFERENCE_S], abs=1e-6)
    assert told.best_s == pytest.approx(REFERENCE_S) and told.mean_s == pytest.approx(REFERENCE_S + 1 / 30)
    assert told.spread_s == pytest.approx(0.1 / math.sqrt(3), abs=1e-6)
    assert told.ideal_s == pytest.approx(REFERENCE_S, abs=2e-3)
    left, right = told.corners
    assert left.time_s == pytest.approx(0.1 / math.sqrt(3), abs=2e-3)
    assert left.brake_at * LENGTH_M == pytest.approx(19.95 / math.sqrt(3), abs=1)
    assert (right.time_s, right.apex_speed) == pytest.approx((0, 0), abs=2e-3)
    # At 310 m the reference has braked for 10 m: sqrt(2500 - 160) = 48.374; the other still has 50.
    at = int(np.searchsorted(laps[0].positions, 310 / LENGTH_M))
    assert told.speed_spread[at] == pytest.approx((50 - math.sqrt(2340)) / math.sqrt(3), abs=0.02)


def test_the_best_of_each_corner_makes_the_ideal_lap() -> None:
    """Left as the reference, 0.1 s better than the other; right 0.1 s better in the other, from which it then differs."""
    quick_right = (
        *OTHER[:7],
        Stretch(90, 45, brake=0.3, throttle=0),
        Stretch(60, 45, -60),
        Stretch(90, 50),
        OTHER[-1],
    )
    laps = [drive(REFERENCE), drive(quick_right)]
    told = consistency(laps, find_corners(laps[0]))
    # 90 m from 50 to 45 and back take 2 · 1.8947 s for 2 · 2 s, 60 m at 45 take 1.3333 for 1.5.
    won = 2 * (2 - 180 / 95) + 1.5 - 60 / 45
    assert told.times_s[1] == pytest.approx(REFERENCE_S + 0.1 - won, abs=2e-3)
    assert told.ideal_s == pytest.approx(REFERENCE_S - won, abs=3e-3)


def test_a_lap_with_a_hole_counts_where_it_is_known() -> None:
    laps = [drive(REFERENCE), with_hole(drive(OTHER), 1200, 1600), drive(REFERENCE)]
    told = consistency(laps, find_corners(laps[0]))
    assert math.isnan(told.times_s[1]) and told.spread_s == 0
    left, right = told.corners
    assert left.time_s == pytest.approx(0.1 / math.sqrt(3), abs=2e-3) and right.time_s == 0
    assert told.speed_spread[-1] == 0 and told.speed_spread[int(0.31 * 1500 / 1.5)] > 0.5


def test_one_lap_has_no_spread_and_none_cannot_be_compared() -> None:
    lap = drive(REFERENCE)
    told = consistency([lap], find_corners(lap))
    assert math.isnan(told.spread_s) and np.isnan(told.speed_spread).all()
    assert told.best_s == told.mean_s == pytest.approx(REFERENCE_S)
    with pytest.raises(ValueError, match="no laps"):
        consistency([], [])
