"""The best laps of an event: of each pilot, in whichever race he flew them. Pure functions over `model` values.

Source of the rules: FPVTracksideCore `RaceLib/LapRecordManager.cs`, as gathered in `docs/race-rules.md`.
"""

from collections.abc import Iterable, Iterator, Mapping

from attrs import field, frozen

from daemons.race.model import Day, Race
from daemons.race.rules import Flight, best_consecutive, flight_of, ordered_races, race_type

__all__ = ["Best", "Bests", "bests", "flights_of", "name_of"]


@frozen
class Best:
    """What a pilot flew best: so many laps in a row, in which race, in seconds."""

    pilot_id: str
    race_id: str
    seconds: float
    laps: int


@frozen
class Bests:
    """The best of each pilot, the fastest first: a lap; the event's Laps in a row (none when that is one); PBLaps."""

    laps: tuple[Best, ...] = ()
    runs: tuple[Best, ...] = ()
    pbs: tuple[Best, ...] = ()
    _lap_of: Mapping[str, Best] = field(init=False, eq=False, repr=False)
    _run_of: Mapping[str, Best] = field(init=False, eq=False, repr=False)

    @_lap_of.default
    def _index_laps(self) -> Mapping[str, Best]:
        return {best.pilot_id: best for best in self.laps}

    @_run_of.default
    def _index_runs(self) -> Mapping[str, Best]:
        return {best.pilot_id: best for best in self.runs}

    def of(self, pilot_id: str) -> tuple[Best | None, Best | None]:
        """Return a pilot's best lap and best run."""
        return self._lap_of.get(pilot_id), self._run_of.get(pilot_id)


def bests(day: Day) -> Bests:
    """Return the best laps of the day, of all races that were not deleted. Of equal ones the earlier race counts."""
    races = ordered_races(day)
    flights = [(race, pilot, flight) for race in races for pilot, flight in flights_of(day, race)]
    run_of = day.event.laps if day.event is not None else 0
    pb_of = day.event.pb_laps if day.event is not None else 0
    return Bests(
        laps=_best_of(day, flights, 1),
        runs=_best_of(day, flights, run_of) if run_of > 1 else (),
        pbs=_best_of(day, flights, pb_of),
    )


def _best_of(day: Day, flights: Iterable[tuple[Race, str, Flight]], laps: int) -> tuple[Best, ...]:
    found: dict[str, Best] = {}
    for race, pilot, flight in flights:
        seconds = best_consecutive(flight.laps_s, laps)
        if seconds is not None and (pilot not in found or seconds < found[pilot].seconds):
            found[pilot] = Best(pilot, race.id, seconds, laps)
    return tuple(
        sorted(found.values(), key=lambda best: (best.seconds, name_of(day, best.pilot_id), best.pilot_id))
    )


def flights_of(day: Day, race: Race) -> Iterator[tuple[str, Flight]]:
    """Yield each pilot of a race with what he flew; nobody before a lap was flown."""
    if race.laps:
        type_ = race_type(day, race)
        for seat in race.seats:
            yield seat.pilot_id, flight_of(race, type_, seat.pilot_id)


def name_of(day: Day, pilot_id: str) -> str:
    """Return the name a pilot races under, "" while it is not known."""
    pilot = day.pilots.get(pilot_id)
    return pilot.name if pilot is not None else ""
