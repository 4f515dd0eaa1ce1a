"""FPVTrackside's written form of time.

A DateTime is local time without a zone, the hour not padded, the fraction without trailing zeros
(`2025/09/05 3:31:56.33`); "none" is the first day of the year 1. A TimeSpan is `[-][d.]hh:mm:ss[.fffffff]`.
Source: FPVTracksideCore `DB/JSON`, as gathered in the domain notes.
"""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

__all__ = ["event_zone", "read_datetime", "read_timespan", "read_zone", "to_utc", "utc_text"]

_DATETIME = re.compile(
    r"([0-9]{4})[/-]([0-9]{1,2})[/-]([0-9]{1,2})[ T]([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
)
_TIMESPAN = re.compile(r"(-)?(?:([0-9]{1,8})\.)?([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2}(?:\.[0-9]{1,9})?))?")
_FIRST_REAL_YEAR = 1900
_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")


def read_datetime(text: str) -> datetime | None:
    """Read a zone-less local DateTime; None for "none" (a year before 1900). ValueError when it is
    neither."""
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise ValueError("not a date and time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if year < _FIRST_REAL_YEAR:
        return None
    micros = int((match[7] or "0").ljust(6, "0")[:6])
    return datetime(year, month, day, hour, minute, second, micros)


def read_timespan(text: str) -> float:
    """Read a TimeSpan, in seconds. ValueError when it is none."""
    match = _TIMESPAN.fullmatch(text)
    if match is None:
        raise ValueError("not a length of time")
    minus, days, hours, minutes, seconds = match.groups()
    total = int(days or 0) * 86_400 + int(hours) * 3_600 + int(minutes) * 60 + float(seconds or 0)
    return -total if minus else total


def event_zone(time_zone: str | None, site_zone: tzinfo | None) -> tzinfo | None:
    """Return the zone of an event's times: the one it names, else the site's. Before 2025-10-15 none is named."""
    return read_zone(time_zone) or site_zone


def read_zone(name: str | None) -> tzinfo | None:
    """Return the zone of an IANA name, or None when there is none or this machine does not know it."""
    if not name or not _ZONE_NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or a folder of the zone database
        return None


def to_utc(local: datetime | None, zone: tzinfo | None) -> datetime | None:
    """Return the instant of a zone-less local time, or None when either is unknown.

    An hour that occurs twice (autumn) is taken as its first occurrence.
    """
    if local is None or zone is None:
        return None
    try:
        return local.replace(tzinfo=zone).astimezone(UTC)
    except (OverflowError, ValueError):  # the edge of the calendar
        return None


def utc_text(instant: datetime | None) -> str | None:
    """Return an instant as `2025-01-29T18:11:09.495Z`, the form that every browser reads."""
    if instant is None:
        return None
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
