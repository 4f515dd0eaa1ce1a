"""The arithmetic of a timeline: where a moment lies, which ticks to write, how many points are worth drawing."""

import math
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from chaos.drills.record import FaultRun

__all__ = ["Lane", "Scale", "band_path", "columns_of", "line_path", "nice_ceiling", "steps_of"]

_TICKS_S: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
TICKS_MAX: Final = 12

Column = tuple[float, tuple[float, float] | None]
"""Where it lies, and the least and most that was seen there; None: nothing is known."""


@frozen
class Lane:
    """A row of bars."""

    name: str
    runs: tuple[FaultRun, ...]


@frozen
class Scale:
    """Seconds from 0 to `length_s` between two places on paper."""

    length_s: float
    left: float
    right: float

    def x(self, at_s: float) -> float:
        return self.left + (self.right - self.left) * min(max(at_s / self.length_s, 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Return round moments, twelve at most."""
        step = next(
            (tick for tick in _TICKS_S if self.length_s / tick <= TICKS_MAX), self.length_s / TICKS_MAX
        )
        return [number * step for number in range(int(self.length_s / step) + 1)]


def nice_ceiling(most: float, least: float = 1.0) -> float:
    """Return the round number at or above `most`; `least`: when that is not more."""
    if most <= least:
        return least
    power = 10.0 ** math.floor(math.log10(most))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= most * (1 - 1e-9))


def columns_of(points: Sequence[tuple[float, float | None]], scale: Scale) -> list[Column]:
    """Return the points as columns of a pixel's width: peaks stay, however many points there are."""
    found: list[Column] = []
    for at_s, value in points:
        x = round(scale.x(at_s))
        span = None if value is None else (value, value)
        before = found[-1] if found else None
        if before is None or before[0] != x or (before[1] is None) != (span is None):
            found.append((x, span))
        elif span is not None and before[1] is not None:
            found[-1] = (x, (min(before[1][0], span[0]), max(before[1][1], span[1])))
    return found


def line_path(columns: Sequence[Column], limit: float, y: float, height: float) -> str:
    """Return a line through all columns as SVG's path data; it is broken where nothing is known."""
    parts, pen_is_down = [], False
    for x, span in columns:
        if span is None:
            pen_is_down = False
            continue
        least, most = span
        parts.append(f"{'L' if pen_is_down else 'M'}{x:g} {_at(most, limit, y, height)}")
        if least != most:
            parts.append(f"L{x:g} {_at(least, limit, y, height)}")
        pen_is_down = True
    return "".join(parts)


def band_path(columns: Sequence[Column], limit: float, y: float, height: float) -> str:
    """Return the area below the line."""
    parts: list[str] = []
    run: list[tuple[float, float]] = []
    for x, span in [*columns, (0.0, None)]:
        if span is not None:
            run.append((x, span[1]))
        elif run:
            top = "".join(f"L{at:g} {_at(value, limit, y, height)}" for at, value in run)
            parts.append(f"M{run[0][0]:g} {y + height:g}{top}L{run[-1][0]:g} {y + height:g}Z")
            run = []
    return "".join(parts)


def _at(value: float, limit: float, y: float, height: float) -> str:
    return f"{y + height * (1 - min(value / limit, 1.0)):.1f}"


def steps_of(states: Sequence[tuple[float, bool | None]], end_s: float) -> list[tuple[float, float, bool]]:
    """Return the stretches in which a state was the same: from, until, state. What is not known is left out."""
    found: list[tuple[float, float, bool]] = []
    for index, (from_s, state) in enumerate(states):
        until_s = states[index + 1][0] if index + 1 < len(states) else max(end_s, from_s)
        if state is None:
            continue
        if found and found[-1][2] is state and found[-1][1] == from_s:
            found[-1] = (found[-1][0], until_s, state)
        else:
            found.append((from_s, until_s, state))
    return found
