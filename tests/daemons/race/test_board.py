"""The board: what the page is told, and what it must never be told."""

import json
from datetime import timedelta, timezone
from typing import Any

from daemons.race.board import Board, make_board
from daemons.race.model import Day

from . import makers as make
from .test_rules import day_of

DONE: dict[str, Any] = {"start": make.START, "end": make.END}


def test_a_live_race_is_shown_with_everything_a_spectator_asks_for() -> None:
    day = day_of(
        make.race(1, start=make.START, flown={1: [4.0, 9.5], 2: [4.25, 9.0, 8.1234]}),
        make.race(2, seats={3: 9}),
    )
    board = make_board(day, make.race_id(101))
    assert (board["event"], board["phase"]) == ({"id": make.EVENT_ID, "name": "Winter Cup"}, "live")
    assert board["headline"] == "Race 1-1 is on"
    race = board["race"]
    assert (race["name"], race["round"], race["number"], race["target_laps"]) == ("Race 1-1", 1, 1, 3)
    assert (race["start"], race["end"]) == ("2026-02-06T17:00:00.000Z", None)
    assert race["rows"][0] == {
        "id": make.pilot_id(2),
        "pilot": "Bo",
        "channel": "R2",
        "mhz": 5695,
        "colour": "#0000FF",
        "position": 1,
        "dnf": False,
        "laps": 2,
        "over_target": 0,
        "lap_times": [9.0, 8.123],
        "holeshot": 4.25,
        "last": 8.123,
        "best": 8.123,
        "best_run": None,
        "handicap_s": None,
    }
    assert board["next"]["name"] == "Race 1-2"
    assert [row["pilot"] for row in board["next"]["rows"]] == ["Cy"]
    assert board["previous"] is None


def test_the_race_before_stays_readable_while_the_next_one_waits() -> None:
    day = day_of(make.race(1, **DONE, target=1, flown={1: [4.0, 9.5], 2: [4.25, 9.0]}), make.race(2))
    board = make_board(day, None)
    assert (board["phase"], board["headline"]) == ("pending", "Race 1-2 is next")
    assert [row["pilot"] for row in board["previous"]["rows"]] == ["Bo", "Ann"]
    assert board["next"] is None


def test_when_all_is_flown_the_last_race_is_shown_once() -> None:
    board = make_board(day_of(make.race(1, **DONE)), None)
    assert (board["phase"], board["headline"]) == ("done", "Race 1-1 is over")
    assert (board["previous"], board["next"]) == (None, None)


def test_a_race_that_went_on_and_a_start_one_after_the_other() -> None:
    seats = [
        {"Pilot": make.pilot_id(who), "Channel": make.channel_id(9), "HandicapOffset": offset}
        for who, offset in ((1, "00:00:00"), (2, "00:00:05.2500000"))
    ]
    more: dict[str, Any] = {"PilotChannels": seats, "TotalPausedTime": "00:08:31.5605717"}
    flown, waits = make.race(1, **DONE, **more), make.race(2, **more)
    day = day_of(flown, waits, rounds=[make.round_(1, Handicapped=True)])
    race = make_board(day, make.race_id(101))["race"]
    assert race["paused_s"] == 511.561
    assert [row["handicap_s"] for row in race["rows"]] == [None, 5.25]
    race = make_board(day_of(flown, waits), make.race_id(102))["race"]
    assert race["paused_s"] is None, "of a flight before this one"
    assert [row["handicap_s"] for row in race["rows"]] == [None, None], "not in this round"


def test_before_there_is_anything_the_board_says_what_it_waits_for() -> None:
    assert make_board(Day(), None)["headline"] == "Waiting for an event to be opened"
    board = make_board(day_of(), None)
    assert (board["phase"], board["headline"]) == ("no_race", "Waiting for the first race")


def test_nothing_private_is_on_the_board() -> None:
    text = json.dumps(make_board(day_of(make.race(1, start=make.START)), None))
    assert "Ann" in text
    for private in ("Secret", "secret", "Person", "FirstName", "Discord", "Photo"):
        assert private not in text


def test_a_pilot_who_is_in_no_list_is_shown_without_a_name() -> None:
    board = make_board(day_of(make.race(1, seats={9: 99})), None)
    (row,) = board["race"]["rows"]
    assert (row["pilot"], row["channel"], row["mhz"], row["colour"]) == ("Unknown pilot", None, None, None)


def test_times_follow_the_event_then_the_site_then_nobody() -> None:
    race = make.race(1, start=make.START)
    site_zone = timezone(timedelta(hours=1))

    def start(**event: Any) -> object:
        return make_board(day_of(race, **event), None, site_zone=site_zone)["race"]["start"]

    assert start() == "2026-02-06T17:00:00.000Z"
    assert start(TimeZone=None) == "2026-02-07T02:00:00.000Z"
    assert start(TimeZone="Mars/Olympus_Mons") == "2026-02-07T02:00:00.000Z"
    assert make_board(day_of(race, TimeZone=None), None)["race"]["start"] is None


def test_official_results_and_those_from_memory_are_marked() -> None:
    day = day_of(make.race(1, **DONE), results={101: [make.result(1, 1)]})

    def marks(board: Board) -> tuple[bool, bool]:
        return board["race"]["official"], board["race"]["results_from_memory"]

    assert marks(make_board(day, None)) == (True, False)
    assert marks(make_board(day, None, kept_results=frozenset({make.race_id(101)}))) == (True, True)
    assert marks(make_board(day_of(make.race(1, **DONE)), None)) == (False, False)


def test_a_hostile_file_cannot_make_the_board_huge() -> None:
    flown = {who: [1.0] * 400 for who in range(1, 101)}
    race = make.race(1, start=make.START, seats=dict.fromkeys(flown, 9), flown={1: flown[1]}, target=0)
    board = make_board(day_of(race, rounds=[make.round_(1, EventType="Practice")]), None)
    assert len(board["race"]["rows"]) == 64
    assert len(board["race"]["rows"][0]["lap_times"]) == 200
    assert board["race"]["rows"][0]["laps"] == 399
    assert len(json.dumps(board)) < 64 * 1024
