"""Page 4: a house that is heated: what each zone has and wants, and why; what the boiler does."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.widget import Widget

from tui.app.columns import Column
from tui.app.linetable import LineTable
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.oneline import OneLine
from tui.app.panes import ServiceView, coarse, freshness
from tui.model.heating import BoilerView, HeatingView, Sensor, ZoneView
from tui.model.moments import clock
from tui.model.words import UNKNOWN, age, count, counted, printable

__all__ = ["HeatingPage"]

OLD_S = 300.0
COLUMNS = (
    Column("", 1),
    Column("Zone", 12),
    Column("Is", 7, right=True),
    Column("Wants", 7, right=True),
    Column("Heat", 5, 1),
    Column("Cause", 24, 1, grows=True),
    Column("Age", 7, 2, right=True),
    Column("Override", 10, 3),
    Column("Mode", 8, 5),
    Column("Next", 16, 4),
    Column("Supply", 7, 6, right=True),
    Column("By", 12, 6),
)


class HeatingPage(ServiceView[HeatingView]):
    """One house. Enter says all of a zone."""

    columns = COLUMNS
    service = "heating"
    of = "zones"

    def compose(self) -> ComposeResult:
        yield OneLine("boiler")
        yield OneLine("house")
        yield LineTable(self.columns)

    def known(self) -> Mapping[tuple[str, str], HeatingView]:
        return self.desk.model.services.heating

    def around(self) -> Sequence[Widget]:
        return [self.query_one("#boiler"), self.query_one("#house")]

    def rows(self) -> list[Row]:
        shown = self.shown
        return [] if shown is None else [_row(shown, zone, self.desk.now()) for zone in shown.zones]

    def paint_shown(self, shown: HeatingView) -> None:
        now = self.desk.now()
        fresh = freshness(self.desk, shown.daemon, now - shown.at)
        self.query_one("#boiler", OneLine).say(_boiler(shown.boiler, now - shown.at), fresh)
        self.query_one("#house", OneLine).say(_house(shown, now))

    def choose(self, key: Key) -> None:
        shown = self.shown
        zone = next((zone for zone in shown.zones if (zone.id,) == key), None) if shown else None
        if shown is None or zone is None:
            return
        row = _row(shown, zone, self.desk.now())
        lines = [f"{column.title:10}{cell.text}" for column, cell in zip(COLUMNS, row.cells, strict=True)]
        lines.append(f"{'Sensor':10}{zone.sensor}")
        self.post_message(
            self.Read(printable(f"Zone {zone.name}"), [line for line in lines[1:] if line[10:]])
        )


def _row(house: HeatingView, zone: ZoneView, now: float) -> Row:
    age_s = house.age_now(zone.age_s, now)
    is_old = age_s is not None and age_s > OLD_S
    glyph, kind = _sign(zone, is_old=is_old)
    utc = house.utc(now)
    over, after = zone.override, ""
    if zone.next_utc is not None:
        after = f"{clock(zone.next_utc, house.offset_s, day_of=utc)} {_degrees(zone.next_setpoint)}"
    until = "" if over is None else _until(over.ends_utc, house.offset_s, utc)
    return Row(
        (zone.id,),
        (
            Cell(glyph, kind),
            Cell(printable(zone.name)),
            Cell(_degrees(zone.celsius), kind if zone.sensor is not Sensor.GOOD else Kind.PLAIN),
            Cell(_degrees(zone.setpoint)),
            Cell("calls" if zone.is_calling else "-", Kind.STRONG if zone.is_calling else Kind.DIM),
            Cell(printable(zone.cause), kind if zone.sensor is not Sensor.GOOD else Kind.PLAIN),
            Cell(f"{coarse(age_s)}{'!' * is_old}", Kind.NOTICE if is_old else Kind.PLAIN),
            Cell(until, Kind.NOTICE),
            Cell(printable(zone.mode)),
            Cell(after),
            Cell("" if zone.supply is None else _degrees(zone.supply)),
            Cell("" if over is None else printable(over.by)),
        ),
    )


def _sign(zone: ZoneView, *, is_old: bool) -> tuple[str, Kind]:
    if zone.sensor in (Sensor.LOST, Sensor.FAULTY):
        return "✗", Kind.BAD
    if zone.sensor is Sensor.STALE or is_old:
        return "?", Kind.NOTICE
    return ("▲", Kind.STRONG) if zone.is_calling else ("●", Kind.GOOD)


def _until(ends_utc: float | None, offset_s: float, utc: float | None) -> str:
    """Return when an override ends; with days between, the day too."""
    return "for good" if ends_utc is None else f"to {clock(ends_utc, offset_s, day_of=utc)}"


def _degrees(celsius: float | None) -> str:
    return UNKNOWN if celsius is None else f"{celsius:.1f}°C"


def _boiler(boiler: BoilerView | None, older_s: float) -> list[Cell]:
    if boiler is None:
        return [Cell("nothing is known of the boiler", Kind.NOTICE)]
    if boiler.is_locked_out:
        state = Cell(f"✗ boiler LOCKED OUT: {printable(boiler.state)}", Kind.BAD)
    elif boiler.is_burning:
        state = Cell(f"▲ boiler {printable(boiler.state)}", Kind.STRONG)
    else:
        state = Cell(f"● boiler {printable(boiler.state)}", Kind.GOOD)
    lasts = "" if boiler.for_s is None else f" for {age(boiler.for_s + older_s)}"
    cause = f": {printable(boiler.cause)}" if boiler.cause else ""
    return [state, Cell(f"{lasts.strip()}{cause}".strip())]


def _house(house: HeatingView, now: float) -> list[Cell]:
    cells, boiler = [], house.boiler
    bad = sum(zone.sensor is not Sensor.GOOD for zone in house.zones)
    if bad:
        cells.append(Cell(f"! {counted(bad, 'sensor')} not good", Kind.BAD))
    overrides = sum(zone.override is not None for zone in house.zones)
    if overrides:
        cells.append(Cell(counted(overrides, "override"), Kind.NOTICE))
    old_s = house.age_now(house.outdoor_age_s, now)
    is_old = old_s is not None and old_s > OLD_S
    outdoor = f"outdoors {_degrees(house.outdoor)}" + (f" (! {age(old_s)} old)" if is_old else "")
    cells.append(Cell(outdoor, Kind.NOTICE if is_old else Kind.PLAIN))
    if boiler is not None:
        target = "" if boiler.target is None else f" of {_degrees(boiler.target)}"
        cells.append(Cell(f"flow {_degrees(boiler.flow)}{target}, back {_degrees(boiler.back)}"))
        cells.append(Cell(f"{count(boiler.starts)} starts today"))
    return cells
