"""What services tell: what is read of it, what stays known, what is refused and then changes nothing."""

import math
from typing import Any

import pytest

from tui.model import Model
from tui.model.heating import Sensor
from tui.model.measured import EACH_MAX
from tui.model.team import Priority
from tui.model.telemetry import CarView, Mark, best_sectors, marks

UTC = 1_800_000_000.0

TELEMETRY: dict[str, Any] = {
    "driver": "Ann",
    "age_s": 0.2,
    "clock_s": 0.004,
    "lost": 3,
    "of": 3600,
    "race": {"name": "Race", "lap": 12, "laps": 50, "left_s": 3600.0},
    "track": {"name": "Ring", "points": [[0, 0], [10.5, 0], [0, 10]], "sectors": [0.0, 0.3, 0.7]},
    "cars": [
        {"number": "7", "position": 1, "where": 1.25, "ours": True, "sectors": [31.2, None]},
        {"number": "8", "in_pits": True, "gap_s": 1.5},
    ],
    "fuel": {"litres": 34.2, "per_lap": 2.7},
    "tyres": {"front_left": {"wear": 0.97, "celsius": 81.0}, "compound": "soft", "lap": 9},
    "samples": {"first": 600, "hz": 60, "speed_kmh": [200.0, 201.5], "throttle": [1, None]},
}
HEATING: dict[str, Any] = {
    "house": "Farm",
    "now": UTC,
    "utc_offset_s": 3600,
    "boiler": {"state": "heating", "burning": True, "flow": 55.0, "starts": 4},
    "zones": [
        {"id": "living", "name": "Living room", "celsius": 20.5, "setpoint": 21.0, "calling": True, "age_s": 4.0,
         "cause": "0.5 below", "override": {"setpoint": 21.0, "by": "ann", "ends": UTC + 600}},
        {"id": "attic", "sensor": "lost"},
    ],
}  # fmt: skip
TEAM: dict[str, Any] = {
    "team": "Red",
    "now": UTC,
    "ends": UTC + 7200,
    "messages": [{"id": "1", "from": "Bo", "words": "box", "priority": "urgent", "at": UTC - 5}],
    "stints": [
        {"driver": "Ann", "begin": UTC - 3000},
        {"driver": "Bo", "begin": UTC, "end": UTC + 9, "planned": True},
    ],
    "handoff": {"from": "Ann", "to": "Bo", "status": "pending", "steps": [{"name": "belts", "done": True}]},
}


def test_a_driver_as_it_is_told() -> None:
    model = Model()
    version = model.version
    model.measured("backend", "telemetry", TELEMETRY, 100.0)
    assert model.version > version
    view = model.services.telemetry["backend", "Ann"]
    assert view.age_now(101.0) == pytest.approx(1.2) and view.track is not None
    assert view.ours is not None and view.ours.where == 0.25 and view.ours.sectors == (31.2, None)
    assert view.cars[1].is_in_pits and view.cars[1].where is None
    assert view.tyres is not None and view.tyres.wear == (0.97, None, None, None)
    assert (view.samples.newest("speed_kmh"), view.samples.newest("throttle")) == (201.5, None)


def test_what_is_not_told_stays_known_with_its_own_age() -> None:
    model = Model()
    model.measured("backend", "telemetry", TELEMETRY, 100.0)
    samples = {"first": 602, "hz": 60, "speed_kmh": [202.0]}
    model.measured("backend", "telemetry", {"driver": "Ann", "samples": samples}, 110.0)
    view = model.services.telemetry["backend", "Ann"]
    assert view.fuel is not None and (view.fuel.at, view.samples_at, view.cars_at) == (100.0, 110.0, 100.0)
    assert view.samples.end == 603 and len(view.cars) == 2
    model.measured("backend", "telemetry", {"driver": "Bo"}, 111.0)
    other = model.services.telemetry["backend", "Bo"]
    assert (other.age_now(112.0), other.fuel, other.lost, other.race) == (None, None, None, None)


def test_a_house_and_a_team_as_they_are_told() -> None:
    model = Model()
    model.measured("nas", "heating", HEATING, 100.0)
    model.measured("backend", "team", TEAM, 100.0)
    house, team = model.services.heating["nas", "Farm"], model.services.team["backend", "Red"]
    living, attic = house.zones
    assert living.is_calling and living.override is not None and living.override.ends_utc == UTC + 600
    assert (attic.name, attic.celsius, attic.sensor, attic.is_calling) == ("attic", None, Sensor.LOST, False)
    assert house.age_now(living.age_s, 130.0) == 34.0 and house.age_now(attic.age_s, 130.0) is None
    assert team.messages[0].priority is Priority.URGENT and team.utc(160.0) == UTC + 60
    assert team.stints[0].end_utc is None and team.stints[1].is_planned
    assert team.handoff is not None and team.handoff.steps[0].is_done
    model.measured("nas", "heating", {"house": "Farm"}, 140.0)
    assert model.services.heating["nas", "Farm"].zones == (), "a house is told whole"


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("video", {}),
    ("telemetry", {"driver": 7}),
    ("telemetry", {"cars": [3]}),
    ("telemetry", {"cars": {"number": "7"}}),
    ("telemetry", {"cars": [{}] * 129}),
    ("telemetry", {"cars": [{"where": math.inf}]}),
    ("telemetry", {"cars": [{"position": 1.5}]}),
    ("telemetry", {"track": {"points": [[1, 2, 3]]}}),
    ("telemetry", {"track": {"points": [[1]]}}),
    ("telemetry", {"track": []}),
    ("telemetry", {"tyres": {"front_left": 0.9}}),
    ("telemetry", {"samples": {"first": 1}}),
    ("telemetry", {"samples": {"first": -1, "hz": 60}}),
    ("telemetry", {"samples": {"first": 1, "hz": 0}}),
    ("telemetry", {"samples": {"first": 1, "hz": 60, "throttle": [1], "brake": [1, 2]}}),
    ("telemetry", {"samples": {"first": 1, "hz": 60, "throttle": ["full"]}}),
    ("telemetry", {"samples": {"first": 1, "hz": 60, "throttle": [0.0] * 5000}}),
    ("telemetry", {"age_s": True}),
    ("heating", {"zones": [{"sensor": "broken"}]}),
    ("heating", {"zones": "all"}),
    ("heating", {"zones": [{"calling": "yes"}]}),
    ("heating", {"zones": [{"override": {"ends": 1e15}}]}),
    ("heating", {"boiler": "on"}),
    ("team", {"messages": [{"id": "1"}]}),
    ("team", {"messages": [{"at": UTC, "priority": "loud"}]}),
    ("team", {"stints": [{"begin": 10, "end": 9}]}),
    ("team", {"stints": [{}]}),
    ("team", {"handoff": {"steps": [{"done": 1}]}}),
]


@pytest.mark.parametrize(("service", "told"), BROKEN)
def test_what_is_none_is_refused_and_changes_nothing(service: str, told: dict[str, Any]) -> None:
    model = Model()
    for name, good in (("telemetry", TELEMETRY), ("heating", HEATING), ("team", TEAM)):
        model.measured("d", name, good, 100.0)
    services, version, end = model.services, model.version, model.services.telemetry["d", "Ann"].samples.end
    before = dict(services.telemetry), dict(services.heating), dict(services.team)
    whose = {"telemetry": {"driver": "Ann", "race": {"lap": 99}}, "heating": {"house": "Farm"}}
    with pytest.raises(ValueError, match=r"\w"):
        model.measured("d", service, {**whose.get(service, {"team": "Red"}), **told}, 101.0)
    assert before == (services.telemetry, services.heating, services.team) and model.version == version
    assert services.telemetry["d", "Ann"].samples.end == end


def test_how_many_there_are_is_bounded() -> None:
    model = Model()
    for number in range(EACH_MAX):
        model.measured("d", "telemetry", {"driver": str(number)}, 100.0)
    with pytest.raises(ValueError, match="more than"):
        model.measured("d", "telemetry", {"driver": "one more"}, 100.0)
    model.measured("d", "telemetry", {"driver": "0", "lost": 4}, 100.0)
    assert model.services.telemetry["d", "0"].lost == 4


def test_sectors_are_the_best_of_all_ones_own_best_or_neither() -> None:
    ours = CarView(number="7", sectors=(30.0, 41.0, 29.0, None), best_sectors=(30.0, 41.0, 28.0, 27.0))
    other = CarView(number="8", best_sectors=(31.0, 40.0, None))
    assert marks(ours, best_sectors([ours, other])) == (Mark.OVERALL, Mark.OWN, Mark.SLOWER, None)
    assert marks(CarView(number="1", sectors=(9.0,)), []) == (Mark.OVERALL,), "the first of all is the best"
