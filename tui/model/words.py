"""Numbers as an operator reads them, the same on every face: quantised, short, "-" for what is not known."""

import unicodedata
from datetime import UTC, datetime

from tui.model.model import Model
from tui.model.values import DaemonView, FeedState, Limit, LogRow, SiteState, SiteView

__all__ = [
    "age",
    "count",
    "counted",
    "daemon_name",
    "feed_words",
    "left",
    "limit_line",
    "log_line",
    "log_text",
    "ms",
    "printable",
    "site_state",
    "size",
    "utc_day",
    "utc_time",
    "versions_words",
]

UNKNOWN = "-"


def age(seconds: float | None) -> str:
    """Return a duration in one unit: 0.4 s, 12 s, 5 min, 3 h, 2 d. Below 10 s in tenths."""
    if seconds is None:
        return UNKNOWN
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for size_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def left(seconds: float | None) -> str:
    """Return what is left of something that ends by itself: whole seconds below 2 minutes, then minutes, hours, days.

    It counts down calmly: what is shown changes once a second, and from 2 minutes on once a minute.
    """
    if seconds is None:
        return UNKNOWN
    for size_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds > 2 * size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def ms(seconds: float | None) -> str:
    """Return a round trip in milliseconds, in seconds from 10 s on: "0.4 ms", "45 ms", "12 s"."""
    if seconds is None:
        return UNKNOWN
    if seconds >= 10:
        return f"{seconds:.0f} s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 9.95 else f"{milliseconds:.0f} ms"


def count(number: int | None) -> str:
    """Return a count: "0", "950", "1.2k", "34M"."""
    if number is None:
        return UNKNOWN
    return str(number) if number < 1000 else _short(number, 1000, ("k", "M", "G", "T"))


def counted(number: int, noun: str) -> str:
    """Return how many of something: "1 row", "3 rows"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def size(size_bytes: int | None) -> str:
    """Return a size: "0 B", "950 B", "1.2 KiB", "34 MiB"."""
    if size_bytes is None:
        return UNKNOWN
    return (
        f"{size_bytes} B" if size_bytes < 1000 else _short(size_bytes, 1024, (" KiB", " MiB", " GiB", " TiB"))
    )


def _short(number: float, step: int, units: tuple[str, ...]) -> str:
    for unit in units:
        number /= step
        if number < 999.5 or unit == units[-1]:
            break
    return f"{number:.1f}{unit}" if number < 9.95 else f"{number:.0f}{unit}"


def daemon_name(view: DaemonView) -> str:
    """Return what a daemon is called: what it is, and its own name."""
    return printable(f"{view.kind} {view.called}")


def site_state(site: SiteView, now: float) -> str:
    """Return a site's state in words: "connected", "gone for 5 min", "paused, 45 s" (so long still), "never seen"."""
    gone_s = site.gone_now(now)
    if gone_s is not None:
        return f"gone for {age(gone_s)}"
    paused_s = site.paused_left_now(now)
    if site.state is SiteState.PAUSED and paused_s is not None:
        return f"paused, {left(paused_s)}"
    return site.state_words if site.state is SiteState.GONE else str(site.state)


def feed_words(model: Model, daemon: str, now: float) -> str:
    """Return how it is with the connection to a daemon, and for how long: "" while all is well."""
    feed = model.feeds[daemon]
    if feed.state is FeedState.LIVE:
        return ""
    words = f"{feed.words}, for {age(now - feed.at)}"
    if feed.heard_at is not None:
        words += f"; what is shown is {age(now - feed.heard_at)} old"
    if feed.retry_at is not None:
        words += f"; tried again in {age(feed.retry_at - now)}"
    return words


def versions_words(site: SiteView) -> str:
    """Return the versions of a site's software and protocol, and those of its hub where they are others; "" if unknown."""
    if not site.software:
        return ""
    words = f"{site.software}, protocol {site.protocol}"
    if site.differs:
        words += f"; its hub has {site.hub_software}, protocol {site.hub_protocol}"
    return words


def limit_line(view: DaemonView, limit: Limit, now: float) -> str:
    """Return a limit as it holds: what it is, what the config says if that is another, and how long it is so still."""
    words = _limit(limit.value)
    if limit.is_changed:
        words += f" (configured: {_limit(limit.configured)})"
    left_s = view.left(limit.until_utc, now)
    return printable(words if left_s is None else f"{words}, {left(left_s)} left")


def _limit(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_limit(one)}" for name, one in value.items())
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def log_line(row: LogRow) -> str:
    """Return a line of a log on one line, with when and how severe."""
    return printable(f"{row.at_text} {row.level:8}{log_text(row)}".strip())


def log_text(row: LogRow) -> str:
    """Return what a line of a log says, on one line."""
    said = " ".join(f"{key}={value}" for key, value in row.said.items() if key not in ("logger", "exception"))
    failure = row.said.get("exception")
    if failure:
        said += f" exception={str(failure).strip().splitlines()[-1]}"
    return printable(f"{row.event} {said}".strip())


def utc_day(utc: float) -> str:
    """Return a moment with its day: "2026-11-21 14:05:09", UTC."""
    return datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%d %H:%M:%S")


def utc_time(utc: float) -> str:
    """Return a moment of today: "14:05:09", UTC."""
    return utc_day(utc)[11:]


def printable(text: str) -> str:
    """Return a text that cannot move a terminal's cursor: what is shown holds what strangers wrote."""
    if text.isprintable():
        return text
    return "".join(
        char if char == " " or unicodedata.category(char)[0] not in "CZ" else f"\\u{ord(char):04x}"
        for char in text
    )
