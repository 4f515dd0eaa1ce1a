"""What a span of a house's history comes to: calls, run times, duty, temperatures, degree-days."""

import apsw
from attrs import field, frozen

from daemons.heating.history.read import DAY_S, sources
from daemons.store import fetch

__all__ = ["HEATING_LIMIT", "Figures", "SourceFigures", "metrics"]

HEATING_LIMIT = 18.0
"""°C outdoors below which a day has degree-days; the usual base in much of Europe, and close to the 65 °F of the US."""

QUARTERS_MAX_S = 35 * DAY_S
KNOWN_LEAST = 0.5
"""A day of which less was known outdoors has no mean that one could count with."""

_SUMS = """SELECT source, sum(samples), sum(celsius_n), sum(celsius_sum), min(celsius_min), max(celsius_max),
    sum(watched_s), sum(ran_s), sum(starts)
    FROM {table} WHERE source IN ({marks}) AND at >= ? AND at < ? GROUP BY source"""
_OUTDOOR = """SELECT sum(samples), sum(celsius_n), sum(celsius_sum) FROM heat_day
    WHERE source = ? AND at >= ? AND at < ? GROUP BY day"""


@frozen(kw_only=True)
class SourceFigures:
    """One zone, or "burner". `calls`: how often it went on. `run_s`: for how long a call on average. `duty`: the share of
    the time that is known in which it was on. `known`: the share of samples in which its temperature was known."""

    calls: int
    ran_s: int
    watched_s: int
    run_s: float | None
    duty: float | None
    mean: float | None
    lowest: float | None
    highest: float | None
    known: float


@frozen(kw_only=True)
class Figures:
    """`degree_days`: sum over whole days of what the outdoors' mean is below HEATING_LIMIT, in K·d; `days_known` of
    `days` could be counted. None: of none."""

    sources: dict[str, SourceFigures] = field(factory=dict)
    degree_days: float | None = None
    days_known: int = 0
    days: int = 0


def metrics(conn: apsw.Connection, house: int, start: float, end: float) -> Figures:
    """Return the figures of start ≤ t < end: of quarters of an hour up to 35 days, of local days beyond."""
    by_id = {number: name for name, number in sources(conn, house).items()}
    table = "heat_quarter" if end - start <= QUARTERS_MAX_S else "heat_day"
    rows = fetch(
        conn, _SUMS.format(table=table, marks=", ".join("?" * len(by_id))), (*by_id, int(start), int(end))
    )
    found = {
        by_id[source]: _figures(samples, known, total, lowest, highest, watched_s, ran_s, starts)
        for source, samples, known, total, lowest, highest, watched_s, ran_s, starts in rows
    }
    days = [
        (known, total / known / 100 if known else None, samples)
        for number, name in by_id.items()
        if name == "outdoor"
        for samples, known, total in fetch(conn, _OUTDOOR, (number, int(start), int(end)))
    ]
    cold = [
        max(0.0, HEATING_LIMIT - mean)
        for known, mean, samples in days
        if mean is not None and known >= KNOWN_LEAST * samples
    ]
    return Figures(
        sources={name: found[name] for name in by_id.values() if name in found},
        degree_days=round(sum(cold), 2) if cold else None,
        days_known=len(cold),
        days=max(1, round((end - start) / DAY_S)),
    )


def _figures(
    samples: int,
    known: int,
    total: int,
    lowest: int | None,
    highest: int | None,
    watched_s: int,
    ran_s: int,
    starts: int,
) -> SourceFigures:
    return SourceFigures(
        calls=starts,
        ran_s=ran_s,
        watched_s=watched_s,
        run_s=ran_s / starts if starts else None,
        duty=ran_s / watched_s if watched_s else None,
        mean=round(total / known / 100, 2) if known else None,
        lowest=None if lowest is None else lowest / 100,
        highest=None if highest is None else highest / 100,
        known=known / samples if samples else 0.0,
    )
