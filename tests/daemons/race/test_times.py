"""FPVTrackside's written times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.times import event_zone, read_datetime, read_timespan, read_zone, to_utc, utc_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025/09/05 3:31:56.33", datetime(2025, 9, 5, 3, 31, 56, 330_000)),
        ("2025/09/05 13:31:56", datetime(2025, 9, 5, 13, 31, 56)),
        ("2025/01/29 0:00:00", datetime(2025, 1, 29)),
        ("2025/01/29 0:00:00.1234567", datetime(2025, 1, 29, 0, 0, 0, 123456)),
        ("0001/01/01 0:00:00", None),
    ],
)
def test_a_datetime_is_local_and_may_be_none(text: str, expected: datetime | None) -> None:
    assert read_datetime(text) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2025/13/01 0:00:00", "2025/01/01 25:00:00", "2025/01/01", "٢٠٢٥/01/01 0:00:00"]
)
def test_what_is_no_datetime_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_datetime(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:02:00", 120.0),
        ("00:00:00.5000000", 0.5),
        ("1.02:03:04", 93_784.0),
        ("-00:00:02.5", -2.5),
        ("12:30", 45_000.0),
    ],
)
def test_a_timespan_is_read_in_seconds(text: str, expected: float) -> None:
    assert read_timespan(text) == expected


@pytest.mark.parametrize("text", ["", "two minutes", "120", "00:02:00s", "NaN:00:00"])
def test_what_is_no_timespan_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_timespan(text)


def test_the_zone_of_an_event_goes_before_that_of_the_site() -> None:
    site = timezone(timedelta(hours=1))
    assert event_zone("Australia/Brisbane", site) == read_zone("Australia/Brisbane")
    assert event_zone("Nowhere/Such", site) is site
    assert event_zone(None, site) is site
    assert event_zone(None, None) is None


def test_local_time_becomes_utc_by_the_zone() -> None:
    local = datetime(2026, 2, 7, 3, 0, 0, 500_000)
    assert utc_text(to_utc(local, read_zone("Australia/Brisbane"))) == "2026-02-06T17:00:00.500Z"
    assert to_utc(local, timezone(timedelta(hours=1))) == datetime(2026, 2, 7, 2, 0, 0, 500_000, UTC)
    assert utc_text(to_utc(local, None)) is None
    assert to_utc(datetime.max, timezone(timedelta(hours=-5))) is None


@pytest.mark.parametrize(
    "name", [None, "", "Nowhere/Else", "../../etc/passwd", "/etc/passwd", "Europe", "a" * 500]
)
def test_a_zone_that_is_not_known_is_none(name: str | None) -> None:
    assert read_zone(name) is None


@given(
    st.text(max_size=40)
    | st.from_regex(r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?")
)
def test_reading_a_time_raises_nothing_but_value_error(text: str) -> None:
    try:
        read_datetime(text)
    except ValueError:
        pass
    read_zone(text)
