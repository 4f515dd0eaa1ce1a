"""What is known of daemons and sites, as frozen values.

Durations are seconds, sizes bytes. A moment called `at` is monotonic, by the clock (Trio's) of whoever feeds the model:
ages grow from it while nothing new is heard. Moments ending in `_utc` are UTC seconds. None: not known, never zero.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from tui.model.passing import grown, run_down

__all__ = [
    "LEVELS",
    "AuditRow",
    "CacheView",
    "Channel",
    "CommandRow",
    "DaemonView",
    "DeadLetter",
    "FeedState",
    "FeedView",
    "Limit",
    "LogRow",
    "Operator",
    "Rule",
    "Severity",
    "SiteState",
    "SiteView",
    "WarningView",
]


LEVELS = ("debug", "info", "warning", "error")
"""Of a daemon's log, the least severe first."""


class FeedState(StrEnum):
    """How it is with the connection to a daemon."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"
    REFUSED = "refused"


@frozen
class FeedView:
    """The connection to one daemon. `at`: since when; `heard_at`: when it last answered; `retry_at`: when it is tried
    again; `tries`: how often it was tried in vain since it last answered."""

    state: FeedState
    words: str
    at: float
    heard_at: float | None = None
    retry_at: float | None = None
    tries: int = 0


class Severity(StrEnum):
    """Of a warning, as the daemons say it."""

    FAILING = "failing"
    DEGRADED = "degraded"
    NOTICE = "notice"


@frozen
class WarningView:
    """One thing that is not as it should be."""

    name: str
    severity: Severity
    words: str
    since_utc: float


@frozen
class Channel:
    """An outgoing reliable channel: messages not acknowledged, those of them under way, and bytes held."""

    name: str
    unacknowledged: int
    in_flight: int
    held_bytes: int


@frozen
class Rule:
    """An entry of a site's allowlist."""

    pattern: str
    methods: tuple[str, ...]
    is_enabled: bool


class SiteState(StrEnum):
    """How a site stands, at its hub or by its own word. `glyph` and `words` of it say the same without colour."""

    CONNECTED = "connected"
    PAUSED = "paused"
    CONNECTING = "connecting"
    GONE = "gone"
    NEVER = "never seen"
    ALONE = "alone"
    """A site without a hub: that is how it is meant."""


@frozen(kw_only=True)
class SiteView:
    """One site.

    `daemon`: the name of the feed that tells of it. `state_words`: the state and what belongs to it, such as "gone".
    `gone_s`: for how long it has been gone. `age_s`: the age of what is shown of it, when it was told (`at`): see
    `age_now`. `round_trip_s` is smoothed, p50 and p99 are of the last 128 pings. `queue`: fetches that wait;
    `in_flight`: fetches under way. `outbox`: messages not acknowledged, over all channels. `bulk_delay_s`: what a large
    body's piece takes to the other end. `dead`: messages that could not be applied. `paused_left_s`: until a pause ends
    by itself. `software`, `protocol`: versions, as told in the link's opening; "" before there was one;
    `hub_software`, `hub_protocol`: those of its hub.
    """

    daemon: str
    name: str
    at: float
    state: SiteState
    state_words: str
    gone_s: float | None = None
    age_s: float | None = None
    phase: str = ""
    connections: int | None = None
    round_trip_s: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    in_flight: int | None = None
    queue: int | None = None
    outbox: int | None = None
    cache_hits: int | None = None
    cache_misses: int | None = None
    bytes_saved: int | None = None
    bulk_delay_s: float | None = None
    dead: int | None = None
    fetches: int | None = None
    shed: int | None = None
    errors: Mapping[str, int] = field(factory=dict)
    channels: tuple[Channel, ...] = ()
    is_paused: bool | None = None
    origin_words: str = ""
    allowlist: tuple[Rule, ...] | None = None
    paused_left_s: float | None = None
    software: str = ""
    protocol: str = ""
    hub_software: str = ""
    hub_protocol: str = ""

    @property
    def differs(self) -> bool:
        """Are the site and its hub known to be of different versions?"""
        here, there = (self.software, self.protocol), (self.hub_software, self.hub_protocol)
        return bool(self.software and self.hub_software) and here != there

    @property
    def errors_total(self) -> int:
        return sum(self.errors.values())

    def age_now(self, now: float) -> float | None:
        """Return the age of what is shown of the site at the monotonic moment `now`."""
        return grown(self.age_s, self.at, now)

    def paused_left_now(self, now: float) -> float | None:
        """Return in how many seconds its pause ends by itself; None for one that does not, or none."""
        return run_down(self.paused_left_s, self.at, now)

    def gone_now(self, now: float) -> float | None:
        """Return for how long it has been gone."""
        return grown(self.gone_s, self.at, now)


@frozen
class CacheView:
    """A hub's copies of all sites."""

    entries: int
    size_bytes: int
    hits: int
    misses: int


@frozen
class Limit:
    """A limit of a daemon as it holds now. `configured`: what its config says; `until_utc`: when it goes back by itself."""

    name: str
    value: Any = field(hash=False)
    configured: Any = field(hash=False)
    until_utc: float | None = None

    @property
    def is_changed(self) -> bool:
        return bool(self.value != self.configured)


@frozen
class Operator:
    """Somebody who watches a daemon, since when."""

    who: str
    since_utc: float


_HUBS = frozenset({"cloud", "nas", "backend"})


@frozen(kw_only=True)
class DaemonView:
    """One daemon as it last said that it stands. `kind`: "cloud", "pits", "nas" ...; `called`: the hub's name, or the site's.

    `utc_ahead_s`: its clock's UTC less the monotonic moment at which it was asked, for ages of what it dates.
    `log_until_utc`: when its log level goes back by itself. What an older daemon does not tell is "" or empty.
    """

    daemon: str
    at: float
    kind: str
    called: str
    is_ready: bool
    words: str
    utc_ahead_s: float
    is_draining: bool = False
    warnings: tuple[WarningView, ...] = ()
    cache: CacheView | None = None
    audit_count: int = 0
    audit_head: str = ""
    software: str = ""
    protocol: str = ""
    is_production: bool = False
    log_level: str = ""
    log_until_utc: float | None = None
    limits: tuple[Limit, ...] = ()
    operators: tuple[Operator, ...] = ()

    @property
    def is_hub(self) -> bool:
        """Does it speak for sites that are somewhere else?"""
        return self.kind in _HUBS

    def left(self, until_utc: float | None, now: float) -> float | None:
        """Return the seconds from the monotonic moment `now` until a moment by its clock; None for no such moment."""
        return None if until_utc is None else max(0.0, until_utc - self.utc_ahead_s - now)

    @property
    def worst(self) -> WarningView | None:
        """The worst warning: the daemon tells them in that order."""
        return self.warnings[0] if self.warnings else None


@frozen(kw_only=True)
class LogRow:
    """One line of a daemon's log. `key`: counts up over all daemons, in the order of coming. `dropped`: in place of a
    line, how many were missed."""

    key: int
    daemon: str
    number: int
    level: str
    at_text: str
    event: str
    said: Mapping[str, Any] = field(factory=dict, hash=False)
    dropped: int = 0

    @property
    def trace(self) -> str:
        """The wish that it belongs to, the same at hub and site; "" for none."""
        return str(self.said.get("trace") or "")

    @property
    def is_failed_fetch(self) -> bool:
        """Is it the access record of a fetch that came to nothing? Those are logged as what happened, not as warnings."""
        status = self.said.get("status")
        return self.event == "fetch" and isinstance(status, int) and status >= 400


@frozen(kw_only=True)
class AuditRow:
    """One row of a daemon's audit."""

    daemon: str
    number: int
    at_utc: float
    who: str
    action: str
    target: str
    outcome: str
    before: Any = field(default=None, hash=False)
    after: Any = field(default=None, hash=False)


@frozen(kw_only=True)
class CommandRow:
    """A command of a hub's to a site. `status`: QUEUED, SENT, DONE, FAILED, EXPIRED, UNKNOWN ... `attempts`: how
    often it was tried to deliver it."""

    daemon: str
    site: str
    id: str
    issuer: str
    issued_utc: float
    expires_utc: float
    action: Mapping[str, Any] = field(hash=False)
    status: str
    words: str = ""
    decided_utc: float | None = None
    attempts: int | None = None


@frozen(kw_only=True)
class DeadLetter:
    """A message that could not be applied, without its body."""

    daemon: str
    site: str
    id: int
    channel: str
    seq: int
    type: str
    size_bytes: int
    error: str
    at_utc: float
