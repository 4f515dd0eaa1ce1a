"""FPVTrackside's ways of writing time, as found in recorded files."""

import pytest
import trio
from trio.testing import MockClock

from chaos.doubles.fpvtrackside.clock import (
    NO_TIME,
    EventClock,
    format_iso,
    format_local,
    format_span,
    parse_local,
)


@pytest.mark.parametrize(
    ("utc_s", "text"),
    [
        (1_738_156_559.228, "2025/01/29 13:15:59.228"),
        (1_757_043_116.33, "2025/09/05 3:31:56.33"),
        (1_757_043_116.3, "2025/09/05 3:31:56.3"),
        (1_757_043_120.0, "2025/09/05 3:32:00"),
        (1_757_030_400.0, "2025/09/05 0:00:00"),
        (1_757_043_119.9996, "2025/09/05 3:32:00"),
    ],
)
def test_local_time(utc_s: float, text: str) -> None:
    assert format_local(utc_s, 0.0) == text
    assert format_local(utc_s - 36_000, 36_000) == text
    assert parse_local(text) == pytest.approx(utc_s, abs=0.0006)


def test_no_time_and_no_such_time() -> None:
    assert parse_local(NO_TIME) is None
    assert parse_local("0001/01/01 00:00:00") is None
    for text in ("2025-01-29T13:15:59", "2025/01/29", "2025/13/29 1:00:00", ""):
        with pytest.raises(ValueError, match=r"."):
            parse_local(text)


def test_spans() -> None:
    assert [format_span(s) for s in (0, 0.5, 120, 8 * 60 + 31.5605717, 90_061, -1)] == [
        "00:00:00",
        "00:00:00.5000000",
        "00:02:00",
        "00:08:31.5605717",
        "1.01:01:01",
        "-00:00:01",
    ]


def test_iso() -> None:
    assert format_iso(1_777_593_600.0015) == "2026-05-01T00:00:00.002Z"


async def test_clock_runs_from_when_first_asked(autojump_clock: MockClock) -> None:
    clock = EventClock(1000.0, speed=10.0)
    await trio.sleep(5)
    assert clock.now() == 1000.0
    await trio.sleep(5)
    assert clock.now() == pytest.approx(1050.0)
    began = trio.current_time()
    await clock.sleep_until(1060.0)
    await clock.sleep(20.0)
    await clock.sleep_until(0.0)
    assert trio.current_time() - began == pytest.approx(3.0)
    with pytest.raises(ValueError, match="above 0"):
        EventClock(0.0, speed=0.0)
