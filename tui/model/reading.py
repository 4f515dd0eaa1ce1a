"""Reads what the admin API tells into values. What an older daemon does not tell is None; what is no answer, ValueError."""

from collections.abc import Iterator, Mapping
from typing import Any

from tui.model.values import (
    AuditRow,
    CacheView,
    Channel,
    CommandRow,
    DaemonView,
    DeadLetter,
    Limit,
    LogRow,
    Operator,
    Rule,
    Severity,
    SiteState,
    SiteView,
    WarningView,
)

__all__ = ["read_audit", "read_command", "read_dead", "read_log", "read_rules", "read_status"]

_LINK_STATES = {"ready": SiteState.CONNECTED, "connecting": SiteState.CONNECTING}


def read_status(
    daemon: str, told: Mapping[str, Any], at: float, utc_now: float
) -> tuple[DaemonView, dict[str, SiteView]]:
    """Return the daemon and the sites that a status tells of. `at`, `utc_now`: when it was heard, by our clocks.

    Raises ValueError when this is no status of a daemon.
    """
    try:
        now_utc = float(told.get("now", utc_now))
        view = DaemonView(
            daemon=daemon,
            at=at,
            kind=str(told["daemon"]),
            called=str(told.get("site") or told.get("hub") or ""),
            is_ready=bool(told.get("ready")),
            words=str(told.get("words") or _origin_words(told)),
            utc_ahead_s=now_utc - at,
            is_draining=bool(told.get("draining")),
            warnings=tuple(map(_warning, told.get("warnings", ()))),
            cache=_cache(told.get("cache")),
            audit_count=int(told["audit"]["count"]),
            audit_head=str(told["audit"]["head"]),
            software=str(told.get("software") or ""),
            protocol=str(told.get("protocol") or ""),
            is_production=bool(told.get("production")),
            log_level=str(told.get("log", {}).get("level") or ""),
            log_until_utc=told.get("log", {}).get("until"),
            limits=tuple(_limits(told.get("limits", {}), told.get("limits_changed", {}))),
            operators=tuple(
                Operator(str(one["who"]), float(one["since"])) for one in told.get("operators", ())
            ),
        )
        if "sites" in told:
            return view, {
                name: _site_at_hub(view, name, site, now_utc) for name, site in told["sites"].items()
            }
        return view, {view.called: _site_itself(view, told, now_utc)}
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"what answers is no daemon that can be shown ({exc!r})") from exc


def _origin_words(told: Mapping[str, Any]) -> str:
    return str(told.get("origin", {}).get("words", ""))


def _warning(told: Mapping[str, Any]) -> WarningView:
    return WarningView(
        str(told["name"]), Severity(told["severity"]), str(told["words"]), float(told["since"])
    )


def _limits(told: Mapping[str, Any], changed: Mapping[str, Any]) -> Iterator[Limit]:
    for name, value in told.items():
        change = changed.get(name, {})
        yield Limit(str(name), value, change.get("configured", value), change.get("until"))


def _left(told: Mapping[str, Any], now_utc: float) -> float | None:
    until = told.get("paused_until")
    return None if until is None else max(0.0, float(until) - now_utc)


def _cache(told: Mapping[str, Any] | None) -> CacheView | None:
    if told is None:
        return None
    return CacheView(int(told["entries"]), int(told["bytes"]), int(told["hits"]), int(told["misses"]))


def _channels(told: Mapping[str, Any]) -> tuple[Channel, ...]:
    return tuple(
        Channel(name, int(one["unacknowledged"]), int(one["in_flight"]), int(one.get("body_bytes", 0)))
        for name, one in told.items()
    )


def _outbox(told: Mapping[str, Any]) -> int:
    return sum(channel.unacknowledged for channel in _channels(told))


def _site_at_hub(hub: DaemonView, name: str, told: Mapping[str, Any], now_utc: float) -> SiteView:
    seen_at = told["last_seen_at"]
    paused = told.get("paused")
    if not told["connected"]:
        state = SiteState.NEVER if seen_at is None else SiteState.GONE
    else:
        state = SiteState.PAUSED if paused else SiteState.CONNECTED
    return SiteView(
        daemon=hub.daemon,
        name=name,
        at=hub.at,
        state=state,
        state_words=str(state),
        gone_s=max(0.0, now_utc - seen_at) if state is SiteState.GONE else None,
        age_s=told.get("age_s"),
        phase=str(told.get("phase") or ""),
        connections=told.get("connections"),
        round_trip_s=told.get("round_trip_s"),
        p50_s=told.get("round_trip_p50_s"),
        p99_s=told.get("round_trip_p99_s"),
        in_flight=told.get("fetches_in_flight"),
        queue=told.get("fetches_waiting"),
        outbox=_outbox(told["channels"]),
        cache_hits=told.get("cache_hits"),
        cache_misses=told.get("cache_misses"),
        bytes_saved=told.get("bytes_saved"),
        bulk_delay_s=told.get("bulk_delay_s"),
        dead=told.get("dead_letters"),
        fetches=told.get("fetches"),
        shed=told.get("fetches_shed"),
        errors=dict(told.get("errors", {})),
        channels=_channels(told["channels"]),
        is_paused=paused,
        paused_left_s=_left(told, now_utc) if paused else None,
        software=str(told.get("software") or ""),
        protocol=str(told.get("protocol") or ""),
        hub_software=hub.software,
        hub_protocol=hub.protocol,
    )


def _site_itself(view: DaemonView, told: Mapping[str, Any], now_utc: float) -> SiteView:
    link, counts = told.get("link"), told.get("origin_counts", {})
    paused, read_at = bool(told.get("paused")), told.get("last_success")
    if link is None:
        state, words = SiteState.ALONE, "no hub is configured"
    else:
        state, words = _LINK_STATES.get(link["status"], SiteState.GONE), str(link["words"] or link["status"])
    if paused:
        state = SiteState.PAUSED
    trip_ms = None if link is None else link.get("round_trip_ms")
    traffic = link or {}
    return SiteView(
        daemon=view.daemon,
        name=view.called,
        at=view.at,
        state=state,
        state_words=words,
        age_s=None if read_at is None else max(0.0, now_utc - read_at),
        connections=traffic.get("connections"),
        round_trip_s=None if trip_ms is None else trip_ms / 1000,
        p50_s=traffic.get("round_trip_p50_s"),
        p99_s=traffic.get("round_trip_p99_s"),
        in_flight=counts.get("in_flight"),
        queue=counts.get("waiting"),
        outbox=_outbox(told["channels"]),
        bulk_delay_s=traffic.get("bulk_delay_s"),
        dead=told.get("dead_letters"),
        fetches=counts.get("sent"),
        errors=dict(told.get("errors", {})),
        channels=_channels(told["channels"]),
        is_paused=paused,
        paused_left_s=_left(told, now_utc) if paused else None,
        software=view.software,
        protocol=view.protocol,
        hub_software=str(traffic.get("software") or ""),
        hub_protocol=str(traffic.get("protocol") or ""),
        origin_words=f"{told['origin']['state']}: {told['origin']['words']}",
        allowlist=read_rules(told.get("allowlist", ())),
    )


def read_rules(told: Any) -> tuple[Rule, ...]:
    """Return an allowlist, as status and `allowlist.list` tell it."""
    return tuple(
        Rule(str(rule["pattern"]), tuple(map(str, rule["methods"])), bool(rule["enabled"])) for rule in told
    )


def read_log(daemon: str, key: int, told: Mapping[str, Any]) -> LogRow:
    """Return a line of a daemon's log, or the gap that stands for lines that were missed."""
    if "dropped" in told:
        count = int(told["dropped"])
        words = f"{count} lines were missed"
        return LogRow(
            key=key, daemon=daemon, number=0, level="warning", at_text="", event=words, dropped=count
        )
    said = dict(told["line"])
    at_text, event = str(said.pop("at", "")), str(said.pop("event", ""))
    said.pop("level", None)
    return LogRow(
        key=key,
        daemon=daemon,
        number=int(told["number"]),
        level=str(told["level"]),
        at_text=at_text,
        event=event,
        said=said,
    )


def read_audit(daemon: str, told: Mapping[str, Any]) -> AuditRow:
    """Return a row of the audit."""
    return AuditRow(
        daemon=daemon,
        number=int(told["number"]),
        at_utc=float(told["at_utc_s"]),
        who=str(told["who"]),
        action=str(told["action"]),
        target=str(told["target"]),
        outcome=str(told["outcome"]),
        before=told.get("before"),
        after=told.get("after"),
    )


def read_command(daemon: str, site: str, told: Mapping[str, Any]) -> CommandRow:
    """Return a command as `site.commands` lists it."""
    return CommandRow(
        daemon=daemon,
        site=site,
        id=str(told["id"]),
        issuer=str(told["issuer"]),
        issued_utc=float(told["issued_at"]),
        expires_utc=float(told["expires_at"]),
        action=told["action"],
        status=str(told["status"]),
        words=str(told["words"] or ""),
        decided_utc=told["decided_at"],
        attempts=None if told.get("attempts") is None else len(told["attempts"]),
    )


def read_dead(daemon: str, site: str, told: Mapping[str, Any]) -> DeadLetter:
    """Return a dead letter as `dead.list` describes it."""
    return DeadLetter(
        daemon=daemon,
        site=site,
        id=int(told["id"]),
        channel=str(told["channel"]),
        seq=int(told["seq"]),
        type=str(told["type"]),
        size_bytes=int(told["bytes"]),
        error=str(told["error"]),
        at_utc=float(told["at"]),
    )
