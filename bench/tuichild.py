"""What `bench.tui` looks at, on a terminal: python -m bench.tuichild KIND SECONDS."""

import json
import os
import sys
import time
from typing import Any

import trio
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.driver import Driver
from textual.widgets import DataTable, Label, Sparkline, Static

from bench.tuipty import BENCH_FD
from tests.tui.app.world import HUB, World
from tests.tui.recorded.race import HZ, Race
from tui.app.columns import Column
from tui.app.driver import CellDriver
from tui.app.linetable import LineTable
from tui.app.looks import Cell, Row
from tui.app.markers import BRAILLE
from tui.app.run import run_app
from tui.app.trackplot import TrackPlot

PAINT_HZ = 10
WARM_S = 2.0
HISTORY_S = 25
ROWS, COLUMNS = 20, ("Site", "State", "Age", "p50", "Fly", "Queue")


class Clock:
    """Measures this process for so long, and says it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.paints = 0

    def begin(self) -> None:
        os.write(int(os.environ[BENCH_FD]), b"begin\n")
        self.paints, self.cpu, self.wall = 0, time.process_time(), time.perf_counter()

    def end(self) -> None:
        took = time.perf_counter() - self.wall
        told = {
            "cpu_percent": 100 * (time.process_time() - self.cpu) / took,
            "paints_per_s": self.paints / took,
        }
        os.write(int(os.environ[BENCH_FD]), json.dumps(told).encode() + b"\n")


class Bench(App[None]):
    """Painted ten times a second."""

    def __init__(self, clock: Clock, driver: type[Driver] | None) -> None:
        super().__init__(driver_class=driver, ansi_color=True)
        self.theme = "ansi-dark"
        self.clock = clock

    def on_ready(self) -> None:
        self.set_interval(1 / PAINT_HZ, self.step)
        self.set_timer(WARM_S, self.clock.begin)
        self.set_timer(WARM_S + self.clock.seconds, self.clock.end)

    def step(self) -> None:
        self.clock.paints += 1
        self.paint()

    def paint(self) -> None:
        raise NotImplementedError


def changing(step: int) -> list[tuple[str, ...]]:
    """Return the cells of each row: one of them is new each time."""
    return [
        (f"site{at:02}", "connected", "0.4 s", f"{40 + (step * 7 + at * 13) % 50} ms", "3", "0")
        for at in range(ROWS)
    ]


class Lines(Bench):
    """Our table."""

    paints = 0

    def compose(self) -> ComposeResult:
        yield LineTable([Column(title, 10) for title in COLUMNS])

    def paint(self) -> None:
        rows = [Row((cells[0],), tuple(map(Cell, cells))) for cells in changing(self.clock.paints)]
        self.query_one(LineTable).show(rows)


class Table(Bench):
    """Textual's table."""

    def compose(self) -> ComposeResult:
        yield DataTable()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for title in COLUMNS:
            table.add_column(title, key=title, width=10)
        for cells in changing(0):
            table.add_row(*cells, key=cells[0])

    def paint(self) -> None:
        table = self.query_one(DataTable)
        for cells in changing(self.clock.paints):
            table.update_cell(cells[0], "p50", cells[3])


def race(seconds: float) -> tuple[Race, list[tuple[float, dict[str, Any]]]]:
    """Return a race and what is told of it, ready made: it is not what is measured."""
    made = Race(seed=3, count=20)
    return made, list(made.batches(HISTORY_S + WARM_S + seconds + 3, PAINT_HZ))


class Racing(World):
    """Tells of the race as fast as it goes, after a history that fills the traces."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.batches = race(clock.seconds)[1]

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run)
            await self.began.wait()
            nursery.start_soon(self._measure)
            began = trio.current_time()
            for at, told in self.batches:
                await trio.sleep_until(began + at - HISTORY_S)
                self.model.measured(HUB, "telemetry", told, trio.current_time())

    async def _measure(self) -> None:
        await trio.sleep(WARM_S)
        self.clock.begin()
        await trio.sleep(self.clock.seconds)
        self.clock.end()


class Sparklines(Bench):
    """The same race by what comes with Textual: four sparklines, and the track as a text."""

    CSS = "Vertical { width: 5fr; } Static { width: 3fr; } Sparkline { height: 1fr; }"
    channels = ("speed_kmh", "throttle", "brake", "steering_deg")

    def __init__(self, clock: Clock, driver: type[Driver] | None) -> None:
        super().__init__(clock, driver)
        made, self.batches = race(clock.seconds)
        self.track = made.track.points
        self.values: dict[str, list[float]] = {channel: [] for channel in self.channels}
        self.cars: list[float] = []
        self.at = 0
        while self.at < HISTORY_S * PAINT_HZ:
            self.take()

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical():
                for channel in self.channels:
                    yield Sparkline([], id=channel)
            yield Static(id="map")

    def take(self) -> None:
        told = self.batches[self.at][1]
        self.at += 1
        if "samples" in told:
            for channel in self.channels:
                low = 90.0 if channel == "steering_deg" else 0.0
                new = [value + low for value in told["samples"][channel]]
                self.values[channel] = [*self.values[channel], *new][-20 * HZ :]
        self.cars = [car["where"] for car in told.get("cars", ())] or self.cars

    def paint(self) -> None:
        self.take()
        for channel in self.channels:
            self.query_one(f"#{channel}", Sparkline).data = self.values[channel]
        chart = self.query_one("#map", Static)
        plot = TrackPlot(BRAILLE, chart.size.width, chart.size.height, self.track)
        rows = [list(row) for row in plot.rows]
        for where in self.cars:
            x, y = plot.cell(where) or (0, 0)
            rows[y][x] = "o"
        chart.update("\n".join(map("".join, rows)))


class Empty(App[None]):
    """The least that there is."""

    def compose(self) -> ComposeResult:
        yield Label("nothing at all")


class Pressed(Empty):
    """Says that a key has come."""

    def on_key(self) -> None:
        os.write(int(os.environ[BENCH_FD]), b"k")


def main(kind: str, seconds: float) -> None:
    clock = Clock(seconds)
    match kind:
        case "lines":
            Lines(clock, CellDriver).run()
        case "datatable":
            Table(clock, None).run()
        case "race":
            run_app(Racing(clock))
        case "key":
            Pressed().run()
        case "sparklines":
            Sparklines(clock, None).run()
        case _:
            raise SystemExit(f"no {kind}")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
