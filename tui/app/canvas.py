"""A canvas of dots, read as rows of cells; and a column of cells out of spans of dots. Knows no widget and no colour."""

from collections.abc import Sequence

from attrs import define, field

from tui.app.markers import Dots

__all__ = ["Canvas", "Span", "column", "line_point"]

Dot = tuple[int, int]
Span = tuple[int, int] | None
"""Dots from one row to another, both counted from the top and drawn; None: nothing."""


def column(dots: Dots, spans: Sequence[Span], height: int) -> str:
    """Return one column of cells, from the top, `height` of them: a span for each of its columns of dots."""
    patterns = [0] * height
    high, all_of = dots.high, (1 << dots.high) - 1
    for x, span in enumerate(spans):
        if span is None:
            continue
        bits = ((2 << (span[1] - span[0])) - 1) << span[0]
        for row in range(span[0] // high, span[1] // high + 1):
            patterns[row] |= (bits >> (row * high) & all_of) << (x * high)
    return "".join(map(dots.chars.__getitem__, patterns))


def line_point(begin: Dot, end: Dot, share: float) -> Dot:
    """Return the dot of a straight line that lies so far along it, 0 to 1: one of those that `Canvas.line` draws."""
    steps = _steps(begin, end)
    step = round(share * steps)
    return (
        begin[0] + round((end[0] - begin[0]) * step / steps),
        begin[1] + round((end[1] - begin[1]) * step / steps),
    )


def _steps(begin: Dot, end: Dot) -> int:
    return max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)


@define(eq=False)
class Canvas:
    """`width` by `height` cells. Dots are counted from the top left; what lies outside is not drawn."""

    dots: Dots
    width: int
    height: int
    _rows: list[bytearray] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rows = [bytearray(self.width) for _ in range(self.height)]

    def plot(self, x: int, y: int) -> None:
        """Draw a dot."""
        cell, within = divmod(x, self.dots.wide)
        row, at = divmod(y, self.dots.high)
        if 0 <= cell < self.width and 0 <= row < self.height:
            self._rows[row][cell] |= 1 << (within * self.dots.high + at)

    def line(self, x: int, y: int, to_x: int, to_y: int) -> None:
        """Draw a straight line, without gaps, both ends with it."""
        steps = _steps((x, y), (to_x, to_y))
        for step in range(steps + 1):
            self.plot(*line_point((x, y), (to_x, to_y), step / steps))

    def rows(self) -> list[str]:
        """Return the rows, from the top, each `width` characters."""
        return ["".join(map(self.dots.chars.__getitem__, row)) for row in self._rows]
