"""Durations that were told at one moment and have gone on since; what is not known stays so."""

__all__ = ["grown", "run_down"]


def grown(told_s: float | None, at: float, now: float) -> float | None:
    """Return how long something is now that was so long at the moment `at`: ages grow."""
    return None if told_s is None else told_s + max(0.0, now - at)


def run_down(told_s: float | None, at: float, now: float) -> float | None:
    """Return what is left now of what was left at the moment `at`; never below 0."""
    return None if told_s is None else max(0.0, told_s - max(0.0, now - at))
