"""Live traces: channels under each other, the newest at the right, each with its name and value at the left."""

from collections.abc import Sequence

from attrs import frozen
from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip

from tui.app.linewidget import LineWidget
from tui.app.looks import HEADING, NO_STYLE, Kind
from tui.app.markers import Dots
from tui.app.plots import Plot, Scale, Series

__all__ = ["LABEL", "Band", "Traces"]

LABEL = 10
"""Cells at the left, for name and value."""

ROWS_MIN = 3
"""Rows that a band takes at least. What does not fit is left out, the last first."""

STEP_S = 1.0
"""How often the picture moves; between that it grows."""

_MARKED = HEADING + Style(reverse=True)


@frozen
class Band:
    """One channel. `style`: of its curve, one of the terminal's colours."""

    channel: str
    title: str
    scale: Scale
    style: Style


@frozen
class _Placed:
    band: Band
    plot: Plot
    y: int


class Traces(LineWidget, can_focus=True):
    """Curves of `window_s` seconds. What it costs depends on what has changed, and not on the sample rate.

    Where nothing is known, nothing is drawn; a gap stays a gap.
    """

    DEFAULT_CSS = "Traces { height: 1fr; width: 1fr; }"

    def __init__(self, bands: Sequence[Band], dots: Dots, *, window_s: float = 20.0) -> None:
        super().__init__()
        self._bands = tuple(bands)
        self._dots = dots
        self._window_s = window_s
        self._placed: list[_Placed] = []
        self._hz = 0.0
        self._series: Series | None = None
        self._values: dict[str, str] = {}

    def show(self, series: Series, hz: float, values: dict[str, str]) -> None:
        """Show these samples, and beside each curve its value as a text; only what has changed is painted."""
        if series is not self._series or hz != self._hz:
            self._series, self._hz, self._values = series, hz, values
            self._place()
            return
        dirty = []
        for placed in self._placed:
            before = placed.plot.rows
            begin, end = placed.plot.update(series)
            rows = enumerate(zip(before, placed.plot.rows, strict=True), placed.y)
            dirty += [Region(LABEL + begin, y, end - begin, 1) for y, (old, new) in rows if old != new]
            channel = placed.band.channel
            if values.get(channel) != self._values.get(channel):
                dirty.append(Region(0, placed.y + 1, LABEL, 1))
        self._values = values
        self.refresh_all(dirty)

    def on_resize(self, event: events.Resize) -> None:
        """Lay the bands out anew."""
        self._place()

    def on_focus(self) -> None:
        """Its names say that it has the keys."""
        self.refresh()

    def on_blur(self) -> None:
        """Its names say so."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a line as it is drawn."""
        for placed in self._placed:
            row = y - placed.y
            if 0 <= row < placed.plot.height:
                label = self._label(placed, row)
                curve = Segment(placed.plot.rows[row], placed.band.style)
                return Strip([label, curve], LABEL + placed.plot.width)
        width = self.size.width
        if y == self.size.height - 1:
            return Strip([Segment(self._axis(), Kind.DIM.style)]).crop_extend(0, width, NO_STYLE)
        return Strip.blank(width, NO_STYLE)

    @property
    def _plot_width(self) -> int:
        return max(0, self.size.width - LABEL)

    def _label(self, placed: _Placed, row: int) -> Segment:
        if row == 0:
            style = _MARKED if self.has_focus else HEADING
            return Segment(set_cell_size(placed.band.title, LABEL), style)
        text = self._values.get(placed.band.channel, "") if row == 1 else ""
        return Segment(set_cell_size(text, LABEL), NO_STYLE)

    def _axis(self) -> str:
        return " " * LABEL + f"{self._span_s:.0f} s ago".ljust(max(0, self._plot_width - 3)) + "now"

    @property
    def _span_s(self) -> float:
        """How much time there is from the left to the right."""
        if not self._placed:
            return self._window_s
        return self._placed[0].plot.per_cell * self._plot_width / self._hz

    def _place(self) -> None:
        """Give every band that fits its rows."""
        width, height = self._plot_width, self.size.height - 1
        self._placed = []
        count = min(len(self._bands), max(1, height // ROWS_MIN))
        if self._series is not None and height > 0 and width > 0:
            per_dot = max(1, round(self._window_s * self._hz / (width * self._dots.wide)))
            step = max(1, min(width // 4, round(STEP_S * self._hz / (per_dot * self._dots.wide))))
            y = 0
            for at, band in enumerate(self._bands[:count]):
                rows = (height - y) // (count - at)
                plot = Plot(self._dots, width, rows, band.channel, band.scale, per_dot, step)
                plot.update(self._series)
                self._placed.append(_Placed(band, plot, y))
                y += rows
        self.refresh()
