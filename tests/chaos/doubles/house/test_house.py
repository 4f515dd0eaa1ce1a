"""The house obeys heat: it cools towards the weather, warms with its valves open, and its sensors fail as they are told."""

import statistics

import pytest

from chaos.doubles.house import FAULTS, House, Weather

JANUARY = 1_768_200_000.0
JULY = 1_783_900_000.0
DAY_S = 86_400.0
ALL = dict.fromkeys(House(1, JANUARY).zones, True) | {"burner": True, "pump": True}


def _run(house: House, seconds: float, outputs: dict[str, bool]) -> House:
    house.advance(seconds, outputs)
    return house


def test_without_heat_it_cools_towards_the_weather_and_no_further() -> None:
    house = _run(House(1, JANUARY), 4 * DAY_S, {})
    coldest = min(house.weather.outdoor(JANUARY + hour * 3600) for hour in range(4 * 24))
    assert all(coldest < room < 16 for room in house.rooms)
    assert house.flow < 25


def test_with_every_valve_open_every_room_warms_and_the_boiler_holds_its_own_limits() -> None:
    house = House(1, JANUARY)
    before = list(house.rooms)
    _run(house, 6 * 3600, ALL)
    assert all(after > room + 0.8 for room, after in zip(before, house.rooms, strict=True))
    assert 50 < house.flow < 86
    assert not house.is_cut_off
    assert house.tank > 52


def test_one_open_valve_warms_that_pipe_and_room_alone() -> None:
    house = _run(House(1, JANUARY), 2 * 3600, {"study": True, "burner": True, "pump": True})
    i = house.zones.index("study")
    assert house.pipes[i] > 55
    assert all(pipe < 30 for j, pipe in enumerate(house.pipes) if j != i)
    assert house.rooms[i] > 20.5


def test_steps_of_any_length_come_to_the_same_house() -> None:
    fine, coarse = House(3, JANUARY), House(3, JANUARY)
    for _ in range(720):
        fine.advance(5.0, ALL)
    coarse.advance(3600.0, ALL)
    assert coarse.rooms == pytest.approx(fine.rooms, abs=0.05)
    assert coarse.flow == pytest.approx(fine.flow, abs=1.0)
    assert coarse.utc == fine.utc


def test_one_seed_is_one_house_to_the_last_bit() -> None:
    one, same, other = (_run(House(seed, JANUARY), 6 * 3600.0, ALL) for seed in (4, 4, 5))
    assert one.readings() == same.readings() != other.readings()
    assert (one.rooms, one.tank, one.flow) == (same.rooms, same.tank, same.flow)


def test_the_weather_is_that_of_its_place() -> None:
    weather = Weather(2)
    days = [JANUARY + day * DAY_S for day in range(-5 * 365, 5 * 365)]
    years = [weather.outdoor(day) for day in days]
    assert 6 < statistics.fmean(years) < 14
    frost, later = weather.frost_weeks(JANUARY)
    assert later > frost + 250 * DAY_S
    week = [weather.outdoor(frost + hour * 3600) for hour in range(7 * 24)]
    assert min(week) < -15
    assert weather.outdoor(JULY) > 10
    assert weather.sun(JANUARY - JANUARY % DAY_S + 7 * 3600) == 0.0  # local midnight
    assert weather.sun(JANUARY - JANUARY % DAY_S + 19 * 3600) > 50


def _said(house: House, name: str) -> float | str | None:
    return house.readings().get(name)


@pytest.mark.parametrize("kind", ["lost", "hangs", "crc", "power-on", "range", "open", "short"])
def test_a_fault_that_shows_is_said_by_its_name(kind: str) -> None:
    house = House(1, JANUARY)
    house.faults.add("sensor room.study", kind)
    assert _said(house, "room.study") == kind
    assert isinstance(_said(house, "room.dining"), float)
    house.faults.take("sensor room.study")
    assert _said(house, "room.study") == pytest.approx(19.5, abs=0.3)


def test_faults_that_do_not_show() -> None:
    house = House(1, JANUARY)
    house.faults.add("sensor room.study", "frozen")
    house.faults.add("sensor room.dining", "drift", 2.0)
    house.faults.add("sensor room.family", "offset")
    house.faults.add("sensor room.kitchen", "spikes")
    house.faults.add("sensor outdoor", "slow", 600.0)
    first = house.readings()
    says: list[dict[str, float | str]] = []
    for _ in range(360):
        house.advance(10.0, {})
        says.append(house.readings())
    assert {said["room.study"] for said in says} == {first["room.study"]}
    assert float(says[-1]["room.dining"]) - house.rooms[7] == pytest.approx(2.0, abs=0.3)
    assert float(says[-1]["room.family"]) - house.rooms[8] == pytest.approx(-3.5, abs=0.3)
    far = [said for said in says if abs(float(said["room.kitchen"]) - 19.5) > 5]
    assert 1 <= len(far) <= 20
    assert sum("outdoor" in said for said in says) == 6


def test_the_whole_wire_vanishes_until_the_power_was_off() -> None:
    house = House(1, JANUARY)
    house.faults.add("sensors", "gone")
    said = house.readings()
    assert {name for name, value in said.items() if value != "lost"} == {"flow", "back"}  # thermistors
    house.cut_power()
    assert "lost" not in house.readings().values()


def test_a_welded_burner_burns_until_the_boilers_own_stat_opens() -> None:
    house = House(1, JANUARY)
    house.faults.add("relay burner", "welded")
    _run(house, 7200, {})
    assert house.relays["burner"]
    assert house.flow > 70
    house.faults.take("relay burner")
    assert not _run(house, 10, {}).relays["burner"]


def test_a_dead_relay_a_stuck_valve_a_dead_pump_and_a_dead_burner() -> None:
    for what, kind in (
        ("relay study", "dead"),
        ("valve study", "stuck"),
        ("pump", "dead"),
        ("burner", "dead"),
    ):
        house = House(1, JANUARY)
        house.faults.add(what, kind)
        _run(house, 3 * 3600, {"study": True, "burner": True, "pump": True})
        assert house.rooms[4] < 20.1, what
    house = House(1, JANUARY)
    house.faults.add("valve study", "leaks")
    _run(house, 3 * 3600, {"dining": True, "burner": True, "pump": True})
    assert house.pipes[4] > 35


def test_contacts_flap_and_stick() -> None:
    house = House(1, JANUARY)
    house.faults.add("contact call.study", "flaps")
    house.faults.add("contact firing", "stuck", 1.0)
    said = [house.contacts() for _ in range(4)]
    assert [one["call.study"] for one in said] in ([True, False] * 2, [False, True] * 2)
    assert all(one["firing"] for one in said)


def test_what_cannot_be_is_refused_in_words() -> None:
    faults = House(1, JANUARY).faults
    with pytest.raises(ValueError, match=r"there is no 'sensor room.cellar' here"):
        faults.add("sensor room.cellar", "lost")
    with pytest.raises(ValueError, match=r"a valve is not 'lost', but: stuck, leaks"):
        faults.add("valve study", "lost")
    assert list(faults) == []


def test_every_fault_of_the_table_can_be_put_in() -> None:
    house = House(1, JANUARY)
    which = {"sensor": "room.study", "valve": "study", "relay": "study", "contact": "firing"}
    for of, kinds in FAULTS.items():
        for kind in kinds:
            house.faults.add(f"{of} {which[of]}" if of in which else of, kind)
            house.advance(10.0, ALL)
            house.readings()
            house.contacts()
    assert len(list(house.faults)) == len(FAULTS)
