"""The figures of the front, for /metrics."""

from collections.abc import Iterator

from daemons.ops.metrics import Reading
from daemons.web.connection import FrontStatistics
from daemons.web.guard import REASONS, Guard

__all__ = ["front_readings", "guard_readings"]

_COUNTERS = {
    "accepted": "Connections accepted.",
    "refused": "Connections turned away because there were too many.",
    "evicted": "Connections without a request ended to make room for others.",
    "requests": "Requests read.",
    "ready_answers": "Requests answered with prepared bytes.",
    "bad_requests": "Requests that could not be served as they came: malformed, late, too long.",
    "write_timeouts": "Clients given up because they stopped reading.",
    "failures": "Requests and connections that a mistake of ours ended.",
}


def front_readings(statistics: FrontStatistics) -> Iterator[Reading]:
    """Yield the figures of a front."""
    yield Reading("http_connections", "Connections open now, the link's among them.", statistics.open)
    for name, words in _COUNTERS.items():
        yield Reading(f"http_{name}", words, getattr(statistics, name), is_counter=True)


def guard_readings(guard: Guard) -> Iterator[Reading]:
    """Yield how many requests each limit has refused."""
    words = "Requests refused by a limit."
    for reason in REASONS:
        labels = (("limit", reason),)
        yield Reading("http_limited", words, guard.refused[reason], labels, is_counter=True)
