"""The model as JSON and as lines: for programs, pipes, terminals that can do nothing, and screen readers.

No cursor is moved, nothing is coloured or drawn; a line that was printed stays as it is.
"""

from collections.abc import Iterator
from typing import Any

from attrs import define, field

from tui.model import Alarm, DaemonView, FeedState, Model, SiteView
from tui.model.words import (
    age,
    count,
    feed_words,
    left,
    limit_line,
    log_line,
    ms,
    printable,
    site_state,
    size,
    versions_words,
)
from tui.plainchaos import ChaosChanges, called, chaos_snapshot, drill_lines, drills_snapshot, fault_lines
from tui.plainservices import ServiceChanges, service_lines, services_snapshot

__all__ = ["Changes", "lines", "snapshot"]

FIGURES_S = 10.0
"""How often `Changes` prints the figures of a site whose state has not changed."""


def snapshot(model: Model, now: float) -> dict[str, Any]:
    """Return everything that is known, as JSON can say it. Seconds and bytes, not rounded; null: not known."""
    return {
        "daemons": {name: _daemon(model, name, now) for name in model.feeds},
        **services_snapshot(model, now),
        "drills": drills_snapshot(model, now),
        "alarms": [_alarm(alarm, now) for alarm in model.alarms],
        "audit": [
            {
                "daemon": row.daemon,
                "number": row.number,
                "at": row.at_utc,
                "who": row.who,
                "action": row.action,
                "target": row.target,
                "outcome": row.outcome,
            }
            for row in model.audit
        ],
    }


def _daemon(model: Model, name: str, now: float) -> dict[str, Any]:
    feed, view = model.feeds[name], model.daemons.get(name)
    told: dict[str, Any] = {
        "connection": {
            "state": str(feed.state),
            "words": feed.words,
            "for_s": now - feed.at,
            "heard_s_ago": None if feed.heard_at is None else now - feed.heard_at,
        }
    }
    if view is None:
        return told
    cache = view.cache
    return {
        **told,
        "daemon": view.kind,
        "called": view.called,
        "ready": view.is_ready,
        "words": view.words,
        "draining": view.is_draining,
        "audit": {"count": view.audit_count, "head": view.audit_head},
        "production": view.is_production,
        "software": view.software or None,
        "protocol": view.protocol or None,
        "log": {"level": view.log_level or None, "left_s": view.left(view.log_until_utc, now)},
        "limits": {
            limit.name: {
                "value": limit.value,
                "configured": limit.configured,
                "left_s": view.left(limit.until_utc, now),
            }
            for limit in view.limits
        },
        "operators": [
            {"who": one.who, "for_s": max(0.0, now + view.utc_ahead_s - one.since_utc)}
            for one in view.operators
        ],
        "cache": None
        if cache is None
        else {
            "entries": cache.entries,
            "bytes": cache.size_bytes,
            "hits": cache.hits,
            "misses": cache.misses,
        },
        "warnings": [
            {"name": one.name, "severity": str(one.severity), "words": one.words, "since": one.since_utc}
            for one in view.warnings
        ],
        "chaos": chaos_snapshot(model, name, now),
        "sites": {site.name: _site(site, now) for site in model.sites_of(name)},
    }


def _site(site: SiteView, now: float) -> dict[str, Any]:
    return {
        "state": str(site.state),
        "words": site_state(site, now),
        "gone_s": site.gone_now(now),
        "age_s": site.age_now(now),
        "phase": site.phase,
        "paused": site.is_paused,
        "paused_left_s": site.paused_left_now(now),
        "software": site.software or None,
        "protocol": site.protocol or None,
        "version_differs": site.differs,
        "origin": site.origin_words or None,
        "connections": site.connections,
        "round_trip_s": site.round_trip_s,
        "round_trip_p50_s": site.p50_s,
        "round_trip_p99_s": site.p99_s,
        "in_flight": site.in_flight,
        "queue": site.queue,
        "outbox": site.outbox,
        "cache_hits": site.cache_hits,
        "cache_misses": site.cache_misses,
        "bytes_saved": site.bytes_saved,
        "bulk_delay_s": site.bulk_delay_s,
        "dead_letters": site.dead,
        "fetches": site.fetches,
        "errors": dict(site.errors),
        "channels": {
            channel.name: {"unacknowledged": channel.unacknowledged, "in_flight": channel.in_flight}
            for channel in site.channels
        },
    }


def _alarm(alarm: Alarm, now: float) -> dict[str, Any]:
    return {
        "kind": alarm.kind.name.lower(),
        "severity": str(alarm.severity),
        "daemon": alarm.daemon,
        "site": alarm.site or None,
        "words": alarm.words,
        "for_s": now - alarm.since,
    }


# --- as lines ----------------------------------------------------------------------------------------------------


def lines(model: Model, now: float) -> Iterator[str]:
    """Yield how everything stands: a line for each daemon, site and alarm."""
    for name in model.feeds:
        yield _daemon_line(model, name, now)
        for site in model.sites_of(name):
            yield _site_line(model, site, now)
        yield from fault_lines(model, name, now)
    yield from service_lines(model, now)
    yield from drill_lines(model, now)
    for alarm in model.alarms:
        yield f"{_alarm_line(alarm)}, for {age(now - alarm.since)}"
    if not model.alarms:
        yield "no alarms"


def _daemon_line(model: Model, name: str, now: float) -> str:
    view, gone = model.daemons.get(name), feed_words(model, name, now)
    if gone or view is None:
        return printable(f"{called(view, name)}: {model.feeds[name].state}: {gone}")
    cache = view.cache
    copies = f"; cache {count(cache.hits)} hits, {count(cache.misses)} misses" if cache is not None else ""
    said = [f"audit {view.audit_count} rows{copies}", *_of_daemon(view, now)]
    return printable(f"{called(view, name)}: {_readiness(view)}; {'; '.join(said)}")


def _of_daemon(view: DaemonView, now: float) -> Iterator[str]:
    """Yield what is to be known before something is done to it: versions, who is there, what is not as it usually is."""
    if view.is_production:
        yield "PRODUCTION"
    if view.software:
        yield f"{view.software}, protocol {view.protocol}"
    level_s = view.left(view.log_until_utc, now)
    if level_s is not None:
        yield f"log level {view.log_level}, {left(level_s)} left"
    for limit in view.limits:
        if limit.is_changed or limit.until_utc is not None:
            yield f"limit {limit.name} {limit_line(view, limit, now)}"
    if view.operators:
        yield f"watched by {', '.join(one.who for one in view.operators)}"


def _settings(view: DaemonView) -> tuple[object, ...]:
    """Return what operators have set: when that changes, the daemon's line is printed again."""
    limits = [str((one.name, one.value, one.until_utc is None)) for one in view.limits if one.is_changed]
    return (view.is_production, view.log_level, *limits)


def _readiness(view: DaemonView) -> str:
    ready = "ready" if view.is_ready else f"not ready ({view.words})"
    return f"{ready}, draining" if view.is_draining else ready


def _site_line(model: Model, site: SiteView, now: float) -> str:
    at = model.daemons[site.daemon].kind
    return printable(f"  site {site.name} at {at}: {site_state(site, now)}; {_figures(site, now)}")


def _figures(site: SiteView, now: float) -> str:
    """Name what is known: numbers without words are nothing to whoever hears them."""
    trip = site.round_trip_s if site.p50_s is None else site.p50_s
    known = [
        (site.age_s, f"data {age(site.age_now(now))} old"),
        (trip, f"round trip p50 {ms(trip)}, p99 {ms(site.p99_s)}"),
        (site.in_flight, f"{count(site.in_flight)} in flight, {count(site.queue)} queued"),
        (site.outbox, f"outbox {count(site.outbox)}"),
        (site.cache_hits, f"{count(site.cache_hits)} cache hits"),
        (site.bytes_saved, f"{size(site.bytes_saved)} saved"),
        (site.bulk_delay_s, f"bulk delay {ms(site.bulk_delay_s)}"),
        (site.dead, f"{count(site.dead)} dead letters"),
        (site.errors_total, f"{count(site.errors_total)} errors"),
    ]
    said = [words for value, words in known if value is not None]
    if site.differs:
        said.append(f"version {versions_words(site)}")
    return "; ".join([*said, site.origin_words] if site.origin_words else said)


def _alarm_line(alarm: Alarm) -> str:
    of = f"{alarm.daemon} {alarm.site}".strip()
    kind = alarm.kind.name.lower()
    return printable(f"ALARM {kind}, {alarm.severity}: {of}: {alarm.words}")


@define(eq=False)
class Changes:
    """The lines to print as time goes on: what has changed since the last time, and now and then the figures.

    `log_levels`: of which levels the lines of the logs are printed; `figures_s`: how often a site's figures are.
    """

    model: Model
    log_levels: frozenset[str] = frozenset({"warning", "error", "critical"})
    figures_s: float = FIGURES_S
    _feeds: dict[str, tuple[FeedState, str, tuple[object, ...]]] = field(factory=dict, init=False)
    _states: dict[tuple[str, str], tuple[object, ...]] = field(factory=dict, init=False)
    _figured: dict[tuple[str, str], tuple[float, str]] = field(factory=dict, init=False)
    _alarms: dict[tuple[str, str, str], str] = field(factory=dict, init=False)
    _chaos: ChaosChanges = field(factory=ChaosChanges, init=False)
    _services: ServiceChanges = field(init=False)
    _audited: dict[str, int] = field(factory=dict, init=False)
    _log_key: int = field(default=0, init=False)
    _audit_begins: set[str] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._services = ServiceChanges(self.figures_s)

    def take(self, now: float) -> list[str]:
        """Return the lines that are due, in the order daemons, sites, services, faults, drills, alarms, audit, logs."""
        return [
            *self._daemons(now),
            *self._sites(now),
            *self._services.take(self.model, now),
            *self._chaos.take(self.model, now),
            *self._alarm_changes(),
            *self._audit(),
            *self._log(),
        ]

    def _daemons(self, now: float) -> Iterator[str]:
        for name, feed in self.model.feeds.items():
            view = self.model.daemons.get(name)
            words = feed.words if view is None or feed.state is not FeedState.LIVE else _readiness(view)
            now_is = (feed.state, words, () if view is None else _settings(view))
            if self._feeds.get(name) != now_is:
                self._feeds[name] = now_is
                yield _daemon_line(self.model, name, now)

    def _sites(self, now: float) -> Iterator[str]:
        for key in [key for key in self._states if key not in self.model.sites]:
            del self._states[key]
            yield printable(f"  site {key[1]}: {key[0]} tells of it no more")
        for key, site in sorted(self.model.sites.items()):
            state = (site.state, site.is_paused, site.origin_words)
            printed_at, figures = self._figured.get(key, (float("-inf"), ""))
            is_new, line = self._states.get(key) != state, _figures(site, now)
            is_due = (
                now - printed_at >= self.figures_s and line != figures and not self.model.is_stale(key[0])
            )
            if is_new or is_due:
                self._states[key], self._figured[key] = state, (now, line)
                yield _site_line(self.model, site, now)

    def _alarm_changes(self) -> Iterator[str]:
        found = {alarm.key: _alarm_line(alarm) for alarm in self.model.alarms}
        for key, line in found.items():
            if self._alarms.get(key) != line:
                yield line
        for key, line in self._alarms.items():
            if key not in found:
                yield f"over: {line}"
        self._alarms = found

    def _audit(self) -> Iterator[str]:
        """Yield rows that came since the first look: what was there before is history."""
        rows = self.model.audit
        for row in reversed(rows):
            if row.daemon in self._audit_begins and row.number > self._audited.get(row.daemon, 0):
                outcome = "" if row.outcome == "done" else f" ({row.outcome})"
                yield printable(
                    f"AUDIT {row.daemon}: {row.who}: {row.action} {row.target}".rstrip() + outcome
                )
        for name, view in self.model.daemons.items():
            if self.model.last_audit_number(name) or not view.audit_count:
                self._audit_begins.add(name)
        for row in rows:
            self._audited[row.daemon] = max(self._audited.get(row.daemon, 0), row.number)

    def _log(self) -> Iterator[str]:
        rows, self._log_key = self.model.log.after(self._log_key), self.model.log.last_key
        for row in rows:
            if row.level in self.log_levels:
                yield f"LOG {printable(row.daemon)}: {log_line(row)}"
