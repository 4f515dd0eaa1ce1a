"""What a week says: over both changes of clocks, in houses of several zones, against a clock that is watched."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemons.heating.control.calendar import effective_week, holds, holds_since, next_change, next_of
from daemons.heating.settings import Entry, Settings, Target, Week, ZoneSettings
from tests.daemons.heating.control.rig import at_local

DENVER = "America/Denver"
ZONES = [DENVER, "Europe/Berlin", "America/Phoenix", "Australia/Lord_Howe", "America/Havana", "Asia/Kolkata"]


def week(*entries: tuple[int, int, float]) -> Week:
    return tuple(Entry(day, minute, Target(celsius)) for day, minute, celsius in entries)


def said(week_: Week, utc: float, zone: str = DENVER) -> float | None:
    target = holds(week_, utc, ZoneInfo(zone))
    return None if target is None else target.celsius


DAYS = week((0, 360, 21.0), (0, 1320, 17.0), (2, 480, 20.0))


@pytest.mark.parametrize(
    ("local", "celsius"),
    [
        ("2026-01-12 05:59", 20.0),  # a Monday: what Wednesday said last week
        ("2026-01-12 06:00", 21.0),
        ("2026-01-12 21:59", 21.0),
        ("2026-01-12 22:00", 17.0),
        ("2026-01-14 07:59", 17.0),
        ("2026-01-14 08:00", 20.0),
        ("2026-01-18 23:59", 20.0),
    ],
)
def test_what_holds(local: str, celsius: float) -> None:
    assert said(DAYS, at_local(local, DENVER)) == celsius


def test_no_week_says_nothing() -> None:
    zone = ZoneInfo(DENVER)
    assert holds((), 0.0, zone) is None and next_change((), 0.0, zone) is None
    assert holds_since((), 0.0, zone) is None


def test_a_week_that_never_changes() -> None:
    zone, flat = ZoneInfo(DENVER), week((0, 360, 20.0), (3, 60, 20.0))
    assert said(flat, 0.0) == 20.0
    assert next_change(flat, 0.0, zone) is None and holds_since(flat, 0.0, zone) is None


def test_what_holds_since() -> None:
    again = week((0, 360, 21.0), (0, 600, 21.0), (0, 1320, 17.0))
    assert holds_since(again, at_local("2026-01-12 12:00", DENVER), ZoneInfo(DENVER)) == 360
    assert holds_since(again, at_local("2026-01-18 12:00", DENVER), ZoneInfo(DENVER)) == 1320


# Denver: on 8 March 2026 02:00 becomes 03:00, on 1 November 02:00 becomes 01:00. Berlin: 29 March 02 → 03, 25 October
# 03 → 02. Both Sundays.
SPRING, AUTUMN = datetime(2026, 3, 8, 9, tzinfo=UTC), datetime(2026, 11, 1, 8, tzinfo=UTC)


def test_a_time_that_is_left_out_holds_from_the_leap_on() -> None:
    skipped = week((6, 150, 20.0), (6, 300, 17.0))  # 02:30
    leap = SPRING.timestamp()
    assert said(skipped, leap - 1) == 17.0 and said(skipped, leap) == 20.0
    assert next_change(skipped, leap - 7200, ZoneInfo(DENVER)) == (leap, Target(20.0))
    assert next_change(skipped, leap, ZoneInfo(DENVER)) == (
        at_local("2026-03-08 05:00", DENVER),
        Target(17.0),
    )


def test_an_hour_that_comes_twice_does_not_take_back_what_it_said() -> None:
    twice = week((6, 90, 20.0), (6, 300, 17.0))  # 01:30
    first = AUTUMN.timestamp() - 1800
    assert said(twice, first - 1) == 17.0
    for minutes in range(0, 240, 5):
        expected = 20.0 if first + minutes * 60 < at_local("2026-11-01 05:00", DENVER) else 17.0
        assert said(twice, first + minutes * 60) == expected, minutes
    assert next_change(twice, first - 60, ZoneInfo(DENVER)) == (first, Target(20.0))
    second = AUTUMN.timestamp() + 600  # 01:10 for the second time
    assert next_change(twice, second, ZoneInfo(DENVER)) == (
        at_local("2026-11-01 05:00", DENVER),
        Target(17.0),
    )


@pytest.mark.parametrize(
    ("zone", "night"),
    [
        (DENVER, "2026-03-08"), (DENVER, "2026-11-01"), ("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25"),
        ("Australia/Lord_Howe", "2026-04-05"), ("Australia/Lord_Howe", "2026-10-04"), ("America/Havana", "2026-03-08"),
        ("America/Havana", "2026-11-01"), ("America/Phoenix", "2026-03-08"), ("Asia/Kolkata", "2026-03-08"),
    ],
)  # fmt: skip
def test_as_a_clock_on_the_wall_that_is_watched(zone: str, night: str) -> None:
    """A week with an entry each quarter of an hour, watched minute by minute: an entry holds once the wall has shown it."""
    quarters = week(
        *((day, minute, 5 + day + minute / 100) for day in range(7) for minute in range(0, 1440, 15))
    )
    place, start = ZoneInfo(zone), at_local(f"{night} 00:00", zone) - 7200
    furthest = datetime.min
    for minute in range(10 * 60):
        utc = start + 60 * minute
        furthest = max(furthest, datetime.fromtimestamp(utc, place).replace(tzinfo=None))
        expected = 5 + furthest.weekday() + (furthest.hour * 60 + furthest.minute // 15 * 15) / 100
        assert said(quarters, utc, zone) == expected, datetime.fromtimestamp(utc, place)


ENTRIES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 1439), st.sampled_from([16.0, 18.0, 21.0])),
    min_size=1,
    max_size=6,
    unique_by=lambda entry: entry[:2],
)


@given(ENTRIES, st.integers(0, 366 * 24 * 60 - 1), st.sampled_from(ZONES))
@example([(6, 150, 16.0), (6, 120, 18.0)], 66 * 1440 + 500, DENVER)
def test_nothing_changes_before_the_next_change(
    entries: list[tuple[int, int, float]], minute: int, zone: str
) -> None:
    week_, place = week(*sorted(entries)), ZoneInfo(zone)
    utc = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).timestamp()
    now, change = holds(week_, utc, place), next_change(week_, utc, place)
    if change is None:
        assert {entry.target for entry in week_} == {now}
        return
    at, target = change
    assert utc < at <= utc + 15 * 86_400
    assert holds(week_, at, place) == target != now
    assert holds(week_, at - 1, place) == now
    for sixth in range(1, 6):
        assert holds(week_, utc + (at - utc) * sixth / 6, place) == now


def test_a_preset_holds_over_the_weeks_until_its_end() -> None:
    start = at_local("2026-01-14 12:00", DENVER)
    own, away = week((0, 0, 20.0)), week((0, 0, 15.0))
    settings = Settings(
        zones={"a": ZoneSettings(week=own), "b": ZoneSettings(week=own)},
        presets={"away": {"a": away}},
        preset="away",
        preset_until=start + 3600,
    )
    place = ZoneInfo(DENVER)
    assert effective_week(settings, "a", start) == away and effective_week(settings, "b", start) == own
    assert effective_week(settings, "a", start + 3600) == own
    assert next_of(settings, "a", start, place) == (start + 3600, Target(20.0))
    assert next_of(settings, "b", start, place) is None
    assert next_of(settings, "a", start + 3600, place) is None
