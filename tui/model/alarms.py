"""Alarms: what an operator has to know, in the order safety, legality, reliability, performance.

They follow from what the daemons tell: nothing here is invented, and what is over is gone, acknowledged or not. To
acknowledge and to shelve is this operator's own: nobody else sees it, and it is not kept.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum

from attrs import define, evolve, field, frozen

from tui.model.values import DaemonView, FeedState, FeedView, Severity, SiteState, SiteView

__all__ = ["Alarm", "AlarmBook", "Kind", "find_alarms"]

SHELVE_S = 600.0
AGE_S = 30.0
"""What is shown of a connected site may be so old before it is an alarm."""


class Kind(IntEnum):
    """What is at stake, the worst first."""

    SAFETY = 0
    LEGALITY = 1
    RELIABILITY = 2
    PERFORMANCE = 3


_KINDS = {
    "chaos-faults": Kind.SAFETY,
    "clock": Kind.LEGALITY,
    "clock-step": Kind.LEGALITY,
    "clocks-differ": Kind.LEGALITY,
    "queues": Kind.PERFORMANCE,
    "outbox": Kind.PERFORMANCE,
    "outboxes": Kind.PERFORMANCE,
}
_SEVERITIES = list(Severity)


def kind_of(name: str) -> Kind:
    """Return what is at stake in a warning of this name. What has no place of its own is about reliability."""
    if name in _KINDS:
        return _KINDS[name]
    return Kind.LEGALITY if name.startswith(("audit", "bearer", "token")) else Kind.RELIABILITY


@frozen(kw_only=True)
class Alarm:
    """One alarm. `key` stays the same while it lasts. `site`: "" when it is the daemon's. `since`: monotonic."""

    key: tuple[str, str, str]
    kind: Kind
    severity: Severity
    daemon: str
    site: str
    words: str
    since: float
    is_acknowledged: bool = False
    shelved_until: float | None = None

    @property
    def is_quiet(self) -> bool:
        """Has this operator acknowledged or shelved it?"""
        return self.is_acknowledged or self.shelved_until is not None

    @property
    def order(self) -> tuple[object, ...]:
        """Not acknowledged ones first, then what is at stake, then how bad, then the oldest."""
        return (self.is_quiet, self.kind, _SEVERITIES.index(self.severity), self.since, self.key)


def find_alarms(
    feeds: Iterable[tuple[str, FeedView]],
    daemons: Iterable[DaemonView],
    sites: Iterable[SiteView],
    now: float,
) -> Iterator[Alarm]:
    """Yield what is to be told now: daemons that are gone, their warnings, sites that are gone or old."""
    live = set()
    for name, feed in feeds:
        if feed.state is FeedState.LIVE:
            live.add(name)
        elif feed.state is not FeedState.CONNECTING:
            yield _alarm(Kind.RELIABILITY, Severity.FAILING, name, "", "feed", feed.words, feed.at)
    for daemon in daemons:
        for warning in daemon.warnings:
            since = min(now, warning.since_utc - daemon.utc_ahead_s)
            yield _alarm(
                kind_of(warning.name), warning.severity, daemon.daemon, "", warning.name, warning.words, since
            )
    for site in sites:
        if site.daemon not in live:
            continue  # that the daemon is gone says it all
        if site.state is SiteState.GONE and site.gone_s is not None:
            since = site.at - site.gone_s
            yield _alarm(
                Kind.RELIABILITY, Severity.DEGRADED, site.daemon, site.name, "gone", "the site is gone", since
            )
        age_s = site.age_now(now)
        if site.state is SiteState.CONNECTED and age_s is not None and age_s > AGE_S:
            words = "what is shown of the site is old, though it is connected"
            yield _alarm(
                Kind.PERFORMANCE, Severity.DEGRADED, site.daemon, site.name, "age", words, now - age_s + AGE_S
            )
        if site.dead:
            words = f"{site.dead} messages could not be applied"
            yield _alarm(Kind.RELIABILITY, Severity.DEGRADED, site.daemon, site.name, "dead", words, site.at)


def _alarm(
    kind: Kind, severity: Severity, daemon: str, site: str, name: str, words: str, since: float
) -> Alarm:
    return Alarm(
        key=(daemon, site, name),
        kind=kind,
        severity=severity,
        daemon=daemon,
        site=site,
        words=words,
        since=since,
    )


@define(eq=False)
class AlarmBook:
    """The alarms that hold, and what this operator has said to them."""

    _found: dict[tuple[str, str, str], Alarm] = field(factory=dict, init=False)
    _acknowledged: dict[tuple[str, str, str], Severity] = field(
        factory=dict, init=False
    )  # → its severity then
    _shelved: dict[tuple[str, str, str], float] = field(factory=dict, init=False)

    def update(self, found: Iterable[Alarm], now: float) -> None:
        """Take what holds now. An alarm that was over comes anew: not acknowledged. One that got worse, too."""
        alarms = {}
        for alarm in found:
            before = self._found.get(alarm.key)
            since = alarm.since if before is None else min(before.since, alarm.since)
            alarms[alarm.key] = evolve(alarm, since=since)
        self._found = alarms
        for key, severity in list(self._acknowledged.items()):
            if key not in alarms or _is_worse(alarms[key].severity, severity):
                del self._acknowledged[key]
        for key, until in list(self._shelved.items()):
            if now >= until:
                del self._shelved[key]

    def acknowledge(self, key: tuple[str, str, str]) -> None:
        """Say that this one is known. Nothing happens to one that is over."""
        if key in self._found:
            self._acknowledged[key] = self._found[key].severity

    def shelve(self, key: tuple[str, str, str], now: float, for_s: float = SHELVE_S) -> None:
        """Put one aside for a while, whatever becomes of it."""
        if key in self._found:
            self._shelved[key] = now + for_s

    def unshelve(self, key: tuple[str, str, str]) -> None:
        """Take one back from the shelf, and take back that it is known."""
        self._shelved.pop(key, None)
        self._acknowledged.pop(key, None)

    @property
    def alarms(self) -> list[Alarm]:
        """All of them in order: those to act on first, then the acknowledged and shelved ones."""
        marked = (
            evolve(
                alarm,
                is_acknowledged=alarm.key in self._acknowledged,
                shelved_until=self._shelved.get(alarm.key),
            )
            for alarm in self._found.values()
        )
        return sorted(marked, key=lambda alarm: alarm.order)


def _is_worse(severity: Severity, than: Severity) -> bool:
    return _SEVERITIES.index(severity) < _SEVERITIES.index(than)
