"""Rankings of stages and the best laps of the event, on small days made by hand."""

from typing import Any

import pytest
from attrs import evolve

from daemons.race.bests import Best, bests
from daemons.race.files import read_pilots, read_rollovers, read_stages
from daemons.race.model import Day
from daemons.race.standings import StageTable, stage_tables

from . import makers as make
from .test_rules import ANN, BO, CY, DONE, day_of

STAGE = make.guid(0xA, 1)
FINALS = make.guid(0xA, 2)


def stage(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "Name": "Qualifying", "Order": number * 100, "Valid": True, "StageType": "Default", "PointSummary": None,
        "TimeSummary": None, "LapCountAfterRound": False, "ID": make.guid(0xA, number), **more,
    }  # fmt: skip


def points(*, rollover: bool = False, drop: bool = False) -> dict[str, Any]:
    return {"PointSummary": {"RoundPositionRollover": rollover, "DropWorstRound": drop}}


def flown(in_round: int, scores: dict[int, int], **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A finished race of a round, and its results: points by pilot."""
    race = make.race(1, in_round=in_round, seats=dict.fromkeys(scores, 9), **DONE, **more)
    return race, [make.result(who, place, Points=scores[who]) for place, who in enumerate(scores, start=1)]


def staged(*rounds: dict[int, int], stages: list[dict[str, Any]], **more: Any) -> Day:
    """A day with a race a round, whose points are given; all rounds in the first stage but the last ones in `finals`."""
    finals = more.pop("finals", ())
    races = [flown(number, scores) for number, scores in enumerate(rounds, start=1)]
    day = day_of(
        *(race for race, _ in races),
        rounds=[
            make.round_(number, Stage=FINALS if number in finals else STAGE, **more)
            for number in range(1, len(rounds) + 1)
        ],
        results={number * 100 + 1: results for number, (_, results) in enumerate(races, start=1) if results},
    )
    return evolve(day, stages=read_stages("Stages.json", make.to_bytes(stages)))


def totals(table: StageTable) -> dict[str | None, tuple[str, ...]]:
    return {row.name: row.values for row in table.rows}


def test_points_are_summed_over_the_rounds_of_a_stage() -> None:
    (table,) = stage_tables(staged({1: 10, 2: 8}, {2: 10, 1: 6}, stages=[stage(**points())]))
    assert table.headings == ("Position", "Points", "Round 1", "Round 2")
    assert totals(table) == {"Bo": ("1", "18", "8", "10"), "Ann": ("2", "16", "10", "6")}
    assert not table.is_ready


def test_equal_points_share_the_place_in_order_of_names() -> None:
    (table,) = stage_tables(staged({2: 8, 1: 8, 3: 2}, stages=[stage(**points())]))
    assert [(row.name, row.values[0]) for row in table.rows] == [("Ann", "1"), ("Bo", "1"), ("Cy", "3")]


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        (({1: 10}, {1: 4}, {1: 6}), "16"),  # the worst is dropped
        (({1: 10},), "10"),  # a single result is never dropped
        (({1: 10, 2: 8}, {2: 8}, {1: 6, 2: 8}), "16"),  # who missed a round has dropped it already
        (({1: 10, 2: 8}, {1: 6, 2: 8}, {2: 8}), "10"),  # behind his last one none is missed yet
    ],
)
def test_the_worst_round_is_dropped_once_for_who_flew_all(
    rounds: tuple[dict[int, int], ...], expected: str
) -> None:
    (table,) = stage_tables(staged(*rounds, stages=[stage(**points(drop=True))]))
    assert totals(table)["Ann"][1] == expected


def test_what_rolls_over_is_added_and_may_be_what_is_dropped() -> None:
    """The last round before the finals counts, not an earlier one, and nothing that was struck out."""
    rollovers = [
        {"Pilot": ANN, "Round": make.round_id(1), "Points": 1, "ResultType": "RoundRollOver", "Valid": True},
        {"Pilot": ANN, "Round": make.round_id(2), "Points": 3, "ResultType": "RoundRollOver", "Valid": True},
        {"Pilot": BO, "Round": make.round_id(2), "Points": 9, "ResultType": "RoundRollOver", "Valid": False},
        {"Pilot": BO, "Round": make.round_id(2), "Points": 9, "ResultType": "Race", "Valid": True},
    ]
    rounds = ({1: 10, 2: 8}, {1: 10, 2: 8}, {1: 6, 2: 8}, {1: 6, 2: 8})
    for drop, ann, bo in ((False, "15", "16"), (True, "12", "8")):
        stages = [stage(), stage(2, **points(rollover=True, drop=drop))]
        day = staged(*rounds, stages=stages, finals=(3, 4))
        day = evolve(day, rollovers=read_rollovers("Results.json", make.to_bytes(rollovers)))
        _, finals = stage_tables(day)
        assert finals.headings == ("Position", "Points", "Rolled over", "Round 3", "Round 4")
        assert totals(finals)["Ann"] == ("2" if not drop else "1", ann, "3", "6", "6")
        assert totals(finals)["Bo"] == ("1" if not drop else "2", bo, "", "8", "8")


def test_only_races_and_endurance_give_points() -> None:
    for kind, expected in (("Race", "10"), ("Enduro", "10"), ("TimeTrial", None), ("Practise", None)):
        (table,) = stage_tables(staged({1: 10}, stages=[stage(**points())], EventType=kind))
        assert (totals(table)["Ann"][1] if table.rows else None) == expected


def test_a_race_that_is_live_again_or_deleted_gives_no_points() -> None:
    race, results = flown(1, {1: 10})
    for change, expected in (({}, "10"), ({"End": make.NONE}, "0"), ({"Valid": False}, None)):
        day = day_of(race | change, rounds=[make.round_(1, Stage=STAGE)], results={101: results})
        day = evolve(day, stages=read_stages("Stages.json", make.to_bytes([stage(**points())])))
        (table,) = stage_tables(day)
        assert (totals(table)["Ann"][1] if table.rows else None) == expected


def test_the_standings_that_fpvtrackside_has_worked_out_go_before_ours() -> None:
    ready = {
        "Headings": ["Rank", "Wins"],
        "Rows": [
            {"Name": "Bo", "PilotId": BO, "Values": ["1", "3"]},
            {"Name": "Ann", "Values": ["2"]},  # as before May 2026: no id; and a value short
            {"Name": "Nobody", "Values": ["3", "0", "more"]},
        ],
    }
    (table,) = stage_tables(staged({1: 10, 2: 8}, stages=[stage(**points(), Standings=ready)]))
    assert table.is_ready
    assert table.headings == ("Rank", "Wins")
    assert [(row.pilot_id, row.values) for row in table.rows] == [
        (BO, ("1", "3")),
        (ANN, ("2", "")),
        (None, ("3", "0")),
    ]


def test_two_pilots_of_one_name_are_not_taken_for_each_other() -> None:
    ready = {"Headings": ["Rank"], "Rows": [{"Name": "Ann", "Values": ["1"]}]}
    day = staged({1: 10}, stages=[stage(Standings=ready)])
    day = evolve(
        day, pilots=read_pilots("Pilots.json", make.to_bytes([make.pilot(1, "Ann"), make.pilot(2, "Ann")]))
    )
    assert stage_tables(day)[0].rows[0].pilot_id is None


def test_stages_come_in_their_order_and_deleted_ones_not_at_all() -> None:
    stages = [stage(3, Name="third"), stage(1, Name="first"), stage(2, Name="gone", Valid=False)]
    assert [table.name for table in stage_tables(staged({1: 10}, stages=stages))] == ["first", "third"]


def timed(summary: dict[str, Any], *, laps: int = 2, pb: int = 1) -> Day:
    day = day_of(
        make.race(1, in_round=1, **DONE, flown={1: [4.0, 9.0, 8.0, 8.5], 2: [3.0, 9.5, 7.5]}),
        make.race(1, in_round=2, **DONE, flown={1: [5.0, 7.0], 2: [2.0, 8.0, 8.0]}),
        rounds=[make.round_(1, Stage=STAGE), make.round_(2, Stage=FINALS)],
        Laps=laps,
        PBLaps=pb,
    )
    return evolve(day, stages=read_stages("Stages.json", make.to_bytes([stage(**summary)])))


@pytest.mark.parametrize(
    ("kind", "all_rounds", "heading", "expected"),
    [
        ("PB", False, "1 lap", [("Bo", "7.500"), ("Ann", "8.000")]),
        ("PB", True, "1 lap", [("Ann", "7.000"), ("Bo", "7.500")]),
        ("EventLap", False, "2 laps", [("Ann", "16.500"), ("Bo", "17.000")]),
        ("EventLap", True, "2 laps", [("Bo", "16.000"), ("Ann", "16.500")]),
        ("RaceTime", True, "Race time", [("Bo", "18.000"), ("Ann", "21.000")]),  # with the holeshot
    ],
)
def test_a_stage_may_be_ranked_by_times(
    kind: str, all_rounds: bool, heading: str, expected: list[tuple[str, str]]
) -> None:
    day = timed({"TimeSummary": {"TimeSummaryType": kind, "IncludeAllRounds": all_rounds}})
    (table,) = stage_tables(day)
    assert table.headings == ("Position", heading)
    assert [(row.name, row.values[1]) for row in table.rows] == expected


def test_a_stage_may_be_ranked_by_laps() -> None:
    (table,) = stage_tables(timed({"LapCountAfterRound": True}))
    assert table.headings == ("Position", "Laps", "Round 1")
    assert totals(table) == {"Ann": ("1", "3", "3"), "Bo": ("2", "2", "2")}


def test_before_there_were_stages_a_round_with_a_summary_ended_a_block() -> None:
    races = [flown(number, {1: 10, 2: 8}) for number in (1, 2, 3)]
    day = day_of(
        *(race for race, _ in races),
        rounds=[make.round_(1), make.round_(2, **points(drop=True)), make.round_(3)],
        results={number * 100 + 1: results for number, (_, results) in enumerate(races, start=1)},
    )
    first, second = stage_tables(day)
    assert (first.id, first.name) == (make.round_id(2), "Rounds 1 to 2")
    assert totals(first) == {"Ann": ("1", "10", "10", "10"), "Bo": ("2", "8", "8", "8")}
    assert (second.id, second.name) == (make.round_id(3), "Round 3")
    assert totals(second)["Ann"] == ("1", "10", "10")


def test_the_best_laps_of_the_event_are_found_in_whichever_race() -> None:
    best = bests(timed({}))
    assert best.laps == (Best(ANN, make.race_id(201), 7.0, 1), Best(BO, make.race_id(101), 7.5, 1))
    assert best.runs == (Best(BO, make.race_id(201), 16.0, 2), Best(ANN, make.race_id(101), 16.5, 2))
    assert best.pbs == best.laps
    assert best.of(ANN) == (best.laps[0], best.runs[1])
    assert best.of(CY) == (None, None)


def test_of_equal_laps_the_earlier_one_is_the_best_and_one_lap_is_no_run() -> None:
    same = {1: [4.0, 8.0]}
    day = day_of(make.race(1, **DONE, flown=same), make.race(2, **DONE, flown=same), Laps=1, PBLaps=0)
    best = bests(day)
    assert [(entry.race_id, entry.seconds) for entry in best.laps] == [(make.race_id(101), 8.0)]
    assert (best.runs, best.pbs) == ((), ())
    assert bests(Day()).laps == ()
