"""The team's own car from stop to stop: who drives it, what is in its tank, what its tyres are like.

What tyres tell (carcass temperatures, tread) changes at stops only, as in the simulator: on arrival it is what the stint
made of them, from the end of the service on it is the new ones'.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from .layouts import Car
from .schedule import Route, Stop
from .track import Track, at

__all__ = ["WHEELS", "Stint", "Stints", "Tyres"]

WHEELS: Final = ("LF", "RF", "LR", "RR")
_COLD_C: Final = 38.0
_RESERVE: Final = 1.12

Floats = npt.NDArray[np.float64]


@frozen(kw_only=True)
class Stint:
    """From the end of one stop to the end of the next. `began_at`: place, laps; `fuel`: litres then; `driver`: of the
    team, from 0, and `before` who drove until `swapped_s` (the middle of the stop it began with)."""

    number: int
    began_s: float
    began_at: float
    fuel: float
    driver: int
    before: int
    swapped_s: float


@frozen(eq=False)
class Tyres:
    """Each wheel's three carcass temperatures in °C and treads (1 is new), as `WHEELS` and left, middle, right."""

    carcass: Floats
    tread: Floats


class Stints:
    """Looked up by time. What the car burns is spread over the lap as its throttle is."""

    def __init__(self, track: Track, car: Car, route: Route, *, drivers: int, swap_every: int) -> None:
        self._track, self._route = track, route
        self._drivers, self._swap_every = drivers, swap_every
        self.lap_fuel = car.litres_per_km * track.length / 1000
        self.fill = min(car.tank, self.lap_fuel * (route.entry.stint + 1) * _RESERVE)
        self.swaps: set[int] = set()
        """Stops, by the lap that they end, at which somebody asked for another driver."""
        push = track.acceleration + car.drive * (track.speed / car.top) ** 2
        burning = 0.12 + np.clip(push / car.drive, 0, 1)
        steps = (burning[1:] + burning[:-1]) / 2 * np.diff(track.time)
        self._burnt = np.concatenate(([0.0], np.cumsum(steps))) / steps.sum()

    def burnt(self, place: float | Floats) -> Floats:
        """Return the laps' worth of fuel burnt from place 0 to a place."""
        places = np.asarray(place, np.float64)
        whole = np.floor(places)
        return np.asarray(whole + at(self._burnt, places - whole), np.float64)

    def stops(self, now_s: float) -> list[Stop]:
        """Return the stops whose car has arrived by then."""
        self._route.reach(now_s + 1)
        return [stop for stop in self._route.stops if stop.arrived_s <= now_s]

    def stint(self, number: int) -> Stint:
        """Return the stint that begins with stop `number` (0: with the race). The stop must be known."""
        if number == 0:
            return Stint(
                number=0, began_s=0.0, began_at=self._route.entry.grid, fuel=self.fill, driver=0, before=0, swapped_s=0.0
            )  # fmt: skip
        stop = self._route.stops[number - 1]
        before = self.driver_of(number - 1)
        return Stint(
            number=number, began_s=stop.left_s, began_at=stop.lap + self._track.pits.stall, fuel=self.fill,
            driver=self.driver_of(number), before=before, swapped_s=(stop.arrived_s + stop.left_s) / 2,
        )  # fmt: skip

    def driver_of(self, number: int) -> int:
        """Return who drives stint `number`."""
        changes = sum(
            (count + 1) % self._swap_every == 0 or stop.lap in self.swaps
            for count, stop in enumerate(self._route.stops[:number])
        )
        return changes % self._drivers

    def driver_at(self, now_s: float) -> int:
        """Return who drives."""
        stint = self.stint(len(self.stops(now_s)))
        return stint.driver if now_s >= stint.swapped_s else stint.before

    def swapped(self, until_s: float) -> list[float]:
        """Return when drivers changed, seconds, up to then."""
        stints = [self.stint(number + 1) for number in range(len(self.stops(until_s)))]
        return [each.swapped_s for each in stints if each.driver != each.before and each.swapped_s <= until_s]

    def left(self, now_s: float, driver: int) -> tuple[float, float]:
        """Return when and where (laps) a driver last left the car; at 0, before the start, where it was never driven."""
        for number in range(len(self.stops(now_s)), 0, -1):
            stint = self.stint(number)
            if stint.before == driver != stint.driver and stint.swapped_s <= now_s:
                return stint.swapped_s, stint.began_at
        return 0.0, self._track.pits.stall - 1

    def tyres_since(self, now_s: float) -> float:
        """Return where the tyres that are on the car were put on, laps."""
        stops = self.stops(now_s)
        served = len(stops) - (1 if stops and now_s < stops[-1].left_s else 0)
        return self.stint(served).began_at

    def fuel(self, moments: Floats, places: Floats) -> Floats:
        """Return the litres in the tank at moments and the places that the car has then."""
        litres = np.empty(len(moments))
        arrived = [stop.arrived_s for stop in self.stops(float(moments[-1]))]
        counts = np.searchsorted(arrived, moments, "right")
        for number in np.unique(counts):
            here = counts == number
            stint = self.stint(int(number))
            left = stint.fuel - (self.burnt(places[here]) - self.burnt(stint.began_at)) * self.lap_fuel
            if number:
                stop, last = self._route.stops[number - 1], self.stint(int(number) - 1)
                came = (
                    last.fuel - float(self.burnt(stint.began_at) - self.burnt(last.began_at)) * self.lap_fuel
                )
                part = (moments[here] - stop.arrived_s) / (stop.left_s - stop.arrived_s)
                left = np.where(part < 1, came + (stint.fuel - came) * np.clip(part, 0, 1), left)
            litres[here] = left
        return litres

    def tyres_from(self, now_s: float) -> tuple[Tyres, float]:
        """Return what the tyres tell at a moment, and until when that stays so."""
        stops = self.stops(now_s)
        coming = next((each.arrived_s for each in self._route.stops[len(stops) :]), float("inf"))
        if not stops or now_s >= stops[-1].left_s:
            return _tyres(0.0, 0), coming
        begins = self.stint(len(stops) - 1)
        laps = stops[-1].lap + self._track.pits.stall - begins.began_at
        return _tyres(laps, len(stops)), stops[-1].left_s


def _tyres(laps: float, number: int) -> Tyres:
    """Return what tyres are like after `laps`; 0: new and cold."""
    uneven = np.random.default_rng(number).uniform(0.85, 1.15, (2, len(WHEELS), 3))
    warm = 1 - np.exp(-laps / 1.5)
    return Tyres(_COLD_C + 46.0 * warm * uneven[0], 1 - 0.0035 * laps * uneven[1])


def fuel_flow(throttle: Floats, rpm: Floats, redline: float) -> Floats:
    """Return kg/h as the dashboard shows it."""
    return np.asarray(2.0 + 78.0 * throttle * rpm / redline, np.float64)
