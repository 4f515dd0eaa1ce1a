"""Page 3: the car that is driven now: traces, where everybody is, gaps and sectors, fuel and tyres."""

from collections.abc import Mapping, Sequence

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget

from tui.app.desk import Desk
from tui.app.linetable import LineTable
from tui.app.looks import Cell, Kind, Row
from tui.app.markers import dots_of
from tui.app.oneline import OneLine
from tui.app.panes import ServiceView, freshness
from tui.app.plots import Scale
from tui.app.telemetry_rows import COLUMNS, car_cells, car_rows, map_cars, tyre_cells
from tui.app.traces import Band, Traces
from tui.app.trackmap import TrackMap
from tui.model.telemetry import CarView, TelemetryView
from tui.model.words import printable

__all__ = ["BANDS", "TelemetryPage"]

BANDS = (
    Band("speed_kmh", "speed", Scale(0.0, 300.0, 50.0), Style(color="cyan")),
    Band("throttle", "throttle", Scale(0.0, 1.0), Style(color="green")),
    Band("brake", "brake", Scale(0.0, 1.0), Style(color="red")),
    Band("steering_deg", "steering", Scale(-90.0, 90.0, 90.0), Style(color="yellow")),
    Band("rpm", "rpm", Scale(0.0, 8000.0, 1000.0), Style(color="magenta")),
    Band("gear", "gear", Scale(-1.0, 6.0, 1.0), Style(color="blue")),
)
WIDE = 60


class TelemetryPage(ServiceView[TelemetryView]):
    """One driver's car. Steering to the left is drawn downwards."""

    DEFAULT_CSS = """
    TelemetryPage #drive { height: 13fr; }
    TelemetryPage Traces { width: 5fr; margin-right: 1; }
    TelemetryPage TrackMap { width: 3fr; }
    TelemetryPage LineTable { height: 6fr; }
    """
    columns = COLUMNS
    service = "telemetry"
    of = "cars"
    hz = 10.0

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._cars: Sequence[CarView] | None = None
        self._rows: list[Row] = []

    def compose(self) -> ComposeResult:
        dots = dots_of(self.desk.markers)
        with Horizontal(id="drive"):
            yield Traces(BANDS, dots)
            yield TrackMap(dots)
        yield OneLine("car")
        yield OneLine("tyres")
        yield LineTable(self.columns)

    def known(self) -> Mapping[tuple[str, str], TelemetryView]:
        return self.desk.model.services.telemetry

    def looks_at(self) -> frozenset[tuple[str, str]]:
        return frozenset() if self.key is None else frozenset([self.key])

    def panes(self) -> Sequence[Widget]:
        return [self.table, self.query_one(Traces), self.query_one(TrackMap)]

    def around(self) -> Sequence[Widget]:
        return [self.query_one("#drive"), self.query_one("#car"), self.query_one("#tyres")]

    def rows(self) -> list[Row]:
        shown = self.shown
        if shown is None:
            return []
        if shown.cars is not self._cars:
            self._cars, self._rows = shown.cars, car_rows(shown)
        return self._rows

    def paint_shown(self, shown: TelemetryView) -> None:
        self.desk.look_at(self.looks_at())  # another driver is shown, or the first is known now
        now, samples = self.desk.now(), shown.samples
        chart = self.query_one(TrackMap)
        self.query_one(Traces).show(samples, samples.hz, values_of(shown))
        track = shown.track
        chart.show(
            "no track is known" if track is None else printable(track.name),
            () if track is None else track.points,
            map_cars(shown.cars, is_wide=chart.size.width >= WIDE),
        )
        fresh = freshness(self.desk, shown.daemon, shown.age_now(now))
        self.query_one("#car", OneLine).say(car_cells(shown, now), fresh)
        self.query_one("#tyres", OneLine).say(tyre_cells(shown.tyres, now), _loss(shown))


def values_of(view: TelemetryView) -> dict[str, str]:
    """Return the newest value of each channel in words, coarse enough to be read."""
    newest = view.samples.newest
    found = {}
    for channel, unit in (("speed_kmh", " km/h"), ("rpm", ""), ("gear", "")):
        value = newest(channel)
        found[channel] = "-" if value is None else f"{value:.0f}{unit}"
    for channel in ("throttle", "brake"):
        value = newest(channel)
        found[channel] = "-" if value is None else f"{value * 100:.0f} %"
    angle = newest("steering_deg")
    side = "" if angle is None or abs(angle) < 0.5 else " left" if angle < 0 else " right"
    found["steering_deg"] = "-" if angle is None else f"{abs(angle):.0f}°{side}"
    return found


def _loss(view: TelemetryView) -> Cell:
    """Return what has not come, and how far the driver's clock is off."""
    words = []
    if view.clock_s is not None:
        words.append(f"clock {view.clock_s * 1000:+.0f} ms")
    if view.lost is None:
        return Cell(" ".join([*words, "loss not known"]), Kind.DIM)
    share = view.lost / view.of if view.of else 0.0
    if view.lost:
        return Cell(" ".join([*words, f"! {share * 100:.1f} % lost"]), Kind.NOTICE)
    return Cell(" ".join([*words, "nothing lost"]), Kind.DIM)
