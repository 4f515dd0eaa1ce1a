"""A map of the track with cars on it: the track is drawn when it or the room for it changes, else only cars move."""

from collections.abc import Sequence

from attrs import frozen
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip

from tui.app.linewidget import LineWidget
from tui.app.looks import NO_STYLE, Kind
from tui.app.markers import Dots
from tui.app.trackplot import Point, TrackPlot

__all__ = ["MapCar", "TrackMap"]

START = "|"


@frozen
class MapCar:
    """A car: where on the track, 0 to 1, and the few letters that stand for it."""

    where: float
    label: str
    is_ours: bool = False

    @property
    def style(self) -> Style:
        return _OURS if self.is_ours else _OTHER


_OURS = Style(bold=True, reverse=True)
_OTHER = Style(bold=True)
_TRACK = Style(color="blue")


class TrackMap(LineWidget, can_focus=True):
    """The map. Of cars that are in one place, the one told first is on top; ours is on top of all."""

    DEFAULT_CSS = "TrackMap { height: 1fr; width: 1fr; }"

    def __init__(self, dots: Dots) -> None:
        super().__init__()
        self._dots = dots
        self._points: Sequence[Point] = ()
        self._track = ""
        self._cars: tuple[MapCar, ...] = ()
        self._plot = TrackPlot(dots, 0, 0, ())
        self._rows: list[dict[int, tuple[str, Style]]] = []

    def show(self, name: str, points: Sequence[Point], cars: Sequence[MapCar]) -> None:
        """Show this track and these cars, those ahead first."""
        now = tuple(cars)
        if points is not self._points or name != self._track:
            self._points, self._track, self._cars = points, name, now
            self._draw()
        elif now != self._cars:
            self._cars = now
            self._move()

    def on_resize(self, event: events.Resize) -> None:
        """Draw the track anew."""
        self._draw()

    def on_focus(self) -> None:
        """Its name says that it has the keys."""
        self.refresh(Region(0, 0, self.size.width, 1))

    def on_blur(self) -> None:
        """Its name says so."""
        self.refresh(Region(0, 0, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Return a line as it is drawn: the track's name, then the track."""
        width = self.size.width
        if y == 0:
            style = Kind.STRONG.style + Style(reverse=self.has_focus)
            return Strip([Segment(self._track[:width], style)]).crop_extend(0, width, NO_STYLE)
        if y > len(self._rows):
            return Strip.blank(width, NO_STYLE)
        row, segments, x = self._plot.rows[y - 1], [], 0
        for at, (char, style) in sorted(self._rows[y - 1].items()):
            if at > x:
                segments.append(Segment(row[x:at], _TRACK))
            segments.append(Segment(char, style))
            x = at + 1
        segments.append(Segment(row[x:], _TRACK))
        return Strip(segments).crop_extend(0, width, NO_STYLE)

    def _draw(self) -> None:
        width, height = self.size.width, max(0, self.size.height - 1)
        self._plot = TrackPlot(self._dots, width, height, self._points)
        self._rows = self._placed()
        self.refresh()

    def _move(self) -> None:
        before, self._rows = self._rows, self._placed()
        dirty = [
            Region(x, y + 1, 1, 1)
            for y, (old, new) in enumerate(zip(before, self._rows, strict=True))
            if old != new
            for x in old.keys() | new.keys()
            if old.get(x) != new.get(x)
        ]
        self.refresh_all(dirty)

    def _placed(self) -> list[dict[int, tuple[str, Style]]]:
        """Return what stands over the track: in each row, by column, a letter and its style."""
        rows: list[dict[int, tuple[str, Style]]] = [{} for _ in range(self._plot.height)]
        start = self._plot.cell(0.0)
        if start is not None and rows:
            self._put(rows, start, START, Kind.DIM.style)
        ours = [car for car in self._cars if car.is_ours]
        for car in (*reversed(self._cars), *ours):
            at = self._plot.cell(car.where)
            if at is not None:
                self._put(rows, at, car.label, car.style)
        return rows

    def _put(
        self, rows: list[dict[int, tuple[str, Style]]], at: tuple[int, int], text: str, style: Style
    ) -> None:
        x, y = at
        x = max(0, min(x, self._plot.width - len(text)))
        if not 0 <= y < len(rows):
            return
        for char in text:
            rows[y][x] = (char, style)
            x += 1
