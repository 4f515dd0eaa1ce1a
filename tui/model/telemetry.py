"""What is known of a driver's car and of the race around it, as a daemon with telemetry tells it.

Durations are seconds. Moments called `at` are monotonic, as everywhere in the model. None: not known, never zero. What is
not told stays as it was, with its own age.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from attrs import evolve, field, frozen

from tui.model.checked import flag, items, maps, maybe, number, numbers, part, text, whole
from tui.model.passing import grown
from tui.model.samples import CHANNELS, SAMPLES_MAX, Samples

__all__ = [
    "CarView",
    "FuelView",
    "Mark",
    "RaceView",
    "TelemetryView",
    "TrackView",
    "TyreView",
    "best_sectors",
    "marks",
    "read_telemetry",
]

CARS_MAX, POINTS_MAX, SECTORS_MAX = 128, 4000, 32
WHEELS = ("front_left", "front_right", "rear_left", "rear_right")


@frozen
class TrackView:
    """The track: points at equal steps of track position, east and north, closed; where sectors begin, 0 to 1."""

    name: str
    points: tuple[tuple[float, float], ...]
    sectors: tuple[float, ...] = ()


@frozen(kw_only=True)
class CarView:
    """A car. `position`: its place in the race; `where`: on the track, 0 to 1; `gap_s`: to the leader; `laps_behind`:
    laps that it is behind. `sectors`: of its latest lap or the one it is on; `best_sectors`: its own best."""

    number: str
    name: str = ""
    position: int | None = None
    lap: int | None = None
    where: float | None = None
    gap_s: float | None = None
    ahead_s: float | None = None
    laps_behind: int | None = None
    last_s: float | None = None
    best_s: float | None = None
    sectors: tuple[float | None, ...] = ()
    best_sectors: tuple[float | None, ...] = ()
    stops: int | None = None
    tyre: str = ""
    is_ours: bool = False
    is_in_pits: bool = False


@frozen(kw_only=True)
class RaceView:
    """The session. `left_s`, `laps_left`: what is left of it."""

    at: float
    name: str = ""
    lap: int | None = None
    laps: int | None = None
    left_s: float | None = None


@frozen(kw_only=True)
class FuelView:
    """The fuel of our car. `laps`: for how many laps it lasts."""

    at: float
    litres: float | None = None
    per_lap: float | None = None
    laps: float | None = None


@frozen(kw_only=True)
class TyreView:
    """Our tyres: tread that is left, 0 to 1, and their carcass's temperature, by wheel. `lap`: when wear was measured:
    the simulator tells it at stops only."""

    at: float
    wear: tuple[float | None, ...]
    celsius: tuple[float | None, ...]
    compound: str = ""
    lap: int | None = None


@frozen(kw_only=True)
class TelemetryView:
    """One driver. `at`: when anything was told last; `age_s`: how old the newest sample was then; `lost`: samples that
    never came, of `of`. `clock_s`: by how much the driver's clock is off."""

    daemon: str
    driver: str
    at: float
    samples: Samples = field(eq=False)
    samples_at: float | None = None
    age_s: float | None = None
    clock_s: float | None = None
    lost: int | None = None
    of: int | None = None
    words: str = ""
    race: RaceView | None = None
    track: TrackView | None = None
    cars: tuple[CarView, ...] = ()
    cars_at: float | None = None
    fuel: FuelView | None = None
    tyres: TyreView | None = None

    @property
    def ours(self) -> CarView | None:
        """Our car, whoever drives."""
        return next((car for car in self.cars if car.is_ours), None)

    def age_now(self, now: float) -> float | None:
        """Return the age of the newest sample at the monotonic moment `now`."""
        if self.samples_at is None:
            return None
        return grown(self.age_s or 0.0, self.samples_at, now)


def read_telemetry(
    before: TelemetryView | None, daemon: str, told: Mapping[str, Any], now: float
) -> TelemetryView:
    """Return how it stands after this was told. Raises ValueError for what cannot be; then nothing has changed."""
    driver = text(told, "driver")
    view = before or TelemetryView(daemon=daemon, driver=driver, at=now, samples=Samples(60.0))
    new: dict[str, Any] = {"at": now}
    for key, read in (("race", _race), ("fuel", _fuel), ("tyres", _tyres)):
        found = part(told, key)
        if found is not None:
            new[key] = read(found, now)
    track = part(told, "track")
    if track is not None:
        new["track"] = _track(track)
    if told.get("cars") is not None:
        new["cars"] = tuple(_car(car) for car in maps(told, "cars", CARS_MAX))
        new["cars_at"] = now
    for key in ("age_s", "clock_s"):
        if key in told:
            new[key] = number(told, key)
    for key in ("lost", "of"):
        if key in told:
            new[key] = whole(told, key)
    if "words" in told:
        new["words"] = text(told, "words")
    sampled = part(told, "samples")
    if sampled is not None:
        first, hz, columns = _samples(sampled)  # read whole before any of it is kept
        samples = view.samples if view.samples.hz == hz else Samples(hz)
        samples.add(first, columns)
        new |= {"samples": samples, "samples_at": now}
    return evolve(view, **new)


def _race(told: Mapping[str, Any], now: float) -> RaceView:
    return RaceView(
        at=now,
        name=text(told, "name"),
        lap=whole(told, "lap"),
        laps=whole(told, "laps"),
        left_s=number(told, "left_s"),
    )


def _fuel(told: Mapping[str, Any], now: float) -> FuelView:
    return FuelView(
        at=now,
        litres=number(told, "litres"),
        per_lap=number(told, "per_lap"),
        laps=number(told, "laps"),
    )


def _tyres(told: Mapping[str, Any], now: float) -> TyreView:
    wheels = [part(told, wheel) or {} for wheel in WHEELS]
    return TyreView(
        at=now,
        wear=tuple(number(wheel, "wear") for wheel in wheels),
        celsius=tuple(number(wheel, "celsius") for wheel in wheels),
        compound=text(told, "compound"),
        lap=whole(told, "lap"),
    )


def _track(told: Mapping[str, Any]) -> TrackView:
    points = []
    for point in items(told, "points", POINTS_MAX):
        match numbers(point, "points", 2):
            case (float(x), float(y)):
                points.append((x, y))
            case _:
                raise ValueError("points: each is two numbers")
    sectors = numbers(told.get("sectors") or (), "sectors", SECTORS_MAX)
    return TrackView(text(told, "name"), tuple(points), tuple(at for at in sectors if at is not None))


def _car(told: Mapping[str, Any]) -> CarView:
    where = number(told, "where")
    return CarView(
        number=text(told, "number"),
        name=text(told, "name"),
        position=whole(told, "position"),
        lap=whole(told, "lap"),
        where=None if where is None else where % 1.0,
        gap_s=number(told, "gap_s"),
        ahead_s=number(told, "ahead_s"),
        laps_behind=whole(told, "laps_behind"),
        last_s=number(told, "last_s"),
        best_s=number(told, "best_s"),
        sectors=numbers(told.get("sectors") or (), "sectors", SECTORS_MAX),
        best_sectors=numbers(told.get("best_sectors") or (), "best_sectors", SECTORS_MAX),
        stops=whole(told, "stops"),
        tyre=text(told, "tyre"),
        is_ours=flag(told, "ours"),
        is_in_pits=flag(told, "in_pits"),
    )


def _samples(told: Mapping[str, Any]) -> tuple[int, float, dict[str, tuple[float, ...]]]:
    first, hz = whole(told, "first"), number(told, "hz")
    if first is None or first < 0 or hz is None or not 0 < hz <= 1000:
        raise ValueError("samples: first is a tick, hz above 0 and at most 1000")
    columns = {
        name: tuple(maybe(value) for value in numbers(told[name], name, SAMPLES_MAX))
        for name in CHANNELS
        if told.get(name) is not None
    }
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("samples: columns of different length")
    return first, hz, columns


class Mark(StrEnum):
    """What a sector's time is: the best of all, its driver's own best, or neither. Colour and letter say it."""

    OVERALL = "P"
    OWN = "G"
    SLOWER = "Y"


def best_sectors(cars: Sequence[CarView]) -> tuple[float | None, ...]:
    """Return the best that any of the cars has driven, sector by sector."""
    count = max((len(car.best_sectors) for car in cars), default=0)
    known = ([best for car in cars if (best := _best(car, at)) is not None] for at in range(count))
    return tuple(min(bests, default=None) for bests in known)


def marks(car: CarView, bests: Sequence[float | None]) -> tuple[Mark | None, ...]:
    """Return what each of a car's sector times is, beside the best of all cars; None for one that is not there."""
    return tuple(
        None if time_s is None else _mark(time_s, _best(car, at), bests[at] if at < len(bests) else None)
        for at, time_s in enumerate(car.sectors)
    )


def _mark(time_s: float, own: float | None, overall: float | None) -> Mark:
    if overall is None or time_s <= overall:
        return Mark.OVERALL
    return Mark.OWN if own is None or time_s <= own else Mark.SLOWER


def _best(car: CarView, at: int) -> float | None:
    return car.best_sectors[at] if at < len(car.best_sectors) else None
