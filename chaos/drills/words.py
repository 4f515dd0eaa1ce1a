"""Figures for people, the same in every report."""

__all__ = ["clock", "figure"]


def figure(value: float | None, unit: str = "") -> str:
    """Return a figure with its unit: three digits where there are decimals; "unknown" for None."""
    if value is None:
        return "unknown"
    if value == int(value) and abs(value) < 1e15:
        text = str(int(value))
    elif abs(value) < 0.01:
        text = f"{value:.2g}"
    else:
        text = f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{text} {unit}".rstrip()


def clock(at_s: float | None) -> str:
    """Return a moment of a drill: "12.5 s" in the first two minutes, "7:05" and "1:07:05" then."""
    if at_s is None:
        return "never"
    if at_s < 120:
        return figure(round(at_s, 1), "s")
    minutes, seconds = divmod(round(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
