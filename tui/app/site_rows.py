"""One site, or one daemon, as rows: a word for what it is, and how it stands."""

from collections.abc import Iterator

from tui.app.columns import Column
from tui.app.looks import Cell, Kind, Row
from tui.app.overview_rows import state_cell
from tui.model import CommandRow, DaemonView, Model, Severity, SiteView
from tui.model.words import (
    age,
    count,
    daemon_name,
    feed_words,
    left,
    limit_line,
    ms,
    printable,
    size,
    versions_words,
)

__all__ = ["COLUMNS", "site_rows"]

COLUMNS = (Column("", 27), Column("", 40, grows=True))
COMMANDS_SHOWN = 8


def site_rows(model: Model, daemon: str, site: str, now: float) -> list[Row]:
    """Return the rows; keys begin with what they are: "fact", "rule" (then its pattern), "limit" (its name), "heading"."""
    rows: list[Row] = []
    view = model.daemons.get(daemon)
    of = model.sites.get((daemon, site))
    lost = feed_words(model, daemon, now)
    if lost:
        rows.append(_fact("daemon", f"{daemon}: {lost}", Kind.BAD))
    if of is not None:
        rows += _site(model, of, now)
        rules = model.rules.get((daemon, site), ())
        if rules:
            rows.append(_heading("Allowlist", "Enter switches an entry"))
        for rule in rules:
            kind = Kind.PLAIN if rule.is_enabled else Kind.NOTICE
            words = f"{' '.join(rule.methods)} {printable(rule.pattern)}"
            rows.append(
                Row(
                    ("rule", rule.pattern),
                    (Cell("  on" if rule.is_enabled else "  switched off", kind), Cell(words, kind)),
                )
            )
        commands = model.commands.get((daemon, site), ())
        if commands:
            rows.append(_heading("Commands", f"the newest {COMMANDS_SHOWN}; 5 shows all"))
            newest = sorted(commands, key=lambda command: command.issued_utc, reverse=True)
            rows += [_command(command) for command in newest[:COMMANDS_SHOWN]]
    elif site:
        rows.append(
            _fact("site", f"{daemon} does not tell of a site {printable(site)} any more", Kind.NOTICE)
        )
    if view is not None and (not site or not view.is_hub):
        rows += _daemon(view, now)
    return rows


def _site(model: Model, site: SiteView, now: float) -> Iterator[Row]:
    glyph, state = state_cell(site, now, is_stale=model.is_stale(site.daemon))
    yield Row(("fact", "state"), (Cell("state"), Cell(f"{glyph.text} {state.text}", state.kind)))
    if site.state_words != str(site.state):
        yield _fact("link", site.state_words)
    if site.origin_words:
        yield _fact("origin", site.origin_words)
    if versions := versions_words(site):
        yield _fact("version", versions, Kind.NOTICE if site.differs else Kind.PLAIN)
    yield _fact("age of data", age(site.age_now(now)))
    if site.phase:
        yield _fact("phase", site.phase)
    trips = f"p50 {ms(site.p50_s)}, p99 {ms(site.p99_s)}, smoothed {ms(site.round_trip_s)}"
    yield _fact("round trip", trips)
    yield _fact("connections", count(site.connections))
    yield _fact(
        "requests",
        f"{count(site.in_flight)} under way, {count(site.queue)} wait, {count(site.fetches)} so far, "
        f"{count(site.shed)} shed",
    )
    if site.errors:
        told = ", ".join(f"{code} {number}" for code, number in sorted(site.errors.items()))
        yield _fact("errors", printable(told), Kind.NOTICE)
    yield _fact(
        "cache",
        f"{count(site.cache_hits)} hits, {count(site.cache_misses)} misses, {size(site.bytes_saved)} saved",
    )
    yield _fact("bulk delay", ms(site.bulk_delay_s))
    kind = Kind.NOTICE if site.dead else Kind.PLAIN
    yield _fact("dead letters", f"{count(site.dead)}{' (5 shows them)' if site.dead else ''}", kind)
    for channel in site.channels:
        words = f"{channel.unacknowledged} not acknowledged, {channel.in_flight} under way, {size(channel.held_bytes)}"
        yield _fact(f"outbox {channel.name}", words)


def _daemon(view: DaemonView, now: float) -> Iterator[Row]:
    yield _heading(daemon_name(view), "")
    if view.is_production:
        yield _fact("for", "! PRODUCTION: what is done here is done to a race", Kind.BAD)
    if view.software:
        yield _fact("software", f"{view.software}, protocol {view.protocol}")
    words = view.words if not view.is_draining else f"draining: {view.words}"
    yield _fact("daemon", words or "ready", Kind.GOOD if view.is_ready else Kind.BAD)
    if view.cache is not None:
        cache = view.cache
        yield _fact(
            "all copies",
            f"{count(cache.entries)}, {size(cache.size_bytes)}, {count(cache.hits)} hits, "
            f"{count(cache.misses)} misses",
        )
    if view.log_level:
        level_s = view.left(view.log_until_utc, now)
        yield _fact("log level", view.log_level + (f", {left(level_s)} left" if level_s is not None else ""))
    if view.operators:
        here = (f"{one.who} (for {age(now + view.utc_ahead_s - one.since_utc)})" for one in view.operators)
        yield _fact("operators", ", ".join(here))
    yield _fact("audit", f"{view.audit_count} rows, head {view.audit_head[:24]}")
    for warning in view.warnings:
        since = age(now + view.utc_ahead_s - warning.since_utc)
        kind = Kind.BAD if warning.severity is Severity.FAILING else Kind.NOTICE
        yield _fact(str(warning.severity), f"{warning.name}: {warning.words} (for {since})", kind)
    if not view.warnings:
        yield _fact("health", "no warnings", Kind.DIM)
    if view.limits:
        yield _heading("Limits", "Enter sets one; those that are not as configured come first")
        for limit in sorted(view.limits, key=lambda limit: not limit.is_changed):
            kind = Kind.NOTICE if limit.is_changed else Kind.PLAIN
            words = limit_line(view, limit, now)
            yield Row(("limit", limit.name), (Cell(f"  {printable(limit.name)}"), Cell(words, kind)))


def _command(command: CommandRow) -> Row:
    words = f"{command.status:8} {command.action.get('do', '')} {command.issuer} {command.words}"
    return Row(("command", command.id), (Cell(f"  {command.id[:12]}", Kind.DIM), Cell(printable(words))))


def _fact(name: str, words: str, kind: Kind = Kind.PLAIN) -> Row:
    return Row(("fact", name), (Cell(printable(name)), Cell(printable(words), kind)))


def _heading(name: str, words: str) -> Row:
    return Row(("heading", name), (Cell(printable(name), Kind.STRONG), Cell(words, Kind.DIM)))
