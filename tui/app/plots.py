"""One channel over time as rows of text, kept while it scrolls: only what is new is drawn, whatever the sample rate."""

import math
from collections.abc import Sequence
from typing import Protocol

from attrs import define, field, frozen

from tui.app.canvas import Span, column
from tui.app.markers import Dots

__all__ = ["Plot", "Scale", "Series", "spread"]


class Series(Protocol):
    """Values by tick, the newest last. NaN: none. `epoch` moves when the ticks begin anew."""

    @property
    def epoch(self) -> int:
        """Which beginning this is."""

    @property
    def end(self) -> int:
        """The tick after the newest."""

    def of(self, channel: str, begin: int, end: int) -> Sequence[float]:
        """Return those of `begin` to before `end` that are there."""


@frozen
class Scale:
    """Values from `low` to `high` on rows of dots; `step`: by how much it grows when a value lies outside."""

    low: float
    high: float
    step: float = 0.0

    def row(self, value: float, rows: int) -> int:
        """Return the row of a value, from the top; of one that lies outside, the nearest."""
        share = (self.high - value) / (self.high - self.low)
        return max(0, min(rows - 1, round(share * (rows - 1))))

    def with_(self, value: float) -> "Scale":
        """Return a scale on which the value lies too: this one, or one that has grown by whole steps."""
        if not self.step or self.low <= value <= self.high:
            return self
        if value > self.high:
            steps = math.ceil((value - self.high) / self.step)
            return Scale(self.low, self.high + steps * self.step, self.step)
        steps = math.ceil((self.low - value) / self.step)
        return Scale(self.low - steps * self.step, self.high, self.step)


def spread(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the smallest and the largest; None when there is none."""
    known = [value for value in values if value == value]
    return (min(known), max(known)) if known else None


@define(eq=False)
class Plot:
    """A channel's curve on `width` by `height` cells, the newest at the right.

    Each column of dots stands for `per_dot` ticks, and reaches from the smallest to the largest value in them, so that no
    peak is lost. It moves to the left by `step` cells at once, and between that grows at the right: a picture that moves
    all the time would have to be painted whole, and is harder to read.
    """

    dots: Dots
    width: int
    height: int
    channel: str
    scale: Scale
    per_dot: int
    step: int = 1
    rows: list[str] = field(init=False)
    _epoch: int = 0
    _head: int | None = None  # the cell that the newest tick lies in, counted from tick 0

    def __attrs_post_init__(self) -> None:
        self.rows = [" " * self.width] * self.height

    @property
    def per_cell(self) -> int:
        return self.per_dot * self.dots.wide

    def update(self, series: Series) -> tuple[int, int]:
        """Draw what is new. Return from which column of cells to before which it has changed."""
        if series.end <= 0 or not self.width:
            return 0, 0
        head = (series.end - 1) // self.per_cell
        oldest, before = self._oldest(head), self._head
        if series.epoch != self._epoch or before is None or not 0 <= head - before < self.width:
            before = None
        first = oldest if before is None else max(before, oldest)
        reach = spread(series.of(self.channel, first * self.per_cell, series.end))
        if reach is not None:
            scale = self.scale.with_(reach[0]).with_(reach[1])
            if scale != self.scale:
                self.scale, first, before = scale, oldest, None
        kept = slice(0, 0)
        if before is not None:
            was = self._oldest(before)
            kept = slice(oldest - was, first - was)
        drawn = [self._column(series, cell) for cell in range(first, head + 1)]
        self.rows = [
            (row[kept] + "".join(cells[y] for cells in drawn)).ljust(self.width)
            for y, row in enumerate(self.rows)
        ]
        self._epoch, self._head = series.epoch, head
        is_moved = before is None or self._oldest(before) != oldest
        return (0, self.width) if is_moved else (first - oldest, head - oldest + 1)

    def _oldest(self, head: int) -> int:
        """Return the cell at the left end while the newest tick lies in this one."""
        return (head // self.step + 1) * self.step - self.width

    def _column(self, series: Series, cell: int) -> str:
        begin = cell * self.per_cell
        spans = [self._span(series, begin + x * self.per_dot) for x in range(self.dots.wide)]
        return column(self.dots, spans, self.height)

    def _span(self, series: Series, begin: int) -> Span:
        """Return the dots of one column: with the value before it, where the curve comes from."""
        reach = spread(series.of(self.channel, begin, begin + self.per_dot))
        if reach is None:
            return None
        low, high = spread([*reach, *series.of(self.channel, begin - 1, begin)]) or reach
        rows = self.height * self.dots.high
        return self.scale.row(high, rows), self.scale.row(low, rows)
