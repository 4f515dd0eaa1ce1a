"""What really happens in a race, exact, for tests to compare with what was found from its rows."""

from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from .race import Race

__all__ = ["Lap", "PitStop", "Truth"]


@frozen(kw_only=True)
class Lap:
    """`number` from 1. Seconds from tick 0 (`begins_s * 60` is the tick, with its fraction). `sectors`: how long each took,
    as many as the track has. `pits`: it ends or begins in the pit lane; `points`: incidents (0: it stayed on the track)."""

    number: int
    begins_s: float
    ends_s: float
    sectors: tuple[float, ...]
    pits: bool
    points: int

    @property
    def time_s(self) -> float:
        """How long it took."""
        return self.ends_s - self.begins_s


@frozen(kw_only=True)
class PitStop:
    """A stop of the team's car. Seconds from tick 0, litres. `lap`: the one that ends with it, from 1. `driver`: who
    drives on, of the team, from 0; the same as `driver_before` where nobody swapped."""

    lap: int
    entered_s: float
    arrived_s: float
    swapped_s: float
    left_s: float
    exited_s: float
    fuel_before: float
    fuel_after: float
    driver_before: int
    driver: int


class Truth:
    """Asked for by car: `laps(race.player_index, 600.0)`."""

    def __init__(self, race: "Race") -> None:
        self._race = race

    def laps(self, car: int, until_s: float) -> list[Lap]:
        """Return the laps of a car that end by then."""
        route, sectors = self._race.routes[car], self._race.track.sectors
        laps: list[Lap] = []
        while route.when(len(laps) + 1.0) <= until_s:
            number = len(laps)
            cuts = [route.when(number + place) for place in (*sectors, 1.0)]
            pitted = {stop.lap for stop in route.stops}
            off = route.excursions.get(number)
            laps.append(
                Lap(
                    number=number + 1, begins_s=cuts[0], ends_s=cuts[-1],
                    sectors=tuple(after - before for before, after in pairwise(cuts)),
                    pits=number in pitted or number - 1 in pitted, points=off.points if off else 0,
                )
            )  # fmt: skip
        return laps

    def stops(self, until_s: float) -> list[PitStop]:
        """Return the stops of the team's car that it has come out of by then."""
        race = self._race
        route, pits, stints = race.routes[race.player_index], race.track.pits, race.stints
        found = []
        for number, stop in enumerate(stints.stops(until_s)):
            exited = route.when(stop.lap + pits.exit)
            if exited > until_s:
                break
            stint, last = stints.stint(number + 1), stints.stint(number)
            used = float(stints.burnt(stint.began_at) - stints.burnt(last.began_at)) * stints.lap_fuel
            found.append(
                PitStop(
                    lap=stop.lap + 1, entered_s=route.when(stop.lap + pits.entry), arrived_s=stop.arrived_s,
                    swapped_s=stint.swapped_s, left_s=stop.left_s, exited_s=exited, fuel_before=last.fuel - used,
                    fuel_after=stint.fuel, driver_before=last.driver, driver=stint.driver,
                )
            )  # fmt: skip
        return found

    def driver(self, tick: int) -> int:
        """Return who drives the team's car, of the team, from 0."""
        return self._race.stints.driver_at(tick / 60)

    def place(self, car: int, tick: int) -> float:
        """Return where a car is, laps from the first start/finish; NaN when it is gone."""
        return self._race.routes[car].place_at(tick / 60)
