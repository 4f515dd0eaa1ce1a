"""The rules of the race, on small days made by hand."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.channels import channel_colours
from daemons.race.files import read_channels, read_event, read_pilots, read_race, read_results, read_rounds
from daemons.race.model import Day, EventType, Race
from daemons.race.rules import (
    best_consecutive,
    current_race,
    flight_of,
    last_finished,
    next_race,
    ordered_races,
    positions_of,
    race_name,
    rows_of,
    unknown_ids,
)

from . import makers as make

ANN, BO, CY = (make.pilot_id(number) for number in (1, 2, 3))
DONE: dict[str, Any] = {"start": make.START, "end": make.END}
LIVE: dict[str, Any] = {"start": make.START}


def day_of(*races: dict[str, Any], **more: Any) -> Day:
    """A day of these races. `more`: rounds, channels, event fields, results by race number."""
    read = [read_race("Race.json", make.to_bytes([race])) for race in races]
    rounds = more.pop("rounds", [make.round_(1), make.round_(2)])
    channels = more.pop("channels", make.CHANNELS)
    results = more.pop("results", {})
    return Day(
        event=read_event("Event.json", make.to_bytes([make.event([race.id for race in read], **more)])),
        pilots=read_pilots(
            "Pilots.json", make.to_bytes([make.pilot(1, "Ann"), make.pilot(2, "Bo"), make.pilot(3, "Cy")])
        ),
        rounds=read_rounds("Rounds.json", make.to_bytes(rounds)),
        channels=read_channels("Channels.json", make.to_bytes(channels)),
        races={race.id: race for race in read},
        results={make.race_id(k): read_results("Result.json", make.to_bytes(v)) for k, v in results.items()},
    )


def only(day: Day) -> Race:
    (race,) = day.races.values()
    return race


def names(races: list[Race]) -> list[str]:
    return [race.id for race in races]


# --- order ---


def test_races_run_by_the_order_of_their_rounds_and_then_by_number() -> None:
    day = day_of(
        make.race(2, in_round=1),
        make.race(1, in_round=2),
        make.race(1, in_round=1),
        rounds=[make.round_(1, order=300), make.round_(2, order=200)],
    )
    assert names(ordered_races(day)) == [make.race_id(n) for n in (201, 101, 102)]


def test_deleted_races_and_rounds_are_not_run() -> None:
    day = day_of(
        make.race(1),
        make.race(2, Valid=False),
        make.race(1, in_round=2),
        rounds=[make.round_(1), make.round_(2, Valid=False)],
    )
    assert names(ordered_races(day)) == [make.race_id(101)]


def test_a_race_of_an_unknown_round_comes_last_and_is_not_lost() -> None:
    day = day_of(make.race(1, in_round=7), make.race(1, in_round=2))
    assert names(ordered_races(day)) == [make.race_id(201), make.race_id(701)]
    assert race_name(day, day.races[make.race_id(701)]) == "Race 1"


def test_a_race_is_named_as_in_fpvtrackside() -> None:
    day = day_of(
        make.race(4, in_round=2, Bracket="Winners"),
        rounds=[make.round_(2, EventType="TimeTrial", RoundNumber=7)],
    )
    assert race_name(day, only(day)) == "Time Trial 7-4 (Winners)"


# --- the current race ---


def test_the_race_the_operator_selected_is_current() -> None:
    day = day_of(make.race(1, **LIVE), make.race(2))
    assert current_race(day, make.race_id(102)) is day.races[make.race_id(102)]


def test_a_selected_race_that_is_deleted_or_unknown_is_not_current() -> None:
    day = day_of(make.race(1, **LIVE), make.race(2, Valid=False))
    for selected in (make.race_id(102), make.race_id(109), None):
        assert current_race(day, selected) is day.races[make.race_id(101)]


def test_of_two_races_without_an_end_the_younger_one_is_live() -> None:
    day = day_of(make.race(1, start="2026/02/07 4:00:00"), make.race(2, start="2026/02/07 3:00:00"))
    assert current_race(day, None) is day.races[make.race_id(101)]


def test_the_next_race_follows_the_one_that_ended_last_by_the_clock() -> None:
    """Races were run 1, 4, 3 and 2 never: what follows is not "the last completed + 1"."""
    day = day_of(
        make.race(1, **DONE),
        make.race(2),
        make.race(3, start=make.START, end="2026/02/07 3:30:00"),
        make.race(4, start=make.START, end="2026/02/07 3:20:00"),
        make.race(5, seats={}),
        make.race(6),
    )
    last = last_finished(day)
    assert last is day.races[make.race_id(103)]
    assert current_race(day, None) is day.races[make.race_id(106)]


def test_with_nothing_left_to_run_the_last_race_stays() -> None:
    day = day_of(make.race(1, **DONE), make.race(2, start=make.START, end="2026/02/07 3:05:00"))
    assert current_race(day, None) is day.races[make.race_id(102)]
    assert next_race(day, current_race(day, None)) is None


def test_a_day_without_races_has_no_current_one() -> None:
    assert current_race(Day(), None) is None
    assert last_finished(Day()) is None
    assert current_race(day_of(make.race(1, seats={})), None) is None


# --- channels ---


def test_channels_within_15_mhz_share_a_colour() -> None:
    channels = [make.channel(n, "B", n, mhz) for n, mhz in ((1, 5658), (2, 5672), (3, 5687), (4, 5880))]
    day = day_of(
        channels=channels,
        Channels=[make.channel_id(n) for n in (4, 2, 1, 3, 99)],
        ChannelColors=["#FF0000", "#00FF00"],
    )
    assert channel_colours(day) == {
        make.channel_id(1): "#FF0000",
        make.channel_id(2): "#FF0000",  # 14 above: the same
        make.channel_id(3): "#00FF00",  # 15 above: the next
        make.channel_id(4): "#FF0000",  # the palette starts again
    }


def test_a_colour_that_is_none_is_not_used() -> None:
    assert channel_colours(day_of(ChannelColors=["red; background: url(x)", None])) == {}


def test_the_event_may_rename_a_channel() -> None:
    day = day_of(make.race(1), ChannelDisplayNames=[None, "Digital 2", None])
    assert [(row.channel, row.frequency_mhz, row.colour) for row in rows_of(day, only(day))] == [
        ("R1", 5658, "#FF0000"),
        ("Digital 2", 5695, "#0000FF"),
    ]


# --- laps ---


def test_laps_of_ruled_out_detections_do_not_count() -> None:
    race = make.race(1, **LIVE, flown={1: [4.0, 9.5, 2.0, 8.5]})
    race["Detections"][2]["Valid"] = False
    flight = flight_of(only(day_of(race)), EventType.RACE, ANN)
    assert (flight.holeshot_s, flight.laps_s, flight.last_s, flight.best_s) == (4.0, (9.5, 8.5), 8.5, 8.5)


def test_a_lap_belongs_to_the_pilot_of_its_detection() -> None:
    race = make.race(1, **LIVE, flown={1: [4.0, 9.5]})
    race["Detections"][1]["Pilot"] = BO
    day = day_of(race)
    assert flight_of(only(day), EventType.RACE, ANN).laps_s == ()
    assert flight_of(only(day), EventType.RACE, BO).laps_s == (9.5,)


def test_laps_that_took_no_time_or_have_no_detection_do_not_count() -> None:
    race = make.race(1, **LIVE, flown={1: [4.0, 0.0, -1.0, 7.0]})
    del race["Detections"][0]
    flight = flight_of(only(day_of(race)), EventType.RACE, ANN)
    assert (flight.holeshot_s, flight.laps_s) == (None, (7.0,))


def test_laps_beyond_the_target_count_for_the_best_lap_but_not_for_the_race() -> None:
    race = make.race(1, **LIVE, target=2, flown={1: [4.0, 9.0, 9.0, 8.0]})
    day = day_of(race)
    flight = flight_of(only(day), EventType.RACE, ANN)
    assert (flight.counted, flight.over_target, flight.best_s) == (2, 1, 8.0)
    assert flight_of(only(day), EventType.TIME_TRIAL, ANN).over_target == 0


@pytest.mark.parametrize(
    ("laps", "count", "expected"),
    [([5.0, 1.0, 2.0, 9.0], 2, 3.0), ([5.0], 1, 5.0), ([5.0], 2, None), ([], 1, None), ([5.0], 0, None)],
)
def test_the_best_laps_in_a_row(laps: list[float], count: int, expected: float | None) -> None:
    assert best_consecutive(laps, count) == expected


# --- positions ---


def test_positions_go_by_who_got_furthest_and_there_first() -> None:
    race = make.race(1, **LIVE, seats={1: 9, 2: 10, 3: 2}, flown={1: [4.0, 9.0], 2: [5.0, 7.0], 3: [3.0]})
    assert positions_of(only(day_of(race)), EventType.RACE) == {BO: 1, ANN: 2, CY: 3}


def test_a_split_gate_counts_for_the_position() -> None:
    race = make.race(1, **LIVE, flown={1: [4.0], 2: [5.0]})
    split = dict(race["Detections"][1], ID=make.guid(0xE, 99), TimingSystemIndex=1, RaceSector=1)
    race["Detections"].append(split | {"Time": "2026/02/07 3:00:09"})
    assert positions_of(only(day_of(race)), EventType.RACE) == {BO: 1, ANN: 2}


def test_in_a_race_passes_behind_the_target_do_not_change_the_position() -> None:
    race = make.race(1, **LIVE, target=1, flown={1: [4.0, 9.0], 2: [5.0, 9.0, 9.0]})
    day = day_of(race)
    assert positions_of(only(day), EventType.RACE) == {ANN: 1, BO: 2}
    assert positions_of(only(day), EventType.ENDURANCE) == {BO: 1, ANN: 2}


def test_a_pass_that_was_ruled_out_gives_no_position() -> None:
    race = make.race(1, **LIVE, flown={1: [4.0, 9.0], 2: [5.0]})
    race["Detections"][1]["Valid"] = False
    race["Detections"][2]["Valid"] = False
    assert positions_of(only(day_of(race)), EventType.RACE) == {ANN: 1}


def test_a_dead_heat_shares_the_place() -> None:
    race = make.race(
        1, **LIVE, seats={1: 9, 2: 10, 3: 2}, flown={1: [4.0, 9.0], 2: [5.0, 8.0], 3: [4.0, 9.5]}
    )
    assert positions_of(only(day_of(race)), EventType.RACE) == {ANN: 1, BO: 1, CY: 3}


def test_who_has_not_passed_a_gate_has_no_position_and_comes_last() -> None:
    day = day_of(make.race(1, **LIVE, flown={2: [4.0]}))
    assert [(row.pilot, row.position, row.dnf) for row in rows_of(day, only(day))] == [
        ("Bo", 1, False),
        ("Ann", None, False),
    ]


def test_without_official_results_too_few_laps_are_a_dnf() -> None:
    race = make.race(1, **DONE, target=2, flown={1: [4.0, 9.0], 2: [4.5, 9.0, 9.5]})
    day = day_of(race)
    assert [(row.pilot, row.position, row.dnf) for row in rows_of(day, only(day))] == [
        ("Bo", 1, False),
        ("Ann", 2, True),
    ]


def test_official_results_decide_with_dnf_last() -> None:
    race = make.race(
        1, **DONE, seats={1: 9, 2: 10, 3: 2}, flown={1: [4.0, 9.0], 2: [4.5, 8.0], 3: [4.5, 8.0]}
    )
    official = [make.result(1, 1, dnf=True), make.result(2, 3), make.result(3, 2)]
    day = day_of(race, results={101: official})
    assert [(row.pilot, row.position, row.dnf) for row in rows_of(day, only(day))] == [
        ("Cy", 2, False),
        ("Bo", 3, False),
        ("Ann", 1, True),
    ]


def test_a_race_that_is_live_again_goes_by_its_gate_passes() -> None:
    race = make.race(1, **LIVE, flown={1: [4.0, 9.0], 2: [4.5]})
    day = day_of(race, results={101: [make.result(2, 1), make.result(1, 2)]})
    assert [row.pilot for row in rows_of(day, only(day))] == ["Ann", "Bo"]


def test_a_waiting_race_is_listed_by_channel() -> None:
    day = day_of(make.race(1, seats={1: 10, 2: 2, 3: 9}))
    assert [row.channel for row in rows_of(day, only(day))] == ["R1", "R2", "F2"]


def test_what_no_list_holds_is_named() -> None:
    day = day_of(make.race(1, in_round=7, seats={1: 9, 9: 10, 2: 77}))
    assert list(unknown_ids(day, only(day))) == [
        ("round", make.round_id(7)),
        ("pilot", make.pilot_id(9)),
        ("channel", make.channel_id(77)),
    ]
    assert [row.pilot for row in rows_of(day, only(day))] == ["Ann", "", "Bo"]


@given(
    st.dictionaries(st.integers(1, 6), st.lists(st.floats(0.5, 30), max_size=8), max_size=6),
    st.integers(0, 6),
)
def test_positions_are_a_ranking(flown: dict[int, list[float]], target: int) -> None:
    """Every pilot who passed a gate has one place, and nobody who is ahead got less far."""
    race = make.race(1, **LIVE, target=target, seats=dict.fromkeys(flown, 9), flown=flown)
    day = day_of(race)
    placed = positions_of(only(day), EventType.RACE)
    assert placed.keys() == {make.pilot_id(who) for who, lengths in flown.items() if lengths}
    assert all(place <= len(placed) for place in placed.values())
    furthest = {make.pilot_id(who): min(len(lengths) - 1, target) for who, lengths in flown.items()}
    by_place = sorted(placed, key=lambda who: placed[who])
    assert all(furthest[a] >= furthest[b] for a, b in pairwise(by_place))
