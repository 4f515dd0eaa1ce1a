"""The overview as rows: every daemon, and under it every site that it tells of."""

from tui.app.columns import Column
from tui.app.looks import Cell, Kind, Row
from tui.model import DaemonView, FeedState, Model, Severity, SiteState, SiteView
from tui.model.words import age, count, daemon_name, feed_words, ms, printable, site_state, size

__all__ = ["COLUMNS", "SEVERITY_KINDS", "overview_rows", "state_cell"]

COLUMNS = (
    Column("", 1),
    Column("Site", 13, grows=True),
    Column("State", 15),
    Column("Age", 7, 1, right=True),
    Column("p50", 7, 2, right=True),
    Column("p99", 7, 2, right=True),
    Column("Fly", 3, 3, right=True),
    Column("Queue", 5, 3, right=True),
    Column("Outbox", 6, 3, right=True),
    Column("Dead", 4, 4, right=True),
    Column("Hits", 6, 6, right=True),
    Column("Saved", 8, 6, right=True),
    Column("Bulk", 7, 7, right=True),
    Column("Errors", 6, 7, right=True),
    Column("Version", 7, 8),
    Column("Health", 20, 5, grows=True),
)
"""Those of a higher rank come with wider screens: at 80 cells all up to the dead letters."""

STALE_S = 10.0
SLOW_S = 1.0
GLYPHS = {
    SiteState.CONNECTED: ("●", Kind.GOOD),
    SiteState.ALONE: ("●", Kind.GOOD),
    SiteState.PAUSED: ("‖", Kind.NOTICE),
    SiteState.CONNECTING: ("◌", Kind.NOTICE),
    SiteState.GONE: ("✗", Kind.BAD),
    SiteState.NEVER: ("○", Kind.DIM),
}
SEVERITY_KINDS = {Severity.FAILING: Kind.BAD, Severity.DEGRADED: Kind.NOTICE, Severity.NOTICE: Kind.PLAIN}


def overview_rows(model: Model, now: float) -> list[Row]:
    """Return the rows; keys are (daemon, "") of a daemon and (daemon, site) of a site."""
    rows = []
    for daemon in model.feeds:
        rows.append(_daemon_row(model, daemon, now))
        is_stale = model.is_stale(daemon)
        rows += [_site_row(site, now, is_stale=is_stale) for site in model.sites_of(daemon)]
    return rows


def state_cell(site: SiteView, now: float, *, is_stale: bool) -> tuple[Cell, Cell]:
    """Return a site's glyph and its state in words. What is only remembered has a question mark."""
    glyph, kind = GLYPHS[site.state]
    words = printable(site_state(site, now))
    if is_stale:
        return Cell("?", Kind.NOTICE), Cell(f"{words}?", Kind.DIM)
    return Cell(glyph, kind), Cell(words, kind)


def _daemon_row(model: Model, daemon: str, now: float) -> Row:
    view, feed = model.daemons.get(daemon), model.feeds[daemon]
    name = daemon_name(view) if view is not None else printable(daemon)
    if feed.state is not FeedState.LIVE or view is None:
        lost = feed.state in (FeedState.LOST, FeedState.REFUSED)
        kind = Kind.BAD if lost else Kind.NOTICE
        cells = (Cell("✗" if lost else "◌", kind), Cell(name, Kind.STRONG), Cell(str(feed.state), kind))
        health = Cell(printable(feed_words(model, daemon, now)), kind)
        return Row((daemon, ""), (*cells, *(Cell() for _ in range(len(COLUMNS) - 4)), health))
    if view.is_draining:
        state = (Cell("‖", Kind.NOTICE), Cell("draining", Kind.NOTICE))
    elif view.is_ready and view.worst is not None and view.worst.severity is not Severity.NOTICE:
        kind = SEVERITY_KINDS[view.worst.severity]
        state = (Cell("!", kind), Cell(f"ready, {view.worst.severity}", kind))
    elif view.is_ready:
        state = (Cell("■", Kind.GOOD), Cell("ready", Kind.GOOD))
    else:
        state = (Cell("!", Kind.BAD), Cell("not ready", Kind.BAD))
    hits = Cell(count(view.cache.hits) if view.cache is not None else "")
    ahead = (state[0], Cell(name, Kind.STRONG), state[1], *(Cell() for _ in range(7)), hits)
    version = Cell(_version(view.software), Kind.DIM)
    return Row((daemon, ""), (*ahead, Cell(), Cell(), Cell(), version, _health(view)))


def _version(software: str) -> str:
    """Return the number of a version alone: "0.1.0" of "pitlink 0.1.0"."""
    return printable(software.rpartition(" ")[2])


def _health(view: DaemonView) -> Cell:
    if view.worst is None:
        return Cell("no warnings", Kind.DIM)
    more = f" (+{len(view.warnings) - 1})" if len(view.warnings) > 1 else ""
    return Cell(
        printable(f"{view.worst.severity}: {view.worst.words}{more}"), SEVERITY_KINDS[view.worst.severity]
    )


def _site_row(site: SiteView, now: float, *, is_stale: bool) -> Row:
    glyph, state = state_cell(site, now, is_stale=is_stale)
    old_s = site.age_now(now)
    is_old = old_s is not None and old_s > STALE_S
    slow = Kind.NOTICE if site.p99_s is not None and site.p99_s > SLOW_S else Kind.PLAIN
    dead = Kind.NOTICE if site.dead else Kind.PLAIN
    return Row(
        (site.daemon, site.name),
        (
            glyph,
            Cell(printable(site.name)),
            state,
            Cell(f"{age(old_s)}!" if is_old else age(old_s), Kind.NOTICE if is_old else Kind.PLAIN),
            Cell(ms(site.round_trip_s if site.p50_s is None else site.p50_s)),
            Cell(ms(site.p99_s), slow),
            Cell(count(site.in_flight)),
            Cell(count(site.queue)),
            Cell(count(site.outbox)),
            Cell(count(site.dead), dead),
            Cell(count(site.cache_hits)),
            Cell(size(site.bytes_saved)),
            Cell(ms(site.bulk_delay_s)),
            Cell(count(site.errors_total)),
            Cell(f"{_version(site.software)}{'!' * site.differs}", Kind.NOTICE if site.differs else Kind.DIM),
            Cell(printable(site.origin_words or site.phase), Kind.DIM),
        ),
    )
