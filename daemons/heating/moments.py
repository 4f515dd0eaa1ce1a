"""Moments as people say them, in a house's own time."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

__all__ = ["read_moment"]

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\S+))?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(m|min|h|d)")
_UNITS_S = {"m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def read_moment(text: str, now: float, zone: ZoneInfo) -> float:
    """Return what is meant, in UTC seconds: "22:00" (the next one), "2026-12-24", "2026-12-24 18:00", or "90m", "8h",
    "3d" from `now` on.

    A time that a change of clocks leaves out is the one after it; of one that comes twice it is the first. Raises
    ValueError, in words.
    """
    said = text.strip()
    if found := _SPAN.fullmatch(said):
        return now + float(found[1]) * _UNITS_S[found[2]]
    if found := _TIME.fullmatch(said):
        here = datetime.fromtimestamp(now, zone)
        then = _at(here.replace(tzinfo=None), int(found[1]), int(found[2]), zone)
        if then <= now:
            then = _at(here.replace(tzinfo=None) + timedelta(days=1), int(found[1]), int(found[2]), zone)
        return then
    if found := _DAY.fullmatch(said):
        try:
            day = datetime.strptime(found[1], "%Y-%m-%d")
        except ValueError:
            raise ValueError(f"there is no day {found[1]}") from None
        time = _TIME.fullmatch(found[2] or "00:00")
        if time is not None:
            return _at(day, int(time[1]), int(time[2]), zone)
    raise ValueError(f"{said[:40]!r} is no time: write 22:00, 2026-12-24 18:00, 90m, 8h or 3d")


def _at(day: datetime, hour: int, minute: int, zone: ZoneInfo) -> float:
    local = day.replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=zone)
    return local.astimezone(UTC).timestamp()
