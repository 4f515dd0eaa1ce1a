"""Which content coding a client is answered in."""

import pytest

from daemons.web.coding import best_coding


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("br", "identity"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("zstd; q=0.000, GZIP;Q=1", "gzip"),
        ("gzip;q=0", "identity"),
        ("*", "identity"),
        (";;q=,,zstd", "zstd"),
    ],
)
def test_the_best_that_is_taken(header: str | None, coding: str) -> None:
    assert best_coding(header) == coding
