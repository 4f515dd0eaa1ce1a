"""Times of a race as people write them; "-" for what is not known."""

from tui.model.words import UNKNOWN, counted

__all__ = ["gap", "lap_time"]


def lap_time(seconds: float | None) -> str:
    """Return a lap's time: "1:31.204", "48.310"."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(max(0.0, seconds) * 1000), 60_000)
    return f"{minutes}:{rest / 1000:06.3f}" if minutes else f"{rest / 1000:.3f}"


def gap(seconds: float | None, laps: int | None) -> str:
    """Return a gap: "+1.2", "+1:02.5", "+2 laps"."""
    if laps:
        return f"+{counted(laps, 'lap')}"
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds * 10), 600)
    return f"+{minutes}:{rest / 10:04.1f}" if minutes else f"+{rest / 10:.1f}"
