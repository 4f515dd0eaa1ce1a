"""When do I fly? On small days made by hand."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.model import Day
from daemons.race.schedule import (
    PAUSE_S,
    channel_changed,
    channel_changes,
    expected,
    line,
    next_flights,
    rhythm,
    upcoming,
)

from . import makers as make
from .test_rules import ANN, BO, CY, day_of

MORNING = datetime(2026, 2, 7, 10)


def at(minutes: float) -> str:
    """A time of the day, so many minutes after ten."""
    when = MORNING + timedelta(minutes=minutes)
    return f"{when:%Y/%m/%d} {when.hour}:{when:%M:%S}"


def flew(start: float, minutes: float = 2) -> dict[str, Any]:
    return {"start": at(start), "end": at(start + minutes)}


def ids(day: Day, selected: str | None = None) -> list[str]:
    return [race.id for race in upcoming(day, selected)]


def times(day: Day, selected: str | None = None) -> dict[str, tuple[str, float]]:
    return {
        str(int(key[-12:], 16)): (f"{x.at:%H:%M:%S}", x.spread_s)
        for key, x in expected(day, selected).items()
    }


def numbered(*numbers: int) -> list[str]:
    return [make.race_id(number) for number in numbers]


# --- what is upcoming ---


def test_upcoming_is_what_has_pilots_and_was_not_flown_in_order() -> None:
    day = day_of(make.race(1, **flew(0)), make.race(2), make.race(3, seats={}), make.race(1, in_round=2))
    assert ids(day) == numbered(102, 201)
    assert [race.id for race in line(day, None)] == numbered(102, 201)


def test_the_selected_race_is_next_and_the_rest_of_its_round_follows() -> None:
    day = day_of(*(make.race(number) for number in (1, 2, 3)), make.race(1, in_round=2))
    assert ids(day, make.race_id(102)) == numbered(102, 103, 101, 201)


def test_a_race_that_was_left_out_is_still_to_come_in_its_round_and_not_behind_it() -> None:
    day = day_of(make.race(1), make.race(2, **flew(0)), make.race(1, in_round=2))
    assert ids(day) == numbered(201)  # by the rule of the current race the next round has begun
    day = day_of(make.race(1), make.race(2, start=at(0)), make.race(1, in_round=2))
    assert ids(day) == numbered(101, 201)
    day = day_of(make.race(1), make.race(2, **flew(0)))
    assert ids(day) == numbered(101)  # nothing else is left


def test_the_live_race_is_first_in_line_and_not_upcoming() -> None:
    day = day_of(make.race(1, start=at(0)), make.race(2))
    assert [race.id for race in line(day, None)] == numbered(101, 102)
    assert ids(day) == numbered(102)


def test_a_finished_race_that_is_looked_at_does_not_change_what_is_next() -> None:
    day = day_of(make.race(1, **flew(0)), make.race(2, **flew(5)), make.race(3))
    assert ids(day, make.race_id(101)) == ids(day) == numbered(103)


# --- rhythm ---


def test_the_rhythm_is_the_median_from_start_to_start() -> None:
    day = day_of(*(make.race(n, **flew(start)) for n, start in enumerate((0, 5, 10, 16, 21), start=1)))
    beat = rhythm(day)
    assert beat is not None
    assert (beat.gap_s, beat.turnaround_s, beat.gaps) == (300, 180, 4)
    assert beat.spread_s == pytest.approx(12)  # between 300 and 324 lie the middle three fifths


def test_before_two_races_nothing_is_known() -> None:
    assert rhythm(Day()) is None
    day = day_of(make.race(1, **flew(0)), make.race(2))
    assert rhythm(day) is None
    assert times(day) == {}


def test_few_races_have_a_wide_spread() -> None:
    beat = rhythm(day_of(make.race(1, **flew(0)), make.race(2, **flew(4))))
    assert beat is not None
    assert (beat.gap_s, beat.spread_s) == (240, 60)


@pytest.mark.parametrize("pause", [60, 29])
def test_a_long_pause_is_not_the_rhythm(pause: float) -> None:
    starts = (0, 5, 10, 10 + pause, 15 + pause)
    beat = rhythm(day_of(*(make.race(n, **flew(start)) for n, start in enumerate(starts, start=1))))
    assert beat is not None
    assert (beat.gap_s, beat.gaps) == (300, 3)


def test_only_the_races_of_late_are_the_rhythm() -> None:
    starts = [*range(0, 100, 10), *range(100, 170, 5)]
    beat = rhythm(day_of(*(make.race(n, **flew(start)) for n, start in enumerate(starts, start=1))))
    assert beat is not None
    assert (beat.gap_s, beat.gaps) == (300, 12)


def test_races_count_in_the_order_they_were_started() -> None:
    beat = rhythm(day_of(make.race(1, **flew(10)), make.race(2, **flew(0)), make.race(3, **flew(5))))
    assert beat is not None
    assert (beat.gap_s, beat.gaps) == (300, 2)


# --- when ---


def test_the_next_race_is_a_turnaround_after_the_last_one_and_the_others_a_gap_each() -> None:
    day = day_of(make.race(1, **flew(0)), make.race(2, **flew(5, 3)), make.race(3), make.race(4))
    assert times(day) == {"103": ("10:11:00", 75.0), "104": ("10:16:00", 106.0)}


def test_behind_a_race_that_is_on_the_next_one_is_a_gap_after_its_start() -> None:
    day = day_of(make.race(1, **flew(0)), make.race(2, start=at(6)), make.race(3))
    assert times(day) == {"103": ("10:12:00", 90.0)}


def test_laps_do_not_change_what_is_expected() -> None:
    def day(*laps: float) -> Day:
        return day_of(make.race(1, **flew(0)), make.race(2, start=at(6), flown={1: list(laps)}), make.race(3))

    assert expected(day(4.0), None) == expected(day(4.0, 9.0, 8.0), None)


def test_a_round_does_not_begin_before_it_is_scheduled() -> None:
    def day(scheduled: str) -> Day:
        return day_of(
            make.race(1, **flew(0)),
            make.race(2, **flew(5)),
            make.race(3),
            make.race(1, in_round=2),
            make.race(2, in_round=2),
            rounds=[make.round_(1, ScheduledStart=at(90)), make.round_(2, ScheduledStart=scheduled)],
        )

    starts = {key: when for key, (when, _) in times(day(at(60))).items()}
    assert starts == {"103": "10:10:00", "201": "11:00:00", "202": "11:05:00"}  # round 1 has begun long ago
    starts = {key: when for key, (when, _) in times(day(at(1))).items()}
    assert starts == {"103": "10:10:00", "201": "10:15:00", "202": "10:20:00"}


def test_of_a_scheduled_round_the_first_race_is_known_before_any_was_flown() -> None:
    day = day_of(make.race(1), make.race(2), rounds=[make.round_(1, ScheduledStart=at(0))])
    assert times(day) == {"101": ("10:00:00", 0.0)}


def test_at_the_end_of_the_calendar_nothing_is_expected() -> None:
    day = day_of(
        make.race(1, start="9999/12/31 23:50:00", end="9999/12/31 23:51:00"),
        make.race(2, start="9999/12/31 23:58:00", end="9999/12/31 23:59:59"),
        make.race(3),
    )
    assert times(day) == {}


# --- who ---


def test_each_pilot_has_his_next_race() -> None:
    day = day_of(
        make.race(1, **flew(0), seats={1: 9, 2: 10}),
        make.race(2, start=at(5), seats={1: 9, 3: 10}),
        make.race(3, seats={2: 10, 1: 9}),
        make.race(4, seats={2: 2}),
    )
    flights = next_flights(day, None)
    assert {pilot: (x.race_id, x.races_until) for pilot, x in flights.items()} == {
        ANN: (make.race_id(102), 0),  # he is flying
        CY: (make.race_id(102), 0),
        BO: (make.race_id(103), 1),
    }
    assert flights[ANN].expected is None
    assert flights[BO].expected is not None
    assert flights[BO].channel_id == make.channel_id(10)


def test_who_has_flown_all_his_races_has_no_next_one() -> None:
    assert next_flights(day_of(make.race(1, **flew(0))), None) == {}


def test_a_channel_that_changed_since_the_last_flight_is_marked() -> None:
    day = day_of(
        make.race(1, **flew(10), seats={1: 9, 2: 10}),  # flown second
        make.race(2, **flew(0), seats={1: 10}),
        make.race(3, seats={1: 10, 2: 10, 3: 2}),
        make.race(4, seats={2: 2}),
        make.race(5, seats={1: 10}),
    )
    assert channel_changes(day) == {
        make.race_id(101): {ANN},
        make.race_id(102): set(),
        make.race_id(103): {ANN},  # Cy flies for the first time
        make.race_id(104): {BO},
        make.race_id(105): {ANN},  # still another than on the last flight, however many races wait
    }
    assert next_flights(day, None)[ANN].channel_changed
    assert channel_changed(day, day.races[make.race_id(104)], BO)
    assert not channel_changed(day, day.races[make.race_id(103)], BO)
    assert not channel_changed(day, day.races[make.race_id(103)], "nobody")


@given(st.lists(st.floats(30, 4000), min_size=1, max_size=30), st.integers(1, 5))
def test_what_is_expected_lies_behind_the_last_race_in_order(gaps_s: list[float], waiting: int) -> None:
    starts, start = [], 0.0
    for gap_s in gaps_s:
        starts.append(start)
        start += gap_s / 60
    races = [make.race(number, **flew(start, 0.4)) for number, start in enumerate(starts, start=1)]
    races += [make.race(len(starts) + number) for number in range(1, waiting + 1)]
    day = day_of(*races)
    beat, found = rhythm(day), list(expected(day, None).values())
    if beat is None:
        assert found == []
        assert all(gap_s > PAUSE_S for gap_s in gaps_s[:-1])
        return
    assert min(gaps_s) - 1 <= beat.gap_s <= min(PAUSE_S, max(gaps_s)) + 1
    assert len(found) == waiting
    assert found[0].at >= MORNING + timedelta(minutes=starts[-1])
    assert [x.at for x in found] == sorted(x.at for x in found)
    assert [x.spread_s for x in found] == sorted(x.spread_s for x in found)
