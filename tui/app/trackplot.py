"""A track as rows of text, and where on them a car is."""

import math
from collections.abc import Sequence

from attrs import define, field

from tui.app.canvas import Canvas, line_point
from tui.app.markers import Dots

__all__ = ["TrackPlot"]

Point = tuple[float, float]


@define(eq=False)
class TrackPlot:
    """A closed line through points at equal steps of track position, east and north, as large as it fits into `width` by
    `height` cells, north at the top. It is drawn once."""

    dots: Dots
    width: int
    height: int
    points: Sequence[Point]
    rows: list[str] = field(init=False)
    _left: float = field(init=False)
    _top: float = field(init=False)
    _scale: float = field(init=False)  # columns of dots for a step to the east
    _margin: Point = field(init=False)

    def __attrs_post_init__(self) -> None:
        canvas = Canvas(self.dots, self.width, self.height)
        if self.points:
            self._fit()
            dots = [self._dot(point) for point in self.points]
            for (x, y), (to_x, to_y) in zip(dots, dots[1:] + dots[:1], strict=True):
                canvas.line(x, y, to_x, to_y)
        self.rows = canvas.rows()

    def cell(self, position: float) -> tuple[int, int] | None:
        """Return the cell, column and row, of a place on the track, 0 to 1; None without a track."""
        if not self.points:
            return None
        count = len(self.points)
        at = (position % 1.0) * count
        here, share = int(at) % count, at - math.floor(at)
        x, y = line_point(self._dot(self.points[here]), self._dot(self.points[(here + 1) % count]), share)
        return x // self.dots.wide, y // self.dots.high

    def _fit(self) -> None:
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        self._left, self._top = min(xs), max(ys)
        east, south = max(xs) - self._left, self._top - min(ys)
        columns, rows = self.width * self.dots.wide - 1, self.height * self.dots.high - 1
        fits = [columns / east] if east > 0 else []
        fits += [rows * self.dots.aspect / south] if south > 0 else []
        self._scale = max(0.0, min(fits, default=0.0))
        self._margin = (
            (columns - east * self._scale) / 2,
            (rows - south * self._scale / self.dots.aspect) / 2,
        )

    def _dot(self, point: Point) -> tuple[int, int]:
        x = self._margin[0] + (point[0] - self._left) * self._scale
        y = self._margin[1] + (self._top - point[1]) * self._scale / self.dots.aspect
        return round(x), round(y)
