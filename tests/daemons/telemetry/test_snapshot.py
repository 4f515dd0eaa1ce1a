"""What a dashboard shows, against values computed by hand and against real recordings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.telemetry.capture.ibtfile import IbtFile
from daemons.telemetry.capture.memory import Memory
from daemons.telemetry.sessioninfo import parse
from daemons.telemetry.snapshot import Context, Snapshots, instant
from daemons.telemetry.trackmap.course import CELLS, Course
from protocol.columns.snapshot import SNAPSHOT
from protocol.irsdk import BadLayout, Layout, Type, Variable

TYPES = {
    "SessionTime": Type.DOUBLE, "IsOnTrack": Type.BOOL, "Gear": Type.INT, "Lap": Type.INT, "PlayerCarPosition": Type.INT,
    "Lat": Type.DOUBLE, "Lon": Type.DOUBLE,
}  # fmt: skip
WEAR = [f"{wheel}wear{part}" for wheel in ("LF", "RF", "LR", "RR") for part in "LMR"]
LIVE = [
    "SessionTime", "IsOnTrack", "Speed", "RPM", "Gear", "Throttle", "Brake", "SteeringWheelAngle", "LapDistPct", "Lap",
    "PlayerCarPosition", "FuelLevel", "FuelLevelPct", *WEAR,
]  # fmt: skip
DRIVEN: Mapping[str, float] = {
    "SessionTime": 12.5, "IsOnTrack": 1, "Speed": 50.0, "RPM": 7000.4, "Gear": -1, "Throttle": 0.5, "Brake": 1.0,
    "SteeringWheelAngle": np.pi / 4, "LapDistPct": 0.4, "Lap": 7, "PlayerCarPosition": 3, "FuelLevel": 30.0,
    "FuelLevelPct": 0.25, "LFwearL": 0.9, "LFwearM": 0.96, "LFwearR": 0.99, "Lat": 45.5, "Lon": -7.25,
}  # fmt: skip


def layout(*names: str) -> Layout:
    variables, at = [], 0
    for name in names:
        variables.append(Variable(name, TYPES.get(name, Type.FLOAT), at))
        at += variables[-1].size
    return Layout(tuple(variables), at)


def row(of: Layout, **values: float) -> bytes:
    table = np.zeros(1, of.dtype)
    for variable in of.variables:
        table[variable.name] = values.get(variable.name, 1.0 if "wear" in variable.name else 0.0)
    return table.tobytes()


def one(of: Layout, context: Context | None = None, **values: float) -> dict[str, Any]:
    return Snapshots(of, context or Context()).json(row(of, **{**DRIVEN, **values}), 1_700_000_000_123_456)


def test_units_and_signs_are_the_dashboards() -> None:
    told = one(layout(*LIVE), Context(sectors=(0.0, 0.3, 0.4, 0.8)))
    assert told == {
        "timestamp": "2023-11-14T22:13:20.123Z", "speed": 180.0, "rpm": 7000.4, "gear": -1, "throttle": 50.0,
        "brake": 100.0, "steeringAngle": -45.0, "latitude": None, "longitude": None, "trackPosition": 0.4, "lap": 7,
        "sector": 3, "fuelLevel": 25.0, "position": 3, "asOfLastStop": ["tireWear"],
        "tireWear": {"frontLeft": 95.0, "frontRight": 100.0, "rearLeft": 100.0, "rearRight": 100.0},
    }  # fmt: skip
    assert list(Snapshots(layout(*LIVE)).json(row(layout(*LIVE)), 0, "anna"))[:2] == ["driverId", "timestamp"]
    json.dumps(told, allow_nan=False)


def test_the_row_of_zeros_after_getting_in_tells_nothing() -> None:
    told = one(layout(*LIVE), Speed=0.0, LapDistPct=0.0)
    assert (told["speed"], told["trackPosition"], told["fuelLevel"]) == (None, None, None)
    assert one(layout(*LIVE), Speed=0.0)["speed"] == 0.0
    assert one(layout(*LIVE), LapDistPct=0.0)["trackPosition"] == 0.0


def test_steering_to_the_left_is_negative() -> None:
    assert one(layout(*LIVE), SteeringWheelAngle=0.5)["steeringAngle"] == pytest.approx(-28.65)
    assert one(layout(*LIVE), SteeringWheelAngle=-0.5)["steeringAngle"] == pytest.approx(28.65)


def test_who_does_not_sit_in_the_car_has_no_values_and_no_zeros() -> None:
    told = one(layout(*LIVE), IsOnTrack=0)
    assert told.pop("timestamp") == "2023-11-14T22:13:20.123Z"
    assert set(told.pop("tireWear").values()) == {None}
    assert set(told.values()) == {None}


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"LapDistPct": -1.0}, "trackPosition", None),
        ({"LapDistPct": 1.0004}, "trackPosition", 1.0),
        ({"LapDistPct": -1.0}, "sector", None),
        ({"Throttle": 1.0000001}, "throttle", 100.0),
        ({"Throttle": 1.5}, "throttle", None),
        ({"Speed": float("nan")}, "speed", None),
        ({"RPM": float("inf")}, "rpm", None),
        ({"Lap": -1}, "lap", None),
        ({"PlayerCarPosition": 0}, "position", None),
        ({"Gear": 77}, "gear", None),
        ({"LapDistPct": 0.0}, "sector", 1),
        ({"LapDistPct": 0.9999}, "sector", 2),
    ],
)
def test_what_cannot_be_is_not_told(values: dict[str, float], name: str, expected: float | None) -> None:
    assert one(layout(*LIVE), Context(sectors=(0.0, 0.5)), **values)[name] == expected


def test_fuel_is_of_the_tank_where_the_simulator_tells_no_part() -> None:
    lean = layout("FuelLevel")
    assert one(lean, Context(tank_l=120.0))["fuelLevel"] == 25.0
    assert one(lean)["fuelLevel"] is None


def test_the_place_is_the_files_own_or_looked_up_and_then_says_so() -> None:
    course = Course(np.full(CELLS, 44.0), np.full(CELLS, 9.0), np.ones(CELLS))
    live = one(layout(*LIVE), Context(course=course))
    assert (live["latitude"], live["longitude"], live["estimated"]) == (44.0, 9.0, ["latitude", "longitude"])
    filed = one(layout(*LIVE, "Lat", "Lon"), Context(course=course))
    assert (filed["latitude"], filed["longitude"]) == (45.5, -7.25)
    assert "estimated" not in filed
    zeros = one(layout(*LIVE, "Lat", "Lon"), Lat=0.0, Lon=0.0)  # the first row of a file, at times
    assert (zeros["latitude"], zeros["longitude"]) == (None, None)
    nowhere = one(layout(*LIVE), Context(course=Course()))
    assert nowhere["latitude"] is None
    assert "estimated" not in nowhere


_ANY = st.one_of(st.floats(width=32), st.floats(-2, 2, width=32), st.sampled_from([0.0, 1.0, 0.5]))


@settings(max_examples=30)
@given(
    st.lists(st.lists(_ANY, min_size=7, max_size=7), min_size=1, max_size=8),
    st.lists(st.integers(-3, 30), min_size=4, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_one_row_and_many_say_the_same(
    floats: list[list[float]], whole: list[int], is_file: bool, has_course: bool
) -> None:
    of = layout(*LIVE, *(["Lat", "Lon"] if is_file else []))
    course = (
        Course(np.linspace(1, 2, CELLS), np.linspace(3, 4, CELLS), np.ones(CELLS)) if has_course else None
    )
    maker = Snapshots(of, Context(sectors=(0.0, 0.25, 0.5), course=course))
    names = ["Speed", "RPM", "Throttle", "SteeringWheelAngle", "LapDistPct", "FuelLevelPct", "RFwearM"]
    rows = []
    for values in floats:
        gear, lap, position, on_track = whole
        rows.append(
            row(of, **dict(zip(names, values, strict=True)), Gear=gear, Lap=lap, PlayerCarPosition=position,
                IsOnTrack=on_track % 2, Lat=values[0], Lon=values[1])
        )  # fmt: skip
    columns = maker.columns(np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1))
    for at, data in enumerate(rows):
        told = maker.json(data, 0)
        told.update(
            {f"tireWear{key[0].upper()}{key[1:]}": value for key, value in told.pop("tireWear").items()}
        )
        for name, column in columns.items():
            if name == "timestamp":
                continue
            if told[name] is None:
                assert np.isnan(column[at]), name
            else:
                assert told[name] == pytest.approx(column[at], abs=0.06), name


def test_rows_of_a_dashboard_have_its_layout() -> None:
    of = layout(*LIVE)
    data = np.frombuffer(row(of, **DRIVEN) + row(of, IsOnTrack=0), np.uint8).reshape(2, -1)
    rows = Snapshots(of, Context(sectors=(0.0,))).rows(data)
    table = rows.reshape(-1).view(SNAPSHOT.dtype)
    assert table["speed"][0] == pytest.approx(180.0)
    assert table["timestamp"][0] == 12.5
    assert (table["gear"][0], table["sector"][0], table["gear"][1]) == (-1, 1, -9)
    assert np.isnan(table["speed"][1])
    assert table["tireWearFrontLeft"][0] == pytest.approx(95.0)


def test_instants_are_utc_with_milliseconds() -> None:
    assert instant(0) == "1970-01-01T00:00:00.000Z"
    assert instant(1_700_000_000_999_999) == "2023-11-14T22:13:20.999Z"


def test_real_rows_have_every_value(samples: Path) -> None:
    seen = 0
    for path in sorted((samples / "iracing").glob("*")):
        try:
            if path.suffix == ".ibt":
                with IbtFile.open(path) as file:
                    of, table, info = file.layout, file.table()[1:], parse(file.info)
            elif path.suffix == ".bin":
                memory = Memory(path.read_bytes())
                [newest] = memory.new_rows()
                of, info = memory.layout, parse(memory.info() or b"")
                table = np.frombuffer(newest.data, np.uint8).reshape(1, -1)
            else:
                continue
        except BadLayout:
            continue
        seen += 1
        maker = Snapshots(of, Context(sectors=info.sectors, tank_l=info.own.tank_l))
        columns = maker.columns(table)
        places = {"latitude", "longitude"} if path.suffix == ".bin" else set()  # live memory has none
        told_in = {name: np.isfinite(column).mean() for name, column in columns.items() if name != "position"}
        # all but a row of zeros now and then
        assert {name for name, part in told_in.items() if part < 0.995} == places, path.name
        assert np.nanmax(columns["sector"]) <= len(info.sectors)
        told = maker.json(table[-1].tobytes(), 0)
        assert {name for name, value in told.items() if value is None} - {"position"} == places
    if not seen:
        pytest.skip("no recordings of the simulator")
