"""Everything that is known of the daemons that are watched: plain data with a version that moves at each change.

Whoever feeds it calls the methods that change it, in one thread; whoever shows it looks whether `version` has moved and
reads. It knows no network, no clock and no widget: `now` is monotonic seconds, passed in.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from tui.model.alarms import SHELVE_S, Alarm, AlarmBook, find_alarms
from tui.model.book import LogBook
from tui.model.chaos import ChaosBook
from tui.model.measured import Measured, services_in
from tui.model.reading import read_audit, read_command, read_dead, read_rules, read_status
from tui.model.tracebook import TraceBook
from tui.model.values import (
    AuditRow,
    CommandRow,
    DaemonView,
    DeadLetter,
    FeedState,
    FeedView,
    Rule,
    SiteView,
)

__all__ = ["TAKES", "Model"]

AUDIT_ROWS_MAX = 2000
TAKES = (
    "watch", "told", "lost", "logged", "audited", "forget_audit", "commanded", "died", "ruled", "offered",
    "measured", "traced", "weeks_told", "chaos_told", "chaos_kinds_told", "drilled", "drills_listed", "drill_said",
    "acknowledge", "shelve", "unshelve", "tick",
)  # fmt: skip
"""Every method that changes a model. Their arguments are what JSON can say, so that a recording can make the same calls
again: a method that is not named here would be missing in each replay."""


@define(eq=False)
class Model:
    """The model. `feeds`: the connection to each daemon, by the name it was given; it has every daemon, from the start.

    `sites` is by (daemon, site); what was known of a daemon that is gone stays, with its age. `commands`, `dead` and
    `rules` are there for the sites that somebody looked at.
    """

    version: int = field(default=0, init=False)
    feeds: dict[str, FeedView] = field(factory=dict, init=False)
    daemons: dict[str, DaemonView] = field(factory=dict, init=False)
    sites: dict[tuple[str, str], SiteView] = field(factory=dict, init=False)
    log: LogBook = field(factory=LogBook, init=False)
    traces: TraceBook = field(factory=TraceBook, init=False)
    services: Measured = field(factory=Measured, init=False)
    chaos: ChaosBook = field(factory=ChaosBook, init=False)
    commands: dict[tuple[str, str], tuple[CommandRow, ...]] = field(factory=dict, init=False)
    dead: dict[tuple[str, str], tuple[DeadLetter, ...]] = field(factory=dict, init=False)
    rules: dict[tuple[str, str], tuple[Rule, ...]] = field(factory=dict, init=False)
    actions: dict[str, tuple[Mapping[str, Any], ...]] = field(factory=dict, init=False)
    _audit: dict[str, deque[AuditRow]] = field(factory=dict, init=False)
    _alarms: AlarmBook = field(factory=AlarmBook, init=False)

    # --- what is read ------------------------------------------------------------------------------------------

    @property
    def alarms(self) -> list[Alarm]:
        """All alarms: those to act on first, then the acknowledged and shelved ones."""
        return self._alarms.alarms

    @property
    def audit(self) -> list[AuditRow]:
        """The newest rows of all daemons' audits, the newest first."""
        rows = [row for rows in self._audit.values() for row in rows]
        return sorted(rows, key=lambda row: (row.at_utc, row.daemon, row.number), reverse=True)

    @property
    def audit_count(self) -> int:
        """How many rows `audit` has."""
        return sum(map(len, self._audit.values()))

    def last_audit_number(self, daemon: str) -> int:
        """Return the number of the newest row that is known of a daemon's audit; 0 before any."""
        rows = self._audit.get(daemon)
        return rows[-1].number if rows else 0

    def sites_of(self, daemon: str) -> list[SiteView]:
        """Return the sites that one daemon tells of, by name."""
        return [site for (of, _), site in sorted(self.sites.items()) if of == daemon]

    def offers(self, daemon: str, action: str) -> bool:
        """Does a daemon let this operator do that?"""
        return any(offered["name"] == action for offered in self.actions.get(daemon, ()))

    def is_stale(self, daemon: str) -> bool:
        """Is what is shown of a daemon only what it last said?"""
        return self.feeds[daemon].state is not FeedState.LIVE

    # --- what changes it ---------------------------------------------------------------------------------------

    def watch(self, daemon: str, now: float, words: str = "connecting") -> None:
        """Begin with a daemon, before anything is known of it."""
        self._set_feed(daemon, FeedView(FeedState.CONNECTING, words, now), now)

    def told(self, daemon: str, status: Mapping[str, Any], now: float, utc_now: float) -> None:
        """Take a status that was heard just now. Raises ValueError for what is none."""
        view, sites = read_status(daemon, status, now, utc_now)
        before = self.feeds.get(daemon)
        since = before.at if before is not None and before.state is FeedState.LIVE else now
        self.daemons[daemon] = view
        for key in [key for key in self.sites if key[0] == daemon and key[1] not in sites]:
            del self.sites[key]
        self.sites.update(((daemon, name), site) for name, site in sites.items())
        for key, site in self.sites.items():
            if key[0] == daemon and site.allowlist is not None:
                self.rules[key] = site.allowlist
        self.chaos.stands(daemon, status.get("chaos"))
        for service, of_it in services_in(status):
            self.services.take(daemon, service, of_it, now)
        self._set_feed(daemon, FeedView(FeedState.LIVE, "connected", since, heard_at=now), now)

    def lost(
        self, daemon: str, words: str, now: float, *, retry_at: float | None = None, is_refused: bool = False
    ) -> None:
        """Note that a daemon is not reached, or does not let us in, and when it is tried again."""
        before = self.feeds.get(daemon)
        state = FeedState.REFUSED if is_refused else FeedState.LOST
        is_same = before is not None and before.state is state
        tries = before.tries if before is not None and before.state is not FeedState.LIVE else 0
        since = before.at if is_same and before is not None else now
        heard_at = None if before is None else before.heard_at
        self._set_feed(daemon, FeedView(state, words, since, heard_at, retry_at, tries + 1), now)

    def measured(self, daemon: str, service: str, told: Mapping[str, Any], now: float) -> None:
        """Take what a service of a daemon tells: "telemetry", "heating" or "team". Raises ValueError for what is none."""
        self.services.take(daemon, service, told, now)
        self._move()

    def weeks_told(self, daemon: str, site: str, told: Mapping[str, Any]) -> None:
        """Take the settings of a house, as `heat.settings` tells them. Raises ValueError."""
        self.services.take_weeks(daemon, site, told)
        self._move()

    def chaos_told(self, daemon: str, told: Mapping[str, Any], now: float) -> None:
        """Take the faults of a daemon and the drills on it, as `chaos.list` tells them. Raises ValueError."""
        self.chaos.take(daemon, told, now)
        self._move()

    def chaos_kinds_told(self, daemon: str, told: Mapping[str, Any]) -> None:
        """Take what can be placed in a daemon, as `chaos.kinds` tells it. Raises ValueError."""
        self.chaos.take_kinds(daemon, told)
        self._move()

    def drilled(self, standing: Mapping[str, Any], now: float) -> None:
        """Take how a drill stands that was started on this machine, as it says itself."""
        self.chaos.heard("", standing, now)
        self._move()

    def drills_listed(self, told: Mapping[str, Any], now: float) -> None:
        """Take what can be played on this machine, and what was. Raises ValueError."""
        self.chaos.take_playables(told, now)
        self._move()

    def drill_said(self, lines: Sequence[str]) -> None:
        """Take the last lines that the drill printed which was started on this machine."""
        self.chaos.take_output(lines)
        self._move()

    def logged(self, daemon: str, told: Mapping[str, Any]) -> None:
        """Take a line of a daemon's log. Raises ValueError, KeyError and TypeError for what is none."""
        self.log.add(daemon, told)
        self._move()

    def traced(self, daemon: str, trace: str, told: Sequence[Mapping[str, Any]]) -> None:
        """Take what a daemon's log has of a trace, nothing too: then it was asked. Raises as `logged`."""
        self.traces.add(daemon, trace, told)
        self._move()

    def audited(self, daemon: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows of a daemon's audit, in order; those that are known already are left out.

        Numbers that begin anew (another state folder at the same place) put away what was known.
        """
        kept = self._audit.setdefault(daemon, deque(maxlen=AUDIT_ROWS_MAX))
        last = kept[-1].number if kept else 0
        new = [row for row in (read_audit(daemon, told) for told in rows) if row.number > last]
        if new:
            kept.extend(new)
            self._move()

    def forget_audit(self, daemon: str) -> None:
        """Put away what is known of a daemon's audit: it is another one now."""
        if self._audit.pop(daemon, None):
            self._move()

    def commanded(self, daemon: str, site: str, told: Iterable[Mapping[str, Any]]) -> None:
        """Take the commands to a site, as `site.commands` lists them."""
        rows = tuple(read_command(daemon, site, one) for one in told)
        if self.commands.get((daemon, site)) != rows:
            self.commands[daemon, site] = rows
            self._move()

    def died(self, daemon: str, site: str, told: Mapping[str, Any]) -> None:
        """Take the dead letters of a site, as `dead.list` tells them, and their count."""
        letters = tuple(read_dead(daemon, site, one) for one in told["oldest"])
        if self.dead.get((daemon, site)) != letters:
            self.dead[daemon, site] = letters
            self._move()

    def ruled(self, daemon: str, site: str, told: Iterable[Mapping[str, Any]]) -> None:
        """Take a site's allowlist, as the hub was told it."""
        rules = read_rules(told)
        if self.rules.get((daemon, site)) != rules:
            self.rules[daemon, site] = rules
            self._move()

    def offered(self, daemon: str, actions: Iterable[Mapping[str, Any]]) -> None:
        """Take what the daemon lets this operator do: name, help, role, params of each action."""
        offered = tuple(actions)
        if self.actions.get(daemon) != offered:
            self.actions[daemon] = offered
            self._move()

    def acknowledge(self, key: Sequence[str]) -> None:
        """Say that the alarm of this key is known."""
        self._alarms.acknowledge(_alarm_key(key))
        self._move()

    def shelve(self, key: Sequence[str], now: float, for_s: float = SHELVE_S) -> None:
        """Put the alarm of this key aside for a while."""
        self._alarms.shelve(_alarm_key(key), now, for_s)
        self._move()

    def unshelve(self, key: Sequence[str]) -> None:
        """Take the alarm of this key back from the shelf, and that it is known."""
        self._alarms.unshelve(_alarm_key(key))
        self._move()

    def tick(self, now: float) -> None:
        """Let time pass: what is shelved comes back, what is not renewed grows old. Moves the version when alarms do."""
        before = self._alarms.alarms
        self._look_for_alarms(now)
        if _shown(self._alarms.alarms) != _shown(before):
            self._move()

    def _set_feed(self, daemon: str, view: FeedView, now: float) -> None:
        self.feeds[daemon] = view
        self._look_for_alarms(now)
        self._move()

    def _look_for_alarms(self, now: float) -> None:
        live = [view for view in self.daemons.values() if not self.is_stale(view.daemon)]
        found = find_alarms(self.feeds.items(), live, self.sites.values(), now)
        self._alarms.update(found, now)

    def _move(self) -> None:
        self.version += 1


def _alarm_key(key: Sequence[str]) -> tuple[str, str, str]:
    daemon, site, name = key
    return daemon, site, name


def _shown(alarms: list[Alarm]) -> list[Alarm]:
    return [evolve(alarm, since=0.0) for alarm in alarms]
