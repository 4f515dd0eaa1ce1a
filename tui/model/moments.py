"""Moments as a house's or a team's own clocks show them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from tui.model.checked import moment

__all__ = ["ByOwnClocks", "clock", "utc_ahead"]


@frozen(kw_only=True)
class ByOwnClocks:
    """What a daemon tells whole each time, with clocks of its own. `at`: when that was, monotonic; `utc_ahead_s`: its UTC
    less that; `offset_s`: its clocks' time less UTC, now."""

    daemon: str
    at: float
    utc_ahead_s: float | None = None
    offset_s: float = 0.0

    def utc(self, now: float) -> float | None:
        """Return its UTC at the monotonic moment `now`."""
        return None if self.utc_ahead_s is None else now + self.utc_ahead_s


def utc_ahead(told: Mapping[str, Any], now: float) -> float | None:
    """Return what is told as `now`, less the monotonic moment at which it was told. Raises ValueError."""
    utc = moment(told, "now")
    return None if utc is None else utc - now


def clock(utc: float | None, offset_s: float, *, day_of: float | None = None) -> str:
    """Return hours and minutes, with the day's name when it is another than that of `day_of`; "-" for no moment."""
    if utc is None:
        return "-"
    at = datetime.fromtimestamp(utc + offset_s, UTC)
    is_other = day_of is not None and datetime.fromtimestamp(day_of + offset_s, UTC).date() != at.date()
    return at.strftime("%a %H:%M" if is_other else "%H:%M")
