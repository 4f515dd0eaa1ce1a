"""Temperatures, spans and times as the owner of a house reads them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from daemons.heating.settings import Target

__all__ = ["DAYS", "degrees", "local_time", "span", "target_words", "week_time"]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def degrees(celsius: float | None) -> str:
    """Return "19.4", or "unknown"."""
    return "unknown" if celsius is None else f"{celsius:.1f}"


def span(seconds: float) -> str:
    """Return "2 min 10 s", "3 h", "2 days"; of two units at most."""
    whole = max(0, round(seconds))
    for size, name, small, small_name in (
        (86_400, "day", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            many, rest = whole // size, whole % size // small
            plural = "s" if name == "day" and many > 1 else ""
            return f"{many} {name}{plural}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"


def local_time(utc: float, zone: ZoneInfo, now: float | None = None) -> str:
    """Return "06:42"; with `now`, and more than half a day from it, "Tue 06:42", and more than six days "24 Dec 06:42"."""
    then = datetime.fromtimestamp(utc, zone)
    if now is None or abs(utc - now) < 43_200:
        return f"{then:%H:%M}"
    return f"{DAYS[then.weekday()]} {then:%H:%M}" if abs(utc - now) < 6 * 86_400 else f"{then:%d %b %H:%M}"


def week_time(minute: int, today: int) -> str:
    """Return "06:00", or "Mon 06:00" for another day than `today`, of a minute of the week."""
    day, rest = divmod(minute, 1440)
    text = f"{rest // 60:02}:{rest % 60:02}"
    return text if day == today else f"{DAYS[day]} {text}"


def target_words(target: Target) -> str:
    """Return "21.5" or "on"."""
    return ("on" if target.is_on else "off") if target.celsius is None else degrees(target.celsius)
