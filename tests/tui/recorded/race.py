"""A race on a track that does not exist, as a daemon with telemetry would tell it: seeded, at 60 Hz, with other cars, pit
stops, and now and then samples that never come.

The car follows the track's bends: as fast as they can be taken, braking and accelerating as it can between them.
"""

import math
import random
from collections.abc import Iterator
from typing import Any

from attrs import define, field

__all__ = ["HZ", "Race", "Track"]

HZ = 60
POINTS = 360
SIDEWAYS, PULL, BRAKES = 16.0, 7.0, 14.0  # what the car can do, m/s²
TOP = 78.0  # m/s
SECTORS = (0.0, 0.31, 0.66)
TANK, PER_LAP = 60.0, 2.6
PIT_S = 28.0


@define(eq=False)
class Track:
    """A closed track: points at equal steps, the speed that it allows at each, and how it bends there."""

    seed: int
    length: float = field(init=False)
    points: list[tuple[float, float]] = field(init=False)
    speed: list[float] = field(init=False)
    bend: list[float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        rng = random.Random(self.seed)
        waves = [(rng.randint(2, 7), rng.uniform(0.03, 0.16), rng.uniform(0, math.tau)) for _ in range(5)]
        fine = []
        for step in range(POINTS * 10):
            angle = math.tau * step / (POINTS * 10)
            far = 1 + sum(size * math.sin(count * angle + shift) for count, size, shift in waves)
            fine.append((900 * far * math.cos(angle), 520 * far * math.sin(angle)))
        lengths = [math.dist(fine[at], fine[at - 1]) for at in range(len(fine))]
        self.length = sum(lengths)
        self.points, gone = [], 0.0
        for at, (point, length) in enumerate(zip(fine, lengths, strict=True)):
            if at == 0 or gone >= self.length * len(self.points) / POINTS:
                self.points.append(point)
            gone += length
        del self.points[POINTS:]
        self.bend = [self._bend(at) for at in range(len(self.points))]
        self.speed = [min(TOP, math.sqrt(SIDEWAYS / max(abs(bend), 1e-6))) for bend in self.bend]
        step_m = self.length / len(self.points)
        for _ in range(2):  # the second time round joins the end to the beginning
            for at in range(len(self.speed)):
                self.speed[at] = min(self.speed[at], math.sqrt(self.speed[at - 1] ** 2 + 2 * PULL * step_m))
            for at in reversed(range(len(self.speed))):
                after = self.speed[(at + 1) % len(self.speed)]
                self.speed[at] = min(self.speed[at], math.sqrt(after**2 + 2 * BRAKES * step_m))

    def at(self, values: list[float], where: float) -> float:
        """Return a value between the points."""
        place = (where % 1.0) * len(values)
        here, share = int(place) % len(values), place % 1.0
        return values[here] * (1 - share) + values[(here + 1) % len(values)] * share

    def _bend(self, at: int) -> float:
        """Return how sharply it bends, 1/m; to the left is positive."""
        (ax, ay), (bx, by) = self.points[at - 1], self.points[at]
        cx, cy = self.points[(at + 1) % len(self.points)]
        turn = math.atan2(cy - by, cx - bx) - math.atan2(by - ay, bx - ax)
        return ((turn + math.pi) % math.tau - math.pi) / (math.dist((ax, ay), (bx, by)) or 1.0)


@define(eq=False)
class _Car:
    number: str
    name: str
    pace: float
    gone: float  # laps
    lap_began: float = 0.0
    sector_began: float = 0.0
    sector: int = 0
    last: float | None = None
    best: float | None = None
    times: list[float | None] = field(factory=lambda: [None] * len(SECTORS))
    bests: list[float | None] = field(factory=lambda: [None] * len(SECTORS))
    stops: int = 0
    pit_left: float = 0.0
    speed: float = 0.0


NAMES = [
    "Abel",
    "Brandt",
    "Cole",
    "Dreyer",
    "Ekman",
    "Fabre",
    "Gallo",
    "Hoshi",
    "Ivers",
    "Jansen",
    "Kovac",
    "Lind",
    "Moreau",
    "Novak",
    "Okafor",
    "Petit",
]


@define(eq=False)
class Race:
    """`advance` tells what happens until a moment, seconds since the beginning. `lossy`: leaves out some of the samples."""

    seed: int = 1
    count: int = 12
    laps: int = 40
    lossy: bool = False
    daemon: str = "backend"
    driver: str = "Ann"
    track: Track = field(init=False)
    _rng: random.Random = field(init=False)
    _cars: list[_Car] = field(init=False)
    _tick: int = field(default=0, init=False)
    _told: int = field(default=0, init=False)
    _lost: int = field(default=0, init=False)
    _fuel: float = field(default=TANK, init=False)

    def __attrs_post_init__(self) -> None:
        self.track, self._rng = Track(self.seed), random.Random(self.seed)
        self._cars = [
            _Car(
                str(self._rng.randint(1, 9) + 9 * at),
                NAMES[at % len(NAMES)],
                1.0 - 0.004 * at,
                0.997 - 0.003 * at,
            )
            for at in range(self.count)
        ]

    @property
    def ours(self) -> _Car:
        return self._cars[min(2, len(self._cars) - 1)]

    def begin(self) -> dict[str, Any]:
        """Return what is told once: the track."""
        points = [[round(x, 1), round(y, 1)] for x, y in self.track.points]
        return {
            "driver": self.driver,
            "track": {"name": f"Nowhere Ring {self.seed}", "points": points, "sectors": list(SECTORS)},
        }

    def advance(self, to_s: float) -> dict[str, Any]:
        """Return what is told of the ticks up to a moment: samples, and five times a second the cars."""
        first, columns = self._tick, self._columns(int(to_s * HZ))
        told: dict[str, Any] = {"driver": self.driver, "age_s": 0.04, "clock_s": 0.003}
        if self.lossy and self._rng.random() < 0.02:
            self._lost += self._tick - first
        elif self._tick > first:
            told["samples"] = {"first": first, "hz": HZ, **columns}
        told |= {"lost": self._lost, "of": self._tick}
        fifth = self._tick * 5 // HZ
        if fifth != self._told:
            self._told = fifth
            told |= {
                "cars": self._say_cars(),
                "race": self._race(),
                "fuel": self._say_fuel(),
                "tyres": self._tyres(),
            }
        return told

    def batches(self, seconds: float, hz: float = 10.0) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield everything of so many seconds, in batches."""
        yield 0.0, self.begin()
        for step in range(1, int(seconds * hz) + 1):
            yield step / hz, self.advance(step / hz)

    def _columns(self, to: int) -> dict[str, list[float]]:
        names = ("speed_kmh", "throttle", "brake", "steering_deg", "rpm", "gear", "position")
        columns: dict[str, list[float]] = {name: [] for name in names}
        while self._tick < to:
            before = self.ours.speed
            for car in self._cars:
                self._drive(car)
            for name, value in zip(names, self._sample(self.ours, before), strict=True):
                columns[name].append(value)
            self._tick += 1
        return columns

    def _drive(self, car: _Car) -> None:
        now = self._tick / HZ
        if car.pit_left > 0:
            car.pit_left -= 1 / HZ
            car.speed = 16.0
        else:
            car.speed = self.track.at(self.track.speed, car.gone) * car.pace
        before = car.gone
        car.gone += car.speed / HZ / self.track.length
        sector = sum((car.gone % 1.0) >= begin for begin in SECTORS) - 1
        if sector != car.sector:
            self._end_sector(car, now)
            car.sector = sector
        if int(car.gone) > int(before):
            self._end_lap(car, now)

    def _end_sector(self, car: _Car, now: float) -> None:
        began, car.sector_began = car.sector_began, now
        if not began:
            return  # the rest of a sector, from the grid to the line
        took = now - began
        car.times[car.sector] = took
        best = car.bests[car.sector]
        car.bests[car.sector] = took if best is None else min(best, took)
        car.pace *= self._rng.uniform(0.998, 1.002)

    def _end_lap(self, car: _Car, now: float) -> None:
        if car.gone >= 2:
            car.last = now - car.lap_began
            car.best = car.last if car.best is None else min(car.best, car.last)
        car.lap_began = now
        if car is self.ours:
            self._fuel = max(0.0, self._fuel - PER_LAP * self._rng.uniform(0.97, 1.03))
        if int(car.gone) % 14 == 9:
            car.stops, car.pit_left = car.stops + 1, PIT_S
            if car is self.ours:
                self._fuel = TANK

    def _sample(self, car: _Car, before: float) -> tuple[float, ...]:
        pull = (car.speed - before) * HZ if before else 0.0
        bend = self.track.at(self.track.bend, car.gone)
        gear = 1 + min(5, int(car.speed / 13))
        return (
            round(car.speed * 3.6, 1),
            round(max(0.0, min(1.0, 0.35 + pull / PULL)), 3) if pull > -2 else 0.0,
            round(max(0.0, min(1.0, -pull / BRAKES)), 3),
            round(-bend * 4000 + self._rng.gauss(0, 1.2), 1),
            round(2500 + 6000 * (car.speed / 13 % 1.0)),
            gear,
            round(car.gone % 1.0, 5),
        )

    def _say_cars(self) -> list[dict[str, Any]]:
        order = sorted(self._cars, key=lambda car: -car.gone)
        mean = self.track.length / (sum(self.track.speed) / len(self.track.speed))
        told, ahead = [], order[0].gone
        for at, car in enumerate(order, 1):
            behind = order[0].gone - car.gone
            told.append(
                {
                    "number": car.number, "name": car.name, "position": at, "lap": max(0, int(car.gone)),
                    "where": round(car.gone % 1.0, 5), "gap_s": round(behind * mean, 1),
                    "ahead_s": round((ahead - car.gone) * mean, 1), "laps_behind": int(behind),
                    "last_s": _rounded(car.last), "best_s": _rounded(car.best),
                    "sectors": [_rounded(one) for one in car.times],
                    "best_sectors": [_rounded(one) for one in car.bests],
                    "stops": car.stops, "tyre": "MSH"[car.stops % 3], "ours": car is self.ours,
                    "in_pits": car.pit_left > 0,
                }
            )  # fmt: skip
            ahead = car.gone
        return told

    def _race(self) -> dict[str, Any]:
        return {"name": "Race", "lap": max(1, int(self.ours.gone)), "laps": self.laps}

    def _say_fuel(self) -> dict[str, Any]:
        litres = self._fuel - PER_LAP * (self.ours.gone % 1.0)
        return {"litres": round(litres, 1), "per_lap": PER_LAP, "laps": round(litres / PER_LAP, 1)}

    def _tyres(self) -> dict[str, Any]:
        heat = 78 + 12 * self.ours.speed / TOP
        wheels = ("front_left", "front_right", "rear_left", "rear_right")
        told: dict[str, Any] = {
            wheel: {"wear": round(0.98 - 0.01 * at, 2), "celsius": round(heat + at, 0)}
            for at, wheel in enumerate(wheels)
        }
        return {**told, "compound": "MSH"[self.ours.stops % 3], "lap": 1 + 14 * self.ours.stops}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
