"""The race around our car as rows, and our car as lines: gaps, sectors, fuel, tyres."""

from collections.abc import Sequence

from tui.app.columns import Column
from tui.app.looks import Cell, Kind, Row
from tui.app.trackmap import MapCar
from tui.model.laptimes import gap, lap_time
from tui.model.telemetry import CarView, FuelView, Mark, TelemetryView, TyreView, best_sectors, marks
from tui.model.words import UNKNOWN, age, printable

__all__ = ["COLUMNS", "car_cells", "car_rows", "map_cars", "tyre_cells"]

COLUMNS = (
    Column("P", 2, right=True),
    Column("No", 3, right=True),
    Column("Driver", 8, grows=True),
    Column("Gap", 7, 1, right=True),
    Column("Ahead", 6, 2, right=True),
    Column("Last", 8, 1, right=True),
    Column("S1", 7, 2, right=True),
    Column("S2", 7, 2, right=True),
    Column("S3", 7, 2, right=True),
    Column("Best", 8, 3, right=True),
    Column("Lap", 3, 4, right=True),
    Column("Tyre", 4, 4),
    Column("Stops", 5, 4, right=True),
    Column("S4", 7, 5, right=True),
    Column("S5", 7, 5, right=True),
    Column("S6", 7, 5, right=True),
    Column("S7", 7, 5, right=True),
)
"""Tracks have three sectors, five or seven."""

FIRST_SECTORS, MORE_SECTORS = 3, 4
OLD_S = 10.0
MARK_KINDS = {Mark.OVERALL: Kind.BEST, Mark.OWN: Kind.GOOD, Mark.SLOWER: Kind.NOTICE}


def car_rows(view: TelemetryView) -> list[Row]:
    """Return all cars in the order of the race; keys are (number,)."""
    bests = best_sectors(view.cars)
    return [_row(car, bests) for car in in_order(view.cars)]


def in_order(cars: Sequence[CarView]) -> list[CarView]:
    """Return cars by their position; those that have none last."""
    return sorted(cars, key=lambda car: (car.position is None, car.position or 0))


def _row(car: CarView, bests: Sequence[float | None]) -> Row:
    strong = Kind.STRONG if car.is_ours else Kind.PLAIN
    name = f"{'>' if car.is_ours else ''}{car.name}"
    sectors = _sectors(car, bests)
    first, more = sectors[:FIRST_SECTORS], sectors[FIRST_SECTORS:]
    is_leader = car.position == 1
    return Row(
        (car.number,),
        (
            Cell(UNKNOWN if car.position is None else str(car.position), strong),
            Cell(printable(car.number), strong),
            Cell(printable(name), strong),
            Cell("in pits", Kind.NOTICE)
            if car.is_in_pits
            else Cell("leader" if is_leader else gap(car.gap_s, car.laps_behind)),
            Cell("" if is_leader else gap(car.ahead_s, None)),
            Cell(lap_time(car.last_s)),
            *first,
            Cell(lap_time(car.best_s)),
            Cell(UNKNOWN if car.lap is None else str(car.lap)),
            Cell(printable(car.tyre)),
            Cell(UNKNOWN if car.stops is None else str(car.stops)),
            *more,
        ),
    )


def _sectors(car: CarView, bests: Sequence[float | None]) -> list[Cell]:
    cells = [
        Cell("") if mark is None or time_s is None else Cell(f"{time_s:.2f}{mark}", MARK_KINDS[mark])
        for time_s, mark in zip(car.sectors, marks(car, bests), strict=True)
    ]
    return (cells + [Cell()] * (FIRST_SECTORS + MORE_SECTORS))[: FIRST_SECTORS + MORE_SECTORS]


def map_cars(cars: Sequence[CarView], *, is_wide: bool) -> list[MapCar]:
    """Return the cars for the map, by their place in the race; where there is little room, those past the ninth are "+"."""
    found = []
    for car in in_order(cars):
        if car.where is None:
            continue
        label = "+" if car.position is None or (car.position > 9 and not is_wide) else str(car.position)
        found.append(MapCar(car.where, label, car.is_ours))
    return found


def car_cells(view: TelemetryView, now: float) -> list[Cell]:
    """Return our car on one line: its place, its lap, what fuel it has."""
    car, race = view.ours, view.race
    cells = [Cell(printable(view.driver), Kind.STRONG)]
    if car is not None and car.position is not None:
        cells.append(Cell(f"P{car.position} {gap(car.gap_s, car.laps_behind)}", Kind.STRONG))
    if race is not None:
        of = "" if race.laps is None else f" of {race.laps}"
        left = "" if race.left_s is None else f", {age(race.left_s)} left"
        cells.append(Cell(f"lap {UNKNOWN if race.lap is None else race.lap}{of}{left}"))
    return [*cells, *_fuel(view.fuel, now)]


def _fuel(fuel: FuelView | None, now: float) -> list[Cell]:
    if fuel is None:
        return [Cell("fuel not known", Kind.DIM)]
    words = f"fuel {_said(fuel.litres, ' l')}, {_said(fuel.per_lap, ' l')} a lap"
    short = fuel.laps is not None and fuel.laps < 2
    lasts = Cell(f"{'! ' * short}{_said(fuel.laps, ' laps')}", Kind.BAD if short else Kind.STRONG)
    return [*_old(fuel.at, now), Cell(f"{words}, for"), lasts]


def tyre_cells(tyres: TyreView | None, now: float) -> list[Cell]:
    """Return our tyres on one line: tread that is left as of the last stop, and temperatures."""
    if tyres is None:
        return [Cell("tyres not known", Kind.DIM)]
    cells = [*_old(tyres.at, now), Cell(f"tyres {printable(tyres.compound)}".strip())]
    for wheel, wear, celsius in zip(("FL", "FR", "RL", "RR"), tyres.wear, tyres.celsius, strict=True):
        worn = wear is not None and wear < 0.5
        tread = UNKNOWN if wear is None else f"{wear * 100:.0f}%{'!' * worn}"
        heat = "" if celsius is None else f" {celsius:.0f}°C"
        cells.append(Cell(f"{wheel} {tread}{heat}", Kind.NOTICE if worn else Kind.PLAIN))
    if tyres.lap is not None:
        cells.append(Cell(f"(wear as of lap {tyres.lap})", Kind.DIM))
    return cells


def _old(at: float, now: float) -> list[Cell]:
    return [Cell(f"! {age(now - at)} old", Kind.NOTICE)] if now - at > OLD_S else []


def _said(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else f"{value:.1f}{unit}"
