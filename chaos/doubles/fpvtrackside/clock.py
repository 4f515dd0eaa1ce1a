"""The laptop's clock, and the three ways in which FPVTrackside writes time.

DateTime is `yyyy/MM/dd H:mm:ss.FFF` (FTC `DB/JSON`): local, without a zone, the hour not padded, trailing
zeros of the fraction dropped and the dot with them. TimeSpan is `[-][d.]hh:mm:ss[.fffffff]`. Notifications
carry ISO 8601 UTC.
"""

import re
from datetime import UTC, datetime, timedelta

import trio

__all__ = ["NO_TIME", "EventClock", "format_iso", "format_local", "format_span", "parse_local"]

NO_TIME = "0001/01/01 0:00:00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,7}))?")


def _instant(utc_s: float) -> datetime:
    return _EPOCH + timedelta(milliseconds=round(utc_s * 1000))


def format_local(utc_s: float, offset_s: float) -> str:
    """Write an instant (UTC seconds) as FPVTrackside does on a laptop `offset_s` east of UTC."""
    local = _instant(utc_s + offset_s)
    fraction = f".{local.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return f"{local:%Y/%m/%d} {local.hour}:{local:%M:%S}{fraction}"


def parse_local(text: str) -> float | None:
    """Read a DateTime as seconds since 1970 of its own, unnamed zone; None for "none" (year 1).

    Raises ValueError for anything else.
    """
    match = _LOCAL.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time of FPVTrackside: {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if year == 1:
        return None
    whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return (whole - _EPOCH).total_seconds() + float(f"0.{match[7] or 0}")


def format_span(duration_s: float) -> str:
    """Write a TimeSpan."""
    ticks = round(abs(duration_s) * 10_000_000)
    seconds, fraction = divmod(ticks, 10_000_000)
    days, rest = divmod(seconds, 86_400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    sign = "-" if duration_s < 0 and ticks else ""
    return sign + (f"{days}." if days else "") + text + (f".{fraction:07d}" if fraction else "")


def format_iso(utc_s: float) -> str:
    """Write an instant as the notifications do: ISO 8601, UTC, milliseconds, `Z`."""
    return f"{_instant(utc_s):%Y-%m-%dT%H:%M:%S}.{_instant(utc_s).microsecond // 1000:03d}Z"


class EventClock:
    """Tell the event's time: `start_utc_s` when first asked, from then on `speed` seconds a second of the
    Trio clock.

    At any speed but 1 the times in the files run ahead of the wall clock, so that laps keep their plausible
    lengths.
    """

    def __init__(self, start_utc_s: float, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self.start_utc_s = start_utc_s
        self.speed = speed
        self._began_at: float | None = None

    def now(self) -> float:
        """Return the event's time in UTC seconds."""
        if self._began_at is None:
            self._began_at = trio.current_time()
        return self.start_utc_s + (trio.current_time() - self._began_at) * self.speed

    async def sleep_until(self, utc_s: float) -> None:
        """Wait until the event's time is `utc_s`; a checkpoint when that is past."""
        await trio.sleep(max(0.0, utc_s - self.now()) / self.speed)

    async def sleep(self, duration_s: float) -> None:
        """Wait that many seconds of the event's time."""
        await trio.sleep(duration_s / self.speed)
