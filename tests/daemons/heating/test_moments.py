"""Moments as people say them: the next 22:00, days, spans; over both changes of the clocks."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from daemons.heating.moments import read_moment

DENVER = ZoneInfo("America/Denver")


def utc(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=DENVER, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("said", "now", "then"),
    [
        ("22:00", "2026-01-10 21:59", "2026-01-10 22:00"),
        ("22:00", "2026-01-10 22:00", "2026-01-11 22:00"),
        (" 7:05 ", "2026-01-31 12:00", "2026-02-01 07:05"),
        ("2026-12-24", "2026-01-10 21:59", "2026-12-24 00:00"),
        ("2026-12-24 18:30", "2026-01-10 21:59", "2026-12-24 18:30"),
        ("2026-12-24T18:30", "2026-01-10 21:59", "2026-12-24 18:30"),
        ("90m", "2026-01-10 21:00", "2026-01-10 22:30"),
        ("1.5 h", "2026-01-10 21:00", "2026-01-10 22:30"),
        ("3d", "2026-01-10 21:00", "2026-01-13 21:00"),
        ("07:00", "2026-03-07 22:00", "2026-03-08 07:00"),  # the night that has 23 hours
        ("07:00", "2026-10-31 22:00", "2026-11-01 07:00"),  # and the one that has 25
        ("2026-03-08 02:30", "2026-03-07 22:00", "2026-03-08 03:30"),  # left out
    ],
)
def test_what_is_meant(said: str, now: str, then: str) -> None:
    assert read_moment(said, utc(now), DENVER) == utc(then)


def test_of_a_time_that_comes_twice_the_first_is_meant() -> None:
    assert read_moment("01:30", utc("2026-10-31 22:00"), DENVER) == utc("2026-11-01 01:30", fold=0)


@pytest.mark.parametrize(
    "said", ["", "tomorrow", "24:00", "2026-02-30", "2026-12-24 25:00", "-3h", "7", "1e9d x"]
)
def test_what_is_no_time_is_said(said: str) -> None:
    with pytest.raises(ValueError, match=r"time|day"):
        read_moment(said, utc("2026-01-10 21:59"), DENVER)
