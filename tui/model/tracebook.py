"""What the daemons logged of one wish: the lines that carry its trace, in order of time, and what each side and the link took."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from attrs import define, field, frozen

from tui.model.book import LogBook
from tui.model.reading import read_log
from tui.model.values import DaemonView, LogRow

__all__ = ["FETCH", "Leg", "TraceBook", "in_order", "legs"]

TRACES_MAX = 8
ROWS_MAX = 500
FETCH = "fetch"
"""The event of an access record: one of each fetch on either side."""


@define(eq=False)
class TraceBook:
    """Lines of the traces that somebody looked at last, at most 8 traces and 500 lines a daemon of each."""

    _told: dict[str, dict[str, tuple[LogRow, ...]]] = field(factory=dict, init=False)

    def add(self, daemon: str, trace: str, told: Iterable[Mapping[str, Any]]) -> None:
        """Take what a daemon's log has of a trace, as the admin API tells it. Raises ValueError, KeyError and TypeError."""
        rows = [read_log(daemon, 0, line) for line in told if "line" in line]
        of = self._told.pop(trace, {})  # the newest stand last
        of[daemon] = tuple(row for row in rows if row.trace == trace)[-ROWS_MAX:]
        self._told[trace] = of
        while len(self._told) > TRACES_MAX:
            del self._told[next(iter(self._told))]

    def answered(self, trace: str) -> frozenset[str]:
        """Return the daemons whose logs were searched for it."""
        return frozenset(self._told.get(trace, ()))

    def rows(self, trace: str, log: LogBook) -> list[LogRow]:
        """Return all lines of a trace, those that were asked for and those that came by themselves, each once."""
        found = {(row.daemon, row.number): row for rows in self._told.get(trace, {}).values() for row in rows}
        found |= {(row.daemon, row.number): row for row in log.tail(ROWS_MAX, lambda row: row.trace == trace)}
        return list(found.values())


def in_order(rows: Iterable[LogRow], daemons: Mapping[str, DaemonView]) -> list[LogRow]:
    """Return lines in order of time, by our clock: how far each daemon's is from it is known to about a round trip. One
    that never said what time it is has that of the others."""
    usual_s = next((view.utc_ahead_s for view in daemons.values()), 0.0)

    def moment(row: LogRow) -> tuple[float, str, int]:
        view = daemons.get(row.daemon)
        try:
            utc = datetime.fromisoformat(row.at_text).timestamp()
        except ValueError:
            utc = 0.0
        return (utc - (usual_s if view is None else view.utc_ahead_s), row.daemon, row.number)

    return sorted(rows, key=moment)


@frozen
class Leg:
    """One fetch: its access records at the hub and at the site, either of which may be missing."""

    hub: LogRow | None
    site: LogRow | None

    @property
    def hub_s(self) -> float | None:
        """How long the hub took until it answered, all of it."""
        return _took_s(self.hub)

    @property
    def site_s(self) -> float | None:
        """How long the site took, with FPVTrackside behind it."""
        return _took_s(self.site)

    @property
    def link_s(self) -> float | None:
        """What is left for the link and for waiting at the hub; None where one side is missing."""
        if self.hub_s is None or self.site_s is None:
            return None
        return max(0.0, self.hub_s - self.site_s)


def legs(rows: Iterable[LogRow]) -> list[Leg]:
    """Return the fetches of a trace, in the order of their ends at the hub; records of one site and path belong together."""
    records = [row for row in rows if row.event == FETCH]
    sites = [row for row in records if row.said.get("side") == "site"]
    found = []
    for hub in (row for row in records if row.said.get("side") == "hub"):
        site = None
        if not hub.said.get("copy"):  # the link was not asked
            site = next((row for row in sites if _same(row, hub)), None)
        if site is not None:
            sites.remove(site)
        found.append(Leg(hub, site))
    return [*found, *(Leg(None, site) for site in sites)]


def _same(one: LogRow, other: LogRow) -> bool:
    return all(one.said.get(name) == other.said.get(name) for name in ("site", "path", "method"))


def _took_s(row: LogRow | None) -> float | None:
    took_ms = None if row is None else row.said.get("latency_ms")
    return took_ms / 1000 if isinstance(took_ms, int | float) else None
