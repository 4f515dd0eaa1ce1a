"""What pages and API compute without waiting: units and signs, runs of ticks, gaps between cars, laps by position, colours."""

import math
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from daemons.telemetry.look import CarEntry, Column, Lap, LapColumns
from daemons.telemetry.web.byposition import deltas, grid, on_grid
from daemons.telemetry.web.channels import CHANNELS, listed, parts_of
from daemons.telemetry.web.colours import coloured
from daemons.telemetry.web.field import field_of
from daemons.telemetry.web.snapshotbody import BadSnapshot, read_posted

from .fake import LAP_S, OWN, a_lap, cars_at, laps_of


def column(first: int, *values: float, step: int = 1) -> Column:
    return Column(np.arange(first, first + step * len(values), step, dtype=np.int64), np.array(values))


# --- units


def test_the_seeds_units_and_signs() -> None:
    columns = {
        "Speed": column(5, 10.0, 20.0),
        "Throttle": column(5, 0.5, 1.0),
        "SteeringWheelAngle": column(5, math.pi / 2, -math.pi),  # the simulator: left is positive
        "Gear": Column(np.array([5, 6], dtype=np.int64), np.array([-1, 4], dtype=np.int32)),
    }
    (part,) = parts_of(columns, ["speed", "throttle", "steering", "gear", "rpm"])
    assert part == {
        "first": 5,
        "step": 1,
        "columns": {
            "speed": [36.0, 72.0],
            "throttle": [50.0, 100.0],
            "steering": [-90.0, 180.0],
            "gear": [-1, 4],
        },
    }


def test_what_is_not_known_is_null_and_minus_zero_is_zero() -> None:
    assert listed(np.array([1.26, math.nan, math.inf, -0.01]), 1) == [1.3, None, None, 0.0]
    assert math.copysign(1, float(listed(np.array([-0.01]), 1)[0] or 0.0)) == 1
    assert listed(np.array([2.6, math.nan]), 0) == [3, None]
    assert [type(value) for value in listed(np.array([2.6]), 0)] == [int]


def test_ticks_that_are_missing_part_a_chunk() -> None:
    ticks = np.array([1, 2, 3, 6, 7, 20], dtype=np.int64)
    columns = {"Speed": Column(ticks, np.arange(6.0)), "RPM": column(0, 1.0, 2.0, step=12)}
    parts = parts_of(columns, ["speed", "rpm"])
    assert [(part["first"], part["step"], len(next(iter(part["columns"].values())))) for part in parts] == [
        (1, 1, 3), (6, 1, 2), (20, 1, 1), (0, 12, 2),
    ]  # fmt: skip


@given(st.lists(st.integers(0, 300), unique=True, max_size=60).map(sorted))
def test_parts_hold_every_tick_once_in_order(ticks: list[int]) -> None:
    columns = {"Speed": Column(np.array(ticks, dtype=np.int64), np.array(ticks, dtype=float))}
    found = []
    for part in parts_of(columns, ["speed"]):
        values = part["columns"]["speed"]
        found += [part["first"] + n * part["step"] for n in range(len(values))]
        assert values == [round(3.6 * (part["first"] + n * part["step"]), 1) for n in range(len(values))]
    assert found == ticks


# --- gaps between cars


def test_gaps_are_seconds_of_driving() -> None:
    told = field_of(cars_at(np.array([0, 12])), OWN, LAP_S)
    assert told is not None
    assert told["tick"] == 12
    cars = {car[0]: car for car in told["cars"]}
    assert sorted(cars) == [0, 1, 2, 3]  # who is not in the world is not there
    assert [cars[index][6] for index in range(4)] == [3.0, -3.0, 0.0, 15.0]
    assert (cars[1][5], cars[1][3], cars[0][5]) == (True, 4, False)


def test_between_classes_the_part_of_the_lap_counts() -> None:
    """A prototype takes 80 s, a GT 100 s: at the same place their estimates differ by what they differ in pace."""
    columns = {
        "CarIdxLapDistPct": Column(np.array([9]), np.array([[0.5, 0.5, 0.51]])),
        "CarIdxLap": Column(np.array([9]), np.array([[4, 4, 4]])),
        "CarIdxEstTime": Column(np.array([9]), np.array([[48.0, 40.0, 50.0]])),
    }
    classes = [CarEntry(n, str(n), "", car_class=name) for n, name in enumerate(("GT3", "GTP", "GT3"))]
    told = field_of(columns, 0, 100.0, classes)
    assert told is not None
    assert [car[6] for car in told["cars"]] == [0.0, 0.0, 2.0]


def test_a_lap_down_and_what_is_not_known() -> None:
    columns = {
        "CarIdxLapDistPct": Column(np.array([9]), np.array([[0.5, 0.6, 0.1]])),
        "CarIdxLap": Column(np.array([9]), np.array([[4, 3, -1]])),
        "CarIdxPosition": Column(np.array([8]), np.array([[1, 2, 3]])),  # of another moment
    }
    told = field_of(columns, 0, 100.0)
    assert told is not None
    assert [car[6] for car in told["cars"]] == [0.0, -90.0, None]
    assert [car[3] for car in told["cars"]] == [None] * 3
    assert all(car[6] is None for car in (field_of(columns, 0, None) or {})["cars"])
    assert all(car[6] is None for car in (field_of(columns, 99, 100.0) or {})["cars"])
    assert field_of({}, 0, 100.0) is None


# --- laps by position


def lap(**more: Any) -> Lap:
    return evolve(laps_of("s", 0)[2], **more)


def test_delta_against_a_lap_computed_by_hand() -> None:
    """30 s at an even pace, and the same with 2 s lost evenly between 0.4 and 0.6 of the lap."""
    even = at_60_hz(lap(time_s=30.0), [0.001, 0.5, 0.999], [0.03, 15.0, 29.97])
    slow = at_60_hz(lap(time_s=32.0), [0.001, 0.4, 0.6, 0.999], [0.03, 12.0, 20.0, 31.97])
    reference, lost = (on_grid(one, grid(11), ()) for one in (even, slow))
    none, delta = deltas([reference, lost])
    assert none.tolist() == [0.0] * 11
    # A knee between two samples is cut off: at most half a tick.
    assert np.allclose(delta, [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2], atol=1 / 120)
    assert np.allclose(reference.time_s, np.linspace(0, 30, 11), atol=1e-9)
    assert (delta[0], round(float(delta[-1]), 9)) == (0.0, 2.0)


def at_60_hz(one: Lap, position: list[float], when_s: list[float]) -> LapColumns:
    """Return a lap that is where it is when, evenly between: samples further apart than a tick would be holes."""
    time_s = np.arange(when_s[0], when_s[-1], 1 / 60)
    return LapColumns(one, np.interp(time_s, when_s, position), time_s, {})


def test_a_hole_is_not_bridged_and_a_lap_not_driven_on_ends() -> None:
    holed = on_grid(a_lap(lap(), seconds=30.0, hole=(0.7, 0.8)), grid(101), ["speed", "gear"])
    assert np.isnan(holed.columns["speed"][72:79]).all()
    assert np.isfinite(holed.columns["speed"][[69, 81]]).all()
    assert np.isnan(holed.time_s[75])
    short = a_lap(lap(time_s=None), seconds=30.0)
    half = short.position <= 0.5
    begun = LapColumns(
        short.lap, short.position[half], short.time_s[half], {"Speed": short.columns["Speed"][half]}
    )
    on = on_grid(begun, grid(101), ["speed"])
    assert np.isfinite(on.columns["speed"][:50]).all()
    assert np.isnan(on.columns["speed"][52:]).all()


def test_a_spin_goes_back_and_a_gear_is_never_between_two() -> None:
    position = np.concatenate(
        (np.linspace(0, 0.5, 900), np.linspace(0.5, 0.45, 120), np.linspace(0.45, 1, 1100))
    )
    spun = LapColumns(
        lap(time_s=2120 / 60), position, np.arange(2120) / 60,
        {"Gear": np.where(position < 0.3, 2, 3).astype(np.int32)},
    )  # fmt: skip
    on = on_grid(spun, grid(500), ["gear"])
    known = np.isfinite(on.time_s)
    assert (np.diff(on.time_s[known]) >= 0).all()
    assert set(on.columns["gear"][np.isfinite(on.columns["gear"])]) == {2.0, 3.0}


@pytest.mark.parametrize("count", [0, 1])
def test_a_lap_of_nearly_nothing(count: int) -> None:
    nothing = LapColumns(lap(), np.zeros(count), np.zeros(count), {"Speed": np.zeros(count)})
    on = on_grid(nothing, grid(10), ["speed", "rpm"])
    assert np.isnan(on.time_s).all()
    assert list(on.columns) == ["speed"]


@given(
    st.lists(st.floats(-0.1, 1.1) | st.just(math.nan), max_size=200),
    st.integers(2, 50),
)
def test_any_positions_make_a_curve_that_goes_on(positions: list[float], points: int) -> None:
    time_s = np.arange(len(positions)) / 60
    strange = LapColumns(lap(time_s=None), np.array(positions), time_s, {"Speed": time_s})
    on = on_grid(strange, grid(points), tuple(CHANNELS))
    known = on.time_s[np.isfinite(on.time_s)]
    assert (np.diff(known) >= -1e-12).all()
    assert len(on.columns["speed"]) == points


# --- colours


def test_purple_green_and_yellow() -> None:
    told = coloured(laps_of("s", 0))
    assert [one.letter for one in told] == ["", "Y", "P", "", "G", ""]
    # Those of laps that do not count neither have a colour nor take one: 9.0 s off track is not the best.
    assert [one.sectors for one in told] == [
        ("", "", ""), ("Y", "Y", "P"), ("P", "P", "Y"), ("", "", ""), ("G", "G", "P"), ("Y", "", ""),
    ]  # fmt: skip


# --- what is posted

GOOD: dict[str, Any] = {
    "driverId": "anna",
    "timestamp": "2026-03-14T15:00:00.250Z",
    "data": {
        "timestamp": "2026-03-14T15:00:00.250Z", "speed": 215.5, "rpm": 7200, "gear": 5, "throttle": 100, "brake": 0,
        "steeringAngle": -12.5, "latitude": 27.45, "longitude": -81.35, "trackPosition": 0.25, "lap": 12, "sector": 2,
        "fuelLevel": 56.5, "tireWear": {"frontLeft": 97, "frontRight": 95, "rearLeft": 98, "rearRight": 96},
    },
}  # fmt: skip


def test_a_snapshot_as_the_seed_gives_it() -> None:
    posted = read_posted(GOOD)
    assert (posted.driver, posted.at_us) == ("anna", 1_773_500_400_250_000)
    assert posted.data["steeringAngle"] == -12.5
    assert posted.data["tireWear"]["rearRight"] == 96.0
    assert "timestamp" not in posted.data
    assert "speed" not in read_posted({**GOOD, "data": {"speed": None, "rpm": 1}}).data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"driverId": None}, "driverId is the name"),
        ({"driverId": "x" * 65}, "driverId is the name"),
        ({"timestamp": 5}, "ISO 8601"),
        ({"timestamp": "yesterday"}, "ISO 8601"),
        ({"timestamp": "1969-01-01T00:00:00Z"}, "before 1970"),
        ({"data": []}, '"data" is an object'),
        ({"data": {}}, "has no value"),
        ({"data": {"speed": None}}, "has no value"),
        ({"data": {"speed": "fast"}}, "speed is a number, 0 to 600"),
        ({"data": {"speed": True}}, "speed is a number"),
        ({"data": {"speed": math.nan}}, "speed is a number"),
        ({"data": {"speed": 10**400}}, "speed is a number"),
        ({"data": {"gear": 2.5}}, "gear is a whole number, -1 to 10"),
        ({"data": {"tireWear": {"left": 3}}}, "tireWear is an object"),
        ({"data": {"tireWear": {"frontLeft": 101}}}, "tireWear.frontLeft is a number"),
        ({"data": {"boost": 3}}, "'boost' is no value of a snapshot"),
        ({"data": {"speed": 3, "driverId": "ben"}}, "is another one"),
        ({"more": 1}, "'more' is none of"),
    ],
)  # fmt: skip
def test_what_is_no_snapshot_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadSnapshot, match=words):
        read_posted({**GOOD, **change})


NAMES = st.sampled_from(["driverId", "timestamp", "data", "speed", "tireWear", "x"])
PLAIN = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)


@given(
    st.recursive(
        PLAIN,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=12,
    )
)
def test_anything_posted_is_read_or_refused(value: object) -> None:
    try:
        read_posted(value)
    except BadSnapshot:
        pass
