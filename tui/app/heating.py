"""Page 4: a house that is heated: what each zone has and wants, and why; what the boiler does."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from tui.app.columns import Column
from tui.app.heating_controls import house_control, mode_control, resume_questions, set_control
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
    Column("Cause", 22, 1, grows=True),
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
    can_tag = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "set", "set the zone, for a while or for good", id="heat.set"),
        Binding("b", "resume", "take the override back, of those tagged too", id="heat.resume"),
        Binding("m", "mode", "the zone's mode", id="heat.mode"),
        Binding("H", "house", "the house: a preset, off for the summer, a lock-out", id="heat.house"),
    ]

    def compose(self) -> ComposeResult:
        yield OneLine("boiler")
        yield OneLine("house")
        yield LineTable(self.columns, is_taggable=self.is_taggable)

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

    def _zone(self, key: Key | None) -> ZoneView | None:
        shown = self.shown
        return None if shown is None else next((zone for zone in shown.zones if (zone.id,) == key), None)

    def action_set(self) -> None:
        """Ask what the zone under the cursor is to be."""
        shown, zone = self.shown, self._zone(self.table.chosen)
        if shown is not None and zone is not None and self._is_offered("heat.override"):
            self.post_message(self.Begun(set_control(self.desk.model, shown, zone)))

    def action_mode(self) -> None:
        """Ask into which mode the zone under the cursor is to go."""
        shown, zone = self.shown, self._zone(self.table.chosen)
        if shown is not None and zone is not None and self._is_offered("heat.mode"):
            self.post_message(self.Begun(mode_control(self.desk.model, shown, zone)))

    def action_house(self) -> None:
        """Ask what the whole house is to do."""
        if self.shown is not None and self._is_offered("heat.switch"):
            self.post_message(self.Begun(house_control(self.desk.model, self.shown)))

    def action_resume(self) -> None:
        """Take overrides back: of the zones that are tagged, or of the one under the cursor."""
        shown = self.shown
        if shown is None or not self._is_offered("heat.resume"):
            return
        zones = [zone for key in self.acted_upon if (zone := self._zone(key)) is not None]
        questions = resume_questions(self.desk.model, shown, zones)
        if questions:
            self.post_message(self.Asked(questions, "zones"))
        else:
            self.post_message(self.Told("no zone here has an override"))

    def _is_offered(self, action: str) -> bool:
        if self.shown is None or self.desk.model.offers(self.shown.daemon, action):
            return True
        self.post_message(self.Told("this daemon lets you look, and no more"))
        return False

    def choose(self, key: Key) -> None:
        shown, zone = self.shown, self._zone(key)
        if shown is None or zone is None:
            return
        row = _row(shown, zone, self.desk.now())
        lines = [f"{column.title:10}{cell.text}" for column, cell in zip(COLUMNS, row.cells, strict=True)]
        lines.append(f"{'Sensor':10}{zone.sensor}")
        weeks = self.desk.model.services.weeks.get((shown.daemon, shown.site))
        for name, line in zip(
            ("Week", *[""] * 7), () if weeks is None else weeks.zones.get(zone.id, ()), strict=False
        ):
            lines.append(f"{name:10}{line}")
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
            Cell(_wanted(zone)),
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


def _wanted(zone: ZoneView) -> str:
    if zone.wants_on is not None:
        return "on" if zone.wants_on else "off"
    return _degrees(zone.setpoint)


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
    if house.is_offline:
        heard = (
            "nothing was ever heard of it"
            if house.heard_s is None
            else f"{age(house.age_now(house.heard_s, now))} old"
        )
        cells.append(Cell(f"✗ OFFLINE, {heard}", Kind.BAD))
    if house.alarms:
        more = f" and {len(house.alarms) - 1} more" if len(house.alarms) > 1 else ""
        cells.append(Cell(f"! {printable(house.alarms[0])}{more}", Kind.BAD))
    if not house.is_on:
        cells.append(Cell("heating is off for the summer", Kind.NOTICE))
    if house.preset:
        cells.append(Cell(f"preset {printable(house.preset)}", Kind.NOTICE))
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
