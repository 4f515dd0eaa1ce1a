"""Numbers and texts as they are shown."""

import pytest

from tui.model.reading import read_log
from tui.model.words import age, count, left, log_line, ms, printable, size


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (4e5, "5 d"),
    ],
)
def test_ages(seconds: float | None, shown: str) -> None:
    assert age(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (0.0023, "2.3 ms"), (0.00996, "10 ms"), (1.4, "1400 ms"), (12.3, "12 s")],
)
def test_round_trips(seconds: float | None, shown: str) -> None:
    assert ms(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (123_456, "123k"),
        (999_600, "1.0M"),
        (10**16, "10000T"),
    ],
)
def test_counts(number: int | None, shown: str) -> None:
    assert count(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(None, "-"), (0, "0 B"), (999, "999 B"), (1024, "1.0 KiB"), (7_654_321, "7.3 MiB")]
)
def test_sizes(number: int | None, shown: str) -> None:
    assert size(number) == shown


def test_what_strangers_wrote_moves_no_cursor() -> None:
    assert printable("a\x1b[2Jb\nc\u202ed") == "a\\u001b[2Jb\\u000ac\\u202ed"
    assert printable("ZÃŒrich ❤") == "ZÃŒrich ❤"
    row = read_log(
        "hub",
        1,
        {"number": 1, "level": "info", "line": {"at": "t", "event": "x", "path": "/\x1b]0;evil\x07"}},
    )
    assert "\x1b" not in log_line(row) and "\x07" not in log_line(row)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"), (-3.0, "0 s"), (0.2, "0 s"), (59.0, "59 s"), (119.2, "119 s"), (120.0, "120 s"), (120.1, "2 min"),
        (300.2, "5 min"), (7200.0, "120 min"), (7201.0, "2 h"), (3 * 86400.0, "3 d"),
    ],
)  # fmt: skip
def test_what_is_left_counts_down_calmly(seconds: float | None, words: str) -> None:
    assert left(seconds) == words
