"""The made-up race: its rows agree with each other, with its truth, and with however they are asked for."""

import numpy as np
import numpy.typing as npt
import pytest

from chaos.doubles.iracing import CARS, Race, live_layout

MINUTES = 3
TICKS = MINUTES * 3600


def make(**options: object) -> Race:
    fixed: dict[str, object] = {
        "seed": 7,
        "cars": 14,
        "lap_s": 20.0,
        "sectors": 5,
        "stint": 3,
        "drivers": 2,
        "swap_every": 1,
    }
    return Race(**{**fixed, **options})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def race() -> Race:
    return make()


@pytest.fixture(scope="module")
def rows(race: Race) -> npt.NDArray[np.void]:
    found: npt.NDArray[np.void] = race.rows(0, TICKS).view(race.layout.dtype)[:, 0]
    return found


@pytest.fixture(scope="module")
def driven(race: Race, rows: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Return for which ticks the player drove in this tick and the one before."""
    on = rows["IsOnTrack"].astype(bool)
    return np.asarray(on[1:] & on[:-1], np.bool_)


def test_a_tick_is_the_same_however_it_is_asked_for(race: Race, rows: npt.NDArray[np.void]) -> None:
    other = make()
    for tick in (10_345, 59, 0, 60, 7_199):
        assert other.row(tick) == race.row(tick)
    assert rows["SessionTick"][10_345] == 10_345
    assert make(seed=8).row(600) != race.row(600)
    assert other.session_info(9_000) == race.session_info(9_000)


def test_a_far_tick_is_there_at_once(race: Race) -> None:
    assert race.columns(1_000_000, 1, "SessionTick", "Lap")["SessionTick"][0] == 1_000_000


def test_nothing_is_without_a_number(rows: npt.NDArray[np.void]) -> None:
    for name in rows.dtype.names or ():
        if rows[name].dtype.kind == "f":
            assert np.isfinite(rows[name]).all(), name


def test_speed_is_the_way_and_yaw_rate_the_turning(
    race: Race, rows: npt.NDArray[np.void], driven: npt.NDArray[np.bool_]
) -> None:
    way = (rows["Lap"] - 1 + rows["LapDistPct"].astype(float)) * race.track.length
    speed = rows["Speed"].astype(float)
    assert np.abs(np.diff(way) * 60 - (speed[1:] + speed[:-1]) / 2)[driven].max() < 0.5
    turned = np.diff(np.unwrap(rows["Yaw"].astype(float))) * 60
    rate = (rows["YawRate"][1:] + rows["YawRate"][:-1]) / 2
    assert np.abs(turned - rate)[driven].max() < 0.1
    pushed = np.diff(speed) * 60
    assert np.corrcoef(pushed[driven], rows["LongAccel"][1:][driven])[0, 1] > 0.97
    assert np.allclose(np.hypot(rows["VelocityX"], rows["VelocityY"]), rows["Speed"], atol=1e-3)


def test_the_track_is_found_by_dead_reckoning(race: Race, rows: npt.NDArray[np.void]) -> None:
    first, last = (round(race.truth.laps(race.player_index, 60)[number].begins_s * 60) for number in (0, 1))
    lap = rows[first:last]
    east_of, north_of = np.sin(lap["YawNorth"].astype(float)), np.cos(lap["YawNorth"].astype(float))
    along, left = lap["VelocityX"].astype(float), lap["VelocityY"].astype(float)
    east = np.cumsum(along * east_of - left * north_of) / 60
    north = np.cumsum(along * north_of + left * east_of) / 60
    assert np.hypot(east[-1], north[-1]) < 0.01 * race.track.length  # it closes
    place = lap["LapDistPct"]
    truth = (
        np.interp(place, np.linspace(0, 1, 4097), race.track.east),
        np.interp(place, np.linspace(0, 1, 4097), race.track.north),
    )
    apart = np.hypot(east - east[0] - truth[0] + truth[0][0], north - north[0] - truth[1] + truth[1][0])
    assert apart.max() < 0.01 * race.track.length


def test_signs_are_the_simulators(rows: npt.NDArray[np.void], driven: npt.NDArray[np.bool_]) -> None:
    quick = rows[1:][driven & (rows["Speed"][1:] > 12)]
    for name in ("SteeringWheelAngle", "LatAccel"):
        assert np.corrcoef(quick["YawRate"], quick[name])[0, 1] > 0.9, name
    assert quick["Throttle"].min() == 0 and quick["Throttle"].max() == 1 and quick["Brake"].max() > 0.8
    assert not (quick["Throttle"].astype(bool) & quick["Brake"].astype(bool)).any()
    assert set(quick["Gear"]) <= set(range(1, 7)) and len(set(quick["Gear"])) > 1


def test_laps_are_as_long_as_the_truth_says(race: Race, rows: npt.NDArray[np.void]) -> None:
    for car in (0, race.player_index):
        laps = race.truth.laps(car, MINUTES * 60 - 1)
        assert len(laps) > 6
        for lap in laps:
            assert sum(lap.sectors) == pytest.approx(lap.time_s) and len(lap.sectors) == 5
            tick = int(np.ceil(lap.ends_s * 60))
            assert rows["CarIdxLap"][tick, car] == lap.number + 1
            assert rows["CarIdxLap"][tick - 1, car] == lap.number
            assert rows["CarIdxLastLapTime"][tick + 30, car] == pytest.approx(lap.time_s, abs=1e-4)
            assert rows["CarIdxLapCompleted"][tick, car] == lap.number
        shown = rows["CarIdxBestLapTime"][-1, car]
        assert shown == pytest.approx(min(lap.time_s for lap in laps), abs=1e-4)


def test_sectors_begin_where_the_truth_says(race: Race, rows: npt.NDArray[np.void]) -> None:
    car = 1
    for lap in race.truth.laps(car, 120):
        at = lap.begins_s
        for place, took in zip(race.track.sectors, lap.sectors, strict=True):
            tick = int(np.ceil(at * 60 + 1e-6))
            before, after = rows["CarIdxLapDistPct"][[tick - 1, tick], car]
            assert (before - place + 0.5) % 1 < 0.5 + 1e-6 and (after - place + 0.5) % 1 > 0.5 - 1e-5
            at += took


def test_cars_go_each_its_own_way(race: Race, rows: npt.NDArray[np.void]) -> None:
    place = np.where(
        rows["CarIdxLap"] < 0, np.nan, rows["CarIdxLap"] + rows["CarIdxLapDistPct"].astype(float)
    )[:, :14]
    steps = np.diff(place, axis=0) * race.track.length * 60
    assert np.nanmin(steps) > -0.1 and np.nanmax(steps) < 95
    later = rows[TICKS - 61]
    order = np.argsort(-place[TICKS - 60])
    assert len(set(rows["CarIdxPosition"][-1][:14])) == 14
    assert (rows["CarIdxPosition"][-1][order] == np.arange(1, 15)).all(), later["SessionTick"]
    assert (rows["CarIdxLap"][:, 14:] == -1).all() and (rows["CarIdxLapDistPct"][:, 14:] == -1).all()
    assert (rows["CarIdxF2Time"][-1][:14] >= 0).all()
    rates = np.nanmean(steps[:3000], axis=0)
    assert len(set(np.round(rates, 3))) == 14


def test_stops_are_as_the_truth_says(race: Race, rows: npt.NDArray[np.void]) -> None:
    stops = race.truth.stops(MINUTES * 60)
    assert len(stops) >= 2
    me = race.player_index
    road = rows["CarIdxOnPitRoad"][:, me].astype(bool)
    for stop in stops:
        inside = slice(int(np.ceil(stop.entered_s * 60)) + 1, int(stop.exited_s * 60) - 1)
        assert road[inside].all() and not road[inside.start - 4] and not road[inside.stop + 4]
        standing = rows["CarIdxTrackSurface"][int(stop.arrived_s * 60) + 2 : int(stop.left_s * 60), me]
        assert (standing == 1).all()
    drivers = [race.truth.driver(round(stop.exited_s * 60)) for stop in stops]
    assert drivers[:2] == [1, 0] and stops[0].driver_before == 0


def test_a_team_mate_drives_and_this_computer_knows_little(race: Race, rows: npt.NDArray[np.void]) -> None:
    first, second = race.truth.stops(MINUTES * 60)[:2]
    away = rows[int(first.swapped_s * 60) + 2 : int(second.swapped_s * 60) - 1]
    for name in (
        "IsOnTrack",
        "Speed",
        "RPM",
        "Throttle",
        "FuelLevel",
        "FuelLevelPct",
        "YawRate",
        "VelocityX_ST",
    ):
        assert not away[name].any(), name
    for name in ("LapDistPct", "Lap", "LFwearM"):
        assert len(np.unique(away[name])) <= 2, name
    assert len(np.unique(away["CarIdxLapDistPct"][:, race.player_index])) > 1000
    mate = make(seat=1)
    there = mate.columns(
        int(first.swapped_s * 60) + 2, len(away), "IsOnTrack", "FuelLevel", "CarIdxLapDistPct"
    )
    assert there["IsOnTrack"].all() and there["FuelLevel"].min() > 0
    assert np.array_equal(there["CarIdxLapDistPct"], away["CarIdxLapDistPct"])
    assert not mate.columns(600, 1, "IsOnTrack")["IsOnTrack"][0]


def test_driver_info_says_who_drives(race: Race) -> None:
    swaps = [round(stop.swapped_s * 60) for stop in race.truth.stops(MINUTES * 60)]
    swap = next(each for each in swaps if 10 < each % 600 < 590)  # the results change every ten seconds
    before, after = race.session_info(swap - 5), race.session_info(swap + 5)
    assert race.info_update(swap + 5) == race.info_update(swap - 5) + 1
    changed = [(a, b) for a, b in zip(before.split(b"\n"), after.split(b"\n"), strict=True) if a != b]
    assert {a.split(b":")[0].strip() for a, _ in changed} == {
        b"UserName",
        b"AbbrevName",
        b"Initials",
        b"UserID",
    } or len(changed) == 3
    assert b"DriverUserID" not in b"".join(a for a, _ in changed)


def test_fuel_falls_and_tyres_tell_at_stops_only(race: Race, rows: npt.NDArray[np.void]) -> None:
    stop = race.truth.stops(MINUTES * 60)[0]
    arrived = int(np.ceil(stop.arrived_s * 60))
    fuel = rows["FuelLevel"][:arrived].astype(float)
    assert (np.diff(fuel) <= 1e-6).all() and fuel[-1] == pytest.approx(stop.fuel_before, abs=0.01)
    assert len(np.unique(rows["LFwearM"][:arrived])) == 1 == len(np.unique(rows["RRtempCL"][:arrived]))
    assert rows["LFwearM"][arrived + 2] < 1 and rows["RRtempCL"][arrived + 2] > rows["RRtempCL"][0] + 20
    mate = make(seat=1)
    after = mate.columns(int(stop.exited_s * 60), 1, "FuelLevel", "LFwearM")
    assert after["LFwearM"][0] == 1 and after["FuelLevel"][0] == pytest.approx(stop.fuel_after, abs=0.1)


def test_what_is_ordered_happens_and_what_was_stays() -> None:
    race = make(stint=100, drivers=1)
    before = race.rows(0, 900)
    race.order_off(900)
    lap = race.order_stop(900, swap=True)
    assert np.array_equal(race.rows(0, 900), before)
    stops = race.truth.stops(120)
    assert [stop.lap for stop in stops] == [lap + 1]
    off = next(lap for lap in race.truth.laps(race.player_index, 120) if lap.points)
    rows = race.columns(
        int(off.begins_s * 60),
        int(off.time_s * 60),
        "PlayerTrackSurface",
        "PlayerCarMyIncidentCount",
        "PlayerIncidents",
    )
    assert (rows["PlayerTrackSurface"] == 0).sum() > 30
    assert rows["PlayerCarMyIncidentCount"][-1] - rows["PlayerCarMyIncidentCount"][0] == off.points
    assert (rows["PlayerIncidents"] != 0).sum() == 1


def test_a_towed_car_is_at_its_stall_at_once() -> None:
    race = make(stint=100, drivers=1, swap_every=1, off_chance=0.0)
    before = race.rows(0, 1500)
    lap = race.order_tow(1500)
    assert np.array_equal(race.rows(0, 1500), before)
    names = (
        "LapDistPct",
        "Lap",
        "PlayerCarTowTime",
        "Speed",
        "OnPitRoad",
        "IsOnTrack",
        "PlayerCarInPitStall",
    )
    rows = race.columns(0, 4500, *names)
    stop = race.truth.stops(75)[0]
    assert rows["LapDistPct"][1501] == np.float32(race.track.pits.stall) != rows["LapDistPct"][1499]
    assert (rows["Lap"][1501], stop.lap, stop.arrived_s) == (lap + 1, lap + 1, 25.0)
    waits = rows["PlayerCarTowTime"]
    assert not waits[:1500].any() and waits[1500] >= 20 and np.diff(waits[1500:2700]).max() < 0 == waits[-1]
    standing = slice(1501, int(stop.left_s * 60) - 1)
    assert not rows["Speed"][standing].any()
    for name in ("OnPitRoad", "IsOnTrack", "PlayerCarInPitStall"):
        assert rows[name][standing].all(), name
    assert (rows["Lap"][-1], rows["Speed"][-1] > 5) == (lap + 2, True)
    with pytest.raises(ValueError, match="in the pits"):
        race.order_tow(1600)


def test_all_start_in_the_lap_before_the_line() -> None:
    race = make(cars=71, lap_s=10.0)
    first = race.columns(0, 1, "CarIdxLap", "CarIdxLapDistPct")
    assert not first["CarIdxLap"][0, :71].any() and first["CarIdxLapDistPct"][0, :71].min() > 0.3
    assert (np.diff(first["CarIdxLapDistPct"][0, :71]) < 0).all()


def test_cars_have_layouts_of_their_own() -> None:
    layouts = {kind: live_layout(car) for kind, car in CARS.items()}
    assert {kind: (len(each.variables), each.row_bytes) for kind, each in layouts.items()} == {
        "gt": (335, 8619), "gt2": (336, 8623), "prototype": (334, 8615),
    }  # fmt: skip
    assert len({each.digest for each in layouts.values()}) == 3


@pytest.mark.parametrize(
    "bad", [{"cars": 72}, {"lap_s": 5.0}, {"seat": 2}, {"cars": 64, "since_2026": False}]
)
def test_what_cannot_be_driven_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cars|lap"):
        make(**bad)
