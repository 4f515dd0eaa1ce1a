"""Metrics in Prometheus' text format, read when asked for: a daemon's parts keep plain counts of their own.

Names follow Prometheus' rules, which a test checks with promtool: seconds and bytes, counters end in `_total`. The
text is written here and not by a library because 200 sites make 25,000 samples: 40 ms of the event loop instead of 160,
and others have their turn in between.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio
from attrs import define, field, frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

__all__ = [
    "FETCH_S",
    "ROUND_TRIP_S",
    "SLOW_S",
    "Histogram",
    "Labels",
    "Reading",
    "Readings",
    "SiteLabels",
    "metrics_route",
    "metrics_text",
]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_TURN: Final = 500
"""Readings between two turns of others: 2 ms."""

ROUND_TRIP_S: Final = (0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 5.0, 20.0)
"""Bounds for a round trip: a cable to a satellite, and worse."""

FETCH_S: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW_S: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds for what may wait for a link, such as a command."""

Labels = tuple[tuple[str, str], ...]


@define(eq=False)
class Histogram:
    """Counts of observed values by upper bound. To be kept by whoever measures, and read as a `Reading`."""

    bounds: Sequence[float]
    counts: list[int] = field(init=False)
    total: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value; a negative one, which only a clock can cause, counts as 0."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self.counts)


@frozen
class Reading:
    """One figure. `name` without the `pitlink_` in front (names of `process_` have none); a counter's without
    `_total`. Every reading of a name has the same label names.
    """

    name: str
    help: str
    value: float | Histogram
    labels: Labels = ()
    is_counter: bool = False


Readings = Callable[[], Iterable[Reading]]


@define(eq=False)
class SiteLabels:
    """Which sites have series of their own: the first `most`, in order of appearance; a bound of what is scraped."""

    most: int = 250
    left_out: int = field(default=0, init=False)
    _known: set[str] = field(factory=set, init=False)

    def choose(self, sites: Iterable[str]) -> list[str]:
        """Return those of `sites` that are to be shown. One that was shown stays while it is there."""
        sites = list(sites)
        self._known.intersection_update(sites)
        for site in sites:
            if len(self._known) >= self.most:
                break
            self._known.add(site)
        self.left_out = len(sites) - len(self._known)
        return [site for site in sites if site in self._known]


def metrics_text(readings: Iterable[Reading]) -> str:
    """Return the readings in the text format, each name's together, in the order in which names first appear."""
    families: _Families = {}
    for reading in readings:
        _add(families, reading)
    return _joined(families)


_Families = dict[str, list[str]]


def _add(families: _Families, reading: Reading) -> None:
    prefix = "" if reading.name.startswith("process_") else "pitlink_"
    suffix = "_total" if reading.is_counter else ""
    name = f"{prefix}{reading.name}{suffix}"
    lines = families.get(name)
    value = reading.value
    if lines is None:
        kind = "histogram" if isinstance(value, Histogram) else "counter" if reading.is_counter else "gauge"
        words = reading.help.replace("\\", "\\\\").replace("\n", "\\n")
        lines = families[name] = [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
    labels = ",".join([f'{key}="{_escape(text)}"' for key, text in reading.labels])
    if isinstance(value, Histogram):
        lines += _buckets(name, labels, value)
    else:
        lines.append(f"{name}{{{labels}}} {+value}" if labels else f"{name} {+value}")  # a bool is a 1


def _joined(families: _Families) -> str:
    return "".join([f"{line}\n" for lines in families.values() for line in lines])


def _buckets(name: str, labels: str, histogram: Histogram) -> list[str]:
    comma = "," if labels else ""
    lines, below = [], 0
    for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
        below += count
        lines.append(f'{name}_bucket{{{labels}{comma}le="{bound}"}} {below}')
    below += histogram.counts[-1]
    braces = f"{{{labels}}}" if labels else ""
    lines.append(f'{name}_bucket{{{labels}{comma}le="+Inf"}} {below}')
    lines.append(f"{name}_sum{braces} {histogram.total}")
    lines.append(f"{name}_count{braces} {below}")
    return lines


def _escape(text: str) -> str:
    if '"' in text or "\\" in text or "\n" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text


def metrics_route(readings: Readings) -> BaseRoute:
    """Return `/metrics`, which reads everything anew each time, and tells how long that took the last time.

    Others have their turn between the sites: `readings()` must bear that things change while it goes on.
    """
    took_s = 0.0

    async def metrics(request: Request) -> Response:
        nonlocal took_s
        began = time.perf_counter()
        last = Reading("metrics_seconds", "What writing these metrics took the last time.", took_s)
        families: _Families = {}
        for number, reading in enumerate(readings(), 1):
            _add(families, reading)
            if number % _TURN == 0:
                await trio.lowlevel.checkpoint()
        _add(families, last)
        text = _joined(families)
        took_s = time.perf_counter() - began
        return Response(text, media_type=CONTENT_TYPE)

    return Route("/metrics", metrics)
