"""A drill as its file says it: what must hold before, what is done, what ends it early, and how soon all must be well.

name = "cable-pull"
proves = "A cable that is out for 30 s costs nothing but the 30 s."
late_after = 2.0                     # a message that waited longer is counted as late
settle = 30.0                        # so long is waited for a recovery

[[steady]]                           # before, and again after the heal
probe = "connected"
at_least = 1

[[step]]                             # see chaos.scenario
at = 5.0
for = 30.0
fault = "silence"

[[guard]]                            # ends the drill when it is broken for so long
probe = "queue"
at_most = 5000
for = 3.0

[[recovery]]                         # after every fault, or those whose name fits `step` (as "cable*")
what = "reconnect"
at_most = 2.0

[[converge]]                         # at the end, after the last recovery
probe = "queue"
at_most = 0

[[probe]]                            # further figures: of a daemon's status, its metrics, or a page's seconds
name = "cache_bytes"
of = "hub"
metric = "pitlink_cache_bytes"

[ground]                             # of a ground that is made for the drill alone
speed = 8.0                          # of its race day
laps = 30                            # of its races: with many of them a race is nearly always live
torn = 0.3                           # so long every file of FPVTrackside's is half written
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from attrs import frozen

from chaos.scenario import Scenario, ScenarioError, Step, read_scenario

__all__ = ["BUILT_IN", "RECOVERIES", "Bound", "Drill", "DrillError", "Probe", "RecoveryBound", "read_drill"]

BUILT_IN: Final[Mapping[str, str]] = {
    "connected": "",
    "freshness_s": "s",
    "queue": "",
    "rtt_s": "s",
    "dead": "",
    "others": "",
    "silent": "",
    "origin_up": "",
    "failing": "",
}
"""Figures that every drill has, and their units. `silent`: daemons that do not answer; `failing`: warnings of health
that say failing; `dead`: dead letters since the drill began; `others`: other sites that the hub has lost since then."""

RECOVERIES: Final[Mapping[str, str]] = {
    "detect": "s",
    "reconnect": "s",
    "drained": "s",
    "fresh": "s",
    "lost": "",
    "doubled": "",
    "late": "",
    "dead": "",
}

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
HOUR_S: Final = 3600.0

_TABLES: Final = ("step", "steady", "guard", "recovery", "converge", "probe")
_TIMES: Final[Mapping[str, tuple[float, float, float]]] = {  # default, least, most
    "steady_for": (2.0, 0.0, HOUR_S),
    "steady_within": (30.0, 0.1, HOUR_S),
    "settle": (30.0, 0.1, HOUR_S),
    "sample": (0.25, 0.05, 60.0),
    "late_after": (2.0, 0.0, HOUR_S),
    "fresh": (2.0, 0.05, HOUR_S),
}
_GROUND: Final[Mapping[str, tuple[float, float, float]]] = {
    "speed": (1.0, 0.1, 600.0),
    "laps": (30.0, 2.0, 1000.0),
    "torn": (0.02, 0.0, 10.0),
}
_KEYS: Final = ("name", "proves", "seed", "lasts", "ground", *_TABLES, *_TIMES)


class DrillError(ValueError):
    """A drill's file that is not right; `problems` are all of them, each with its place."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@frozen
class Probe:
    """A figure. One of: `status`, a path in the daemon's status ("cache.bytes"); `metric`, a name with labels as
    Prometheus writes them (all samples that fit are added up); `page`, a path whose answer's seconds are taken."""

    name: str
    of: str
    status: str = ""
    metric: str = ""
    page: str = ""

    @property
    def unit(self) -> str:
        return "s" if self.page else ""


@frozen
class Bound:
    """Of a probe's figure. What is not known breaks it. `for_s`: a guard ends the drill after so long."""

    probe: str
    at_least: float | None = None
    at_most: float | None = None
    for_s: float = 0.0

    def holds(self, value: float | None) -> bool:
        if value is None:
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    @property
    def words(self) -> str:
        least = "" if self.at_least is None else f"at least {self.at_least:g}"
        most = "" if self.at_most is None else f"at most {self.at_most:g}"
        return " and ".join(part for part in (least, most) if part)


@frozen
class RecoveryBound:
    """Of one figure of RECOVERIES, for the steps whose names fit `step`."""

    what: str
    at_most: float
    step: str = "*"

    def concerns(self, step: Step) -> bool:
        return fnmatchcase(step.name, self.step)


@frozen
class Drill:
    """Everything but on what it is done. Times in seconds. `speed`, `laps`, `torn_s`: of the race day, where the drill has a
    ground of its own."""

    name: str
    proves: str
    scenario: Scenario
    steady: tuple[Bound, ...]
    guards: tuple[Bound, ...] = ()
    recovery: tuple[RecoveryBound, ...] = ()
    converge: tuple[Bound, ...] = ()
    probes: tuple[Probe, ...] = ()
    seed: int | None = None
    steady_for_s: float = 2.0
    steady_within_s: float = 30.0
    settle_s: float = 30.0
    sample_s: float = 0.25
    late_after_s: float = 2.0
    fresh_s: float = 2.0
    speed: float = 1.0
    laps: float = 30.0
    torn_s: float = 0.02

    def unit_of(self, probe: str) -> str:
        return BUILT_IN.get(probe) or next((one.unit for one in self.probes if one.name == probe), "")


def read_drill(found: Mapping[str, Any], name: str = "") -> Drill:
    """Read a drill from TOML's mapping; `name`: when it has none. Raises DrillError with every problem."""
    problems = [f"{key}: there is no such key" for key in found if key not in _KEYS]
    scenario = Scenario("", ())
    try:
        scenario = read_scenario(found, name)
    except ScenarioError as exc:
        problems += exc.problems
    proves = _text(found, "proves", problems, "proves")
    seed = found.get("seed")
    if seed is not None and (type(seed) is not int or seed < 0):
        problems.append("seed: must be a whole number")
    probes = [_read_probe(row, place, problems) for row, place in _rows(found, "probe", problems)]
    known = [*BUILT_IN, *(probe.name for probe in probes)]
    problems += [f"probe: {one}: there are two of this name" for one in known if known.count(one) > 1]
    steady, guards, converge = (
        tuple(_read_bound(row, place, known, problems) for row, place in _rows(found, table, problems))
        for table in ("steady", "guard", "converge")
    )
    if not steady:
        problems.append("steady: there must be at least one [[steady]]: else nobody knows what well means")
    recovery = tuple(
        _read_recovery(row, place, scenario, problems) for row, place in _rows(found, "recovery", problems)
    )
    times = {
        f"{key}_s": _number(found, key, problems, key, least, most, default)
        for key, (default, least, most) in _TIMES.items()
    }
    ground = found.get("ground", {})
    if not isinstance(ground, Mapping):
        problems.append("ground: must be a table, [ground]")
        ground = {}
    _only(ground, tuple(_GROUND), "ground", problems)
    for key, (default, least, most) in _GROUND.items():
        into = "torn_s" if key == "torn" else key
        times[into] = _number(ground, key, problems, f"ground: {key}", least, most, default)
    if problems:
        raise DrillError(problems)
    return Drill(
        scenario.name, proves, scenario, steady, guards, recovery, converge, tuple(probes), seed, **times
    )


def _rows(found: Mapping[str, Any], table: str, problems: list[str]) -> list[tuple[Mapping[str, Any], str]]:
    rows = found.get(table, [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        problems.append(f"{table}: must be tables, [[{table}]]")
        return []
    return [(row, f"{table} {number}") for number, row in enumerate(rows, 1)]


def _read_probe(row: Mapping[str, Any], place: str, problems: list[str]) -> Probe:
    _only(row, ("name", "of", "status", "metric", "page"), place, problems)
    name = _text(row, "name", problems, f"{place}: name")
    if name and not NAME.fullmatch(name):
        problems.append(f"{place}: name: must be of small letters, digits, '.', '_' and '-'")
    if row.get("of") not in ("site", "hub"):
        problems.append(f"{place}: of: must be site or hub")
    ways = [way for way in ("status", "metric", "page") if way in row]
    if len(ways) != 1:
        problems.append(f"{place}: must have one of status, metric and page")
        return Probe(name, "hub")
    value = _text(row, ways[0], problems, f"{place}: {ways[0]}")
    if ways[0] == "page" and not value.startswith("/"):
        problems.append(f"{place}: page: must begin with /")
    return Probe(name, str(row.get("of")), **{ways[0]: value})


def _read_bound(row: Mapping[str, Any], place: str, known: Sequence[str], problems: list[str]) -> Bound:
    keys = (
        ("probe", "at_least", "at_most", "for")
        if place.startswith("guard")
        else ("probe", "at_least", "at_most")
    )
    _only(row, keys, place, problems)
    probe = _text(row, "probe", problems, f"{place}: probe")
    if probe and probe not in known:
        problems.append(f"{place}: probe: {probe!r} is none of {', '.join(known)}")
    if "at_least" not in row and "at_most" not in row:
        problems.append(f"{place}: must have at_least or at_most")
    least, most = (
        _number(row, key, problems, f"{place}: {key}", -1e15, 1e15) if key in row else None
        for key in ("at_least", "at_most")
    )
    return Bound(probe, least, most, _number(row, "for", problems, f"{place}: for", 0.0, HOUR_S, 0.0))


def _read_recovery(
    row: Mapping[str, Any], place: str, scenario: Scenario, problems: list[str]
) -> RecoveryBound:
    _only(row, ("what", "at_most", "step"), place, problems)
    what = row.get("what")
    if what not in RECOVERIES:
        problems.append(f"{place}: what: must be one of {', '.join(RECOVERIES)}")
    bound = RecoveryBound(
        str(what),
        _number(row, "at_most", problems, f"{place}: at_most", 0.0, 1e15),
        str(row.get("step", "*")),
    )
    if scenario.timeline and not any(bound.concerns(step) for step in scenario.timeline):
        problems.append(f"{place}: step: no step's name fits {bound.step!r}")
    return bound


def _only(row: Mapping[str, Any], keys: Sequence[str], place: str, problems: list[str]) -> None:
    problems += [f"{place}: {key}: there is no such key" for key in row if key not in keys]


def _text(found: Mapping[str, Any], key: str, problems: list[str], place: str) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not value.strip():
        problems.append(f"{place}: must be a text")
        return ""
    return " ".join(value.split())


def _number(
    found: Mapping[str, Any],
    key: str,
    problems: list[str],
    place: str,
    least: float,
    most: float,
    default: float | None = None,
) -> float:
    value = found.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        problems.append(f"{place}: must be a number from {least:g} to {most:g}")
        return least
    return float(value)
