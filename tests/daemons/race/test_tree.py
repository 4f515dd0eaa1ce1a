"""The tree of a day: what it holds, that it holds no null, and that one lap makes one race anew."""

import json
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from daemons.race.bests import bests
from daemons.race.files import read_race
from daemons.race.mergepatch import apply, diff
from daemons.race.model import Day
from daemons.race.standings import stage_tables
from daemons.race.tree import NEXT_MAX, RACES_MAX, Tree, TreeMaker

from . import makers as make
from .test_rules import day_of


def tree_of(day: Day, selected: str | None = None, **more: Any) -> Tree:
    return TreeMaker().make(day, selected, **more)


def nulls(value: Any, at: str = "") -> Iterator[str]:
    if value is None:
        yield at
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from nulls(inner, f"{at}/{key}")
    for place, inner in enumerate(value) if isinstance(value, list) else ():
        yield from nulls(inner, f"{at}/{place}")


def test_before_an_event_is_open_there_is_a_headline() -> None:
    tree = tree_of(Day())
    assert tree["now"] == {"phase": "no_event", "headline": "Waiting for an event to be opened", "next": []}
    assert "event" not in tree
    assert (tree["order"], tree["races"], tree["pilots"], tree["rounds"]) == ([], {}, {}, {})


def test_a_live_race_by_id() -> None:
    day = day_of(
        make.race(1, start=make.START, end=make.END, flown={1: [4.0, 9.0, 8.5, 8.75], 2: [4.5, 9.0]}),
        make.race(2, start=make.START, flown={1: [4.25, 9.5], 2: [4.0, 9.0, 68.1264]}),
        *[make.race(number) for number in (3, 4, 5, 6)],
    )
    tree = tree_of(day)
    live, done = make.race_id(102), make.race_id(101)
    one, two = make.pilot_id(1), make.pilot_id(2)
    assert tree["event"]["time_zone"] == "Australia/Brisbane"
    assert tree["now"] == {
        "phase": "live",
        "headline": "Race 1-2 is on",
        "race": live,
        "previous": done,
        "next": [make.race_id(100 + number) for number in (3, 4, 5)],
    }
    race = tree["races"][live]
    assert (race["name"], race["state"], race["start"]) == ("Race 1-2", "live", "2026-02-06T17:00:00.000Z")
    assert (race["official"], race["from_memory"], race["target_laps"], "end" in race) == (
        False,
        False,
        3,
        False,
    )
    assert race["ranking"] == [two, one]
    assert race["rows"][two]["lap_times"] == [9.0, 68.126]
    assert race["rows"][two]["holeshot"] == 4.0
    assert "best_run" not in race["rows"][two]
    assert tree["pilots"][one] == {
        "id": one,
        "name": "Ann",
        "next": {
            "race": live,
            "races_until": 0,
            "channel": "R1",
            "mhz": 5658,
            "colour": "#FF0000",
            "channel_changed": False,
        },
        "best_lap": {"s": 8.5, "race": done},
        "best_run": {"s": 26.25, "race": done, "laps": 3},
        "races": [make.race_id(100 + number) for number in range(1, 7)],
    }
    assert tree["bests"]["laps"][0] == {"pilot": one, "s": 8.5, "race": done}
    assert tree["bests"]["runs"] == [{"pilot": one, "s": 26.25, "race": done, "laps": 3}]
    assert tree["rounds"][make.round_id(1)]["name"] == "Race Round 1"


def test_the_bests_are_those_of_the_day() -> None:
    flown = {1: [4.0, 9.0, 8.5, 8.75], 2: [4.5, 9.0, 8.0, 9.25, 8.5], 3: [4.0, 8.5, 9.25]}
    again = {1: [4.0, 8.5, 8.5, 8.5], 2: flown[3], 3: flown[1]}
    day = day_of(
        make.race(1, start=make.START, end=make.END, flown=flown, seats={1: 9, 2: 10, 3: 2}),
        make.race(2, start=make.START, flown=again, seats={1: 9, 2: 10}),
    )
    shown, known = tree_of(day)["bests"], bests(day)
    assert [(one["pilot"], one["race"], one["s"]) for one in shown["laps"]] == [
        (best.pilot_id, best.race_id, best.seconds) for best in known.laps
    ]
    assert [(one["pilot"], one["race"], one["s"], one["laps"]) for one in shown["runs"]] == [
        (best.pilot_id, best.race_id, best.seconds, best.laps) for best in known.runs
    ]
    assert (len(known.laps), len(known.runs)) == (3, 2)


def test_when_a_pilot_flies_and_what_he_flies_on() -> None:
    def at(minute: int) -> dict[str, str]:
        return {"start": f"2026/02/07 3:{minute:02d}:00", "end": f"2026/02/07 3:{minute + 2:02d}:00"}

    day = day_of(
        make.race(1, **at(0)),
        make.race(2, **at(5)),
        make.race(3, seats={3: 9}),
        make.race(4, seats={1: 10, 2: 2}),
    )
    tree = tree_of(day)
    third, fourth = make.race_id(103), make.race_id(104)
    assert (tree["now"]["race"], tree["now"]["next"]) == (third, [fourth])
    assert tree["races"][third]["expected"] == {"at": "2026-02-06T17:10:00.000Z", "spread_s": 75.0}
    assert tree["races"][fourth]["expected"]["at"] == "2026-02-06T17:15:00.000Z"
    ann = tree["pilots"][make.pilot_id(1)]["next"]
    assert (ann["race"], ann["races_until"], ann["channel"]) == (fourth, 1, "R2")
    assert ann["expected"] == tree["races"][fourth]["expected"]
    assert ann["channel_changed"]
    assert tree["races"][fourth]["rows"][make.pilot_id(1)]["channel_changed"]
    assert not tree["races"][make.race_id(102)]["rows"][make.pilot_id(1)]["channel_changed"]
    assert day.event is not None
    no_zone = tree_of(evolve(day, event=evolve(day.event, time_zone=None)))
    assert "expected" not in no_zone["races"][third]
    assert "expected" not in no_zone["pilots"][make.pilot_id(1)]["next"]


def test_the_ranking_of_a_stage_and_the_points_of_a_race() -> None:
    result = [make.result(1, 1, Points=10), make.result(2, 2, Points=8)]
    day = day_of(make.race(1, start=make.START, end=make.END), results={101: result})
    tree = tree_of(day)
    rows = tree["races"][make.race_id(101)]["rows"]
    assert [rows[make.pilot_id(number)]["points"] for number in (1, 2)] == [10, 8]
    table = stage_tables(day)[0]
    stage = tree["stages"][table.id]
    assert (stage["headings"], stage["is_ready"]) == (list(table.headings), False)
    first = {"pilot": make.pilot_id(1), "name": "Ann", "values": list(table.rows[0].values)}
    assert stage["rows"][0] == first


def test_nothing_in_it_is_null_and_json_carries_it() -> None:
    bare = make.race(1, Round=make.NO_ID, seats={7: 99, 1: 9}, target=0)
    for tree in (
        tree_of(Day()),
        tree_of(day_of(bare, TimeZone=None)),
        tree_of(evolve(day_of(bare), event=None)),
    ):
        assert list(nulls(tree)) == []
        assert json.loads(json.dumps(tree, allow_nan=False)) == tree


def test_a_lap_makes_one_race_of_two_hundred_anew() -> None:
    flown = {1: [4.0, 9.0], 2: [4.5, 9.0]}
    races = [make.race(n, start=make.START, end=make.END, flown=flown) for n in range(1, 200)]
    before = day_of(*races, make.race(200, start=make.START, flown={1: [4.0]}))
    flying = make.race(200, start=make.START, flown={1: [4.0, 9.5]})
    race = read_race("Race.json", make.to_bytes([flying]))
    after = evolve(before, races={**before.races, race.id: race})
    maker = TreeMaker()
    first = maker.make(before, None)
    assert maker.parts.made == 200
    assert maker.make(before, None) is first
    second = maker.make(after, None)
    assert maker.parts.made == 201
    live = make.race_id(300)
    assert all(second["races"][key] is first["races"][key] for key in first["races"] if key != live)
    assert second["event"] is first["event"]
    patch = diff(first, second)
    assert patch == {
        "races": {
            live: {"rows": {make.pilot_id(1): {"laps": 1, "lap_times": [9.5], "last": 9.5, "best": 9.5}}}
        }
    }
    assert apply(first, patch) == second


def test_what_a_race_is_shown_with_makes_it_anew() -> None:
    day = day_of(make.race(1), make.race(2, in_round=2))
    maker = TreeMaker()
    maker.make(day, None)
    maker.make(evolve(day, pilots=dict(day.pilots), channels=dict(day.channels)), None)
    assert maker.parts.made == 2
    one = make.pilot_id(1)
    renamed = evolve(day, pilots={**day.pilots, one: evolve(day.pilots[one], name="Anna")})
    tree = maker.make(renamed, None)
    assert maker.parts.made == 4
    assert tree["races"][make.race_id(101)]["rows"][one]["pilot"] == "Anna"
    round_ = day.rounds[make.round_id(2)]
    maker.make(evolve(renamed, rounds={**day.rounds, round_.id: evolve(round_, number=7)}), None)
    assert maker.parts.made == 5


def test_of_too_many_races_those_around_the_current_one_are_shown() -> None:
    races = [make.race(number) for number in range(1, 261)]
    day = day_of(*races)
    tree = tree_of(day, make.race_id(300))
    assert len(tree["order"]) == len(tree["races"]) == RACES_MAX
    assert tree["order"][-1] == make.race_id(360)
    assert tree["now"]["race"] == make.race_id(300)
    assert len(tree["now"]["next"]) == NEXT_MAX
    assert tree_of(day)["order"][0] == make.race_id(101)


def test_a_race_selected_in_a_round_that_does_not_count_is_there_all_the_same() -> None:
    day = day_of(make.race(1), make.race(2, in_round=2))
    round_ = day.rounds[make.round_id(2)]
    day = evolve(day, rounds={**day.rounds, round_.id: evolve(round_, valid=False)})
    tree = tree_of(day, make.race_id(202))
    assert tree["now"]["race"] in tree["races"]
    assert tree["order"] == [make.race_id(101)]


def test_results_from_memory_are_marked() -> None:
    day = day_of(make.race(1, start=make.START, end=make.END), results={101: [make.result(1, 1)]})
    key = make.race_id(101)
    race = tree_of(day, kept_results=frozenset({key}))["races"][key]
    assert (race["official"], race["from_memory"]) == (True, True)
