"""Moments as a house's or a team's own clocks show them."""

from datetime import UTC, datetime

__all__ = ["clock"]


def clock(utc: float | None, offset_s: float, *, day_of: float | None = None) -> str:
    """Return hours and minutes, with the day's name when it is another than that of `day_of`; "-" for no moment."""
    if utc is None:
        return "-"
    at = datetime.fromtimestamp(utc + offset_s, UTC)
    is_other = day_of is not None and datetime.fromtimestamp(day_of + offset_s, UTC).date() != at.date()
    return at.strftime("%a %H:%M" if is_other else "%H:%M")
