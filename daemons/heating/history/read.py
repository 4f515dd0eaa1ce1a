"""Reads a house's history: curves, events, figures. Quick however long it is: weeks and years come from sums.

Temperatures are °C, instants UTC seconds, durations seconds. Where nothing is known there is no point, or None in it.
"""

from collections.abc import Sequence
from typing import Any

import apsw
from attrs import frozen

from daemons.heating.history.sums import Sum, merge, sum_of
from daemons.heating.history.tables import QUARTER_S, SUMS
from daemons.heating.history.write import CHUNK_MAX_S
from daemons.store import fetch
from protocol import cbor
from protocol.heating import EventKind, HeatEvent
from protocol.heatsamples import columns

__all__ = ["POINTS_MAX", "Level", "Point", "Series", "events", "house_numbers", "series", "sources"]

POINTS_MAX = 2000
"""Of one curve: more than any screen has pixels for."""
SAMPLES_MAX_S = 4 * 86_400
"""Samples themselves are read for spans up to this; longer ones from sums."""
QUARTERS_MAX_S = 400 * 86_400
DAY_S = 86_400
EVENTS_MAX = 1000

Level = str
"""What a curve was made of: "samples", "quarters" or "days"."""

_COLUMNS = ", ".join(SUMS)
_SUMMED = ", ".join(
    f"{name[-3:]}({name})" if name.endswith(("_min", "_max")) else f"sum({name})" for name in SUMS
)
# A step by itself: grouped in one statement, all rows would be sorted first (measured: twice the time for a year).
_QUARTERS = f"SELECT {_SUMMED} FROM heat_quarter WHERE source = ? AND at >= ? AND at < ?"
_DAYS = f"SELECT at, {_COLUMNS} FROM heat_day WHERE source = ? AND at >= ? AND at < ? ORDER BY day"
_CHUNKS = "SELECT body FROM heat_chunk WHERE house = ? AND at > ? AND at < ? ORDER BY at"
_EVENTS = """SELECT id, at, source, kind, cause, celsius, supply, outdoor, ran_s FROM heat_event
    WHERE house = ?1 AND at <= ?2 AND (at < ?2 OR id < ?3)"""


@frozen
class Point:
    """From `at` on, for the series' `step_s`: mean, least and greatest of what was known, None for what was not at all.
    `known`: the share of samples in which the room was known, 0 to 1. `ran_s` of `watched_s` seconds it was on."""

    at: int
    celsius: float | None
    lowest: float | None
    highest: float | None
    supply: float | None
    target: float | None
    known: float
    ran_s: int
    watched_s: int
    starts: int


@frozen
class Series:
    source: str
    step_s: int
    level: Level
    points: Sequence[Point]


def house_numbers(conn: apsw.Connection) -> dict[str, int]:
    """Return the numbers of all houses, by site."""
    return {str(site): int(house) for site, house in fetch(conn, "SELECT site, house FROM heat_house")}


def sources(conn: apsw.Connection, house: int) -> dict[str, int]:
    """Return what is sampled of a house, with the numbers that its sums have."""
    rows = fetch(conn, "SELECT name, id FROM heat_source WHERE house = ? ORDER BY id", (house,))
    return {str(name): int(id_) for name, id_ in rows}


def series(
    conn: apsw.Connection, house: int, source: str, start: float, end: float, points: int = 300
) -> Series:
    """Return the curve of a zone, "burner" or "outdoor" over start ≤ t < end, in about `points` steps of the same length.

    The finest that serves: samples, quarters of an hour, local days; whole ones, also at the edges. A step in which nothing
    was sampled has no point.
    """
    first, last = int(start), max(int(start) + 1, int(end))
    points = min(max(points, 1), POINTS_MAX)
    wanted_s = (last - first) / points
    if wanted_s < QUARTER_S and last - first <= SAMPLES_MAX_S:
        return _of_samples(conn, house, source, first, last, wanted_s)
    number = sources(conn, house).get(source)
    if wanted_s < DAY_S and last - first <= QUARTERS_MAX_S:
        step_s = max(QUARTER_S, _up(wanted_s, QUARTER_S))
        begin = first // step_s * step_s
        steps = range(begin, last, step_s) if number is not None else ()
        summed = [(at, fetch(conn, _QUARTERS, (number, at, min(at + step_s, last)))[0]) for at in steps]
        found = [_point(at, list(sums)) for at, sums in summed if sums[0]]
        return Series(source, step_s, "quarters", found)
    days: dict[int, tuple[int, Sum]] = {}
    width = max(1, round(wanted_s / DAY_S))
    for at, *sums in [] if number is None else fetch(conn, _DAYS, (number, first, last)):
        part = (at - first) // (width * DAY_S)
        known = days.get(part)
        if known is None:
            days[part] = at, list(sums)
        else:
            merge(known[1], list(sums))
    return Series(source, width * DAY_S, "days", [_point(at, sums) for at, sums in days.values()])


def events(
    conn: apsw.Connection,
    house: int,
    *,
    source: str | None = None,
    kind: EventKind | None = None,
    before: tuple[float, int] | None = None,
    limit: int = 100,
) -> list[tuple[int, HeatEvent]]:
    """Return what happened, newest first, with a number each: up to `limit` (1,000 at most), older than `before` (the
    instant and number of the last one seen)."""
    at, number = before or (float("inf"), 2**62)
    sql = _EVENTS
    bindings: list[Any] = [house, at, number]
    if source is not None:
        sql += " AND source = ?"
        bindings.append(source)
    if kind is not None:
        sql += " AND kind = ?"
        bindings.append(str(kind))
    sql += " ORDER BY at DESC, id DESC LIMIT ?"
    rows = fetch(conn, sql, (*bindings, min(max(limit, 0), EVENTS_MAX)))
    return [(int(id_), _event(row)) for id_, *row in rows]


def _event(row: Sequence[Any]) -> HeatEvent:
    at, source, kind, cause, celsius, supply, outdoor, ran_s = row
    return HeatEvent(
        at=at, source=source, kind=EventKind(str(kind)), cause=cause, celsius=celsius, supply=supply,
        outdoor=outdoor, ran_s=ran_s,
    )  # fmt: skip


def _of_samples(
    conn: apsw.Connection, house: int, source: str, first: int, last: int, wanted_s: float
) -> Series:
    found: dict[int, Sum] = {}
    step_s = 0
    for (body,) in fetch(conn, _CHUNKS, (house, first - CHUNK_MAX_S, last)):
        chunk = cbor.decode(body)
        at, each_s, count = chunk["at"], chunk["step_s"], chunk["count"]
        if source not in chunk["sources"]:
            continue
        parts = columns(chunk["packed"][chunk["sources"].index(source)], count)
        step_s = step_s or _up(wanted_s, each_s)
        index, end = max(0, -((at - first) // each_s)), min(count, -((at - last) // each_s))
        while index < end:
            begin = (at + index * each_s) // step_s * step_s
            upto = min(end, -((at - begin - step_s) // each_s))
            piece = sum_of([column[index:upto] for column in parts], each_s)
            known = found.setdefault(begin, piece)
            if known is not piece:
                merge(known, piece)
            index = upto
    return Series(
        source, step_s or int(wanted_s) or 1, "samples", [_point(at, found[at]) for at in sorted(found)]
    )


def _point(at: int, sums: Sum) -> Point:
    (
        samples, celsius_n, celsius_sum, lowest, highest, supply_n, supply_sum, _, _, target_n, target_sum, watched_s,
        ran_s, starts,
    ) = sums  # fmt: skip
    return Point(
        at,
        _mean(celsius_sum, celsius_n),
        None if lowest is None else lowest / 100,
        None if highest is None else highest / 100,
        _mean(supply_sum, supply_n),
        _mean(target_sum, target_n),
        (celsius_n or 0) / (samples or 1),
        ran_s or 0,
        watched_s or 0,
        starts or 0,
    )


def _mean(total: int | None, count: int | None) -> float | None:
    return None if not count or total is None else round(total / count / 100, 2)


def _up(wanted_s: float, of_s: int) -> int:
    """Return the least multiple of `of_s` that is no less than wanted."""
    return max(1, -int(-wanted_s // of_s)) * of_s
