"""The pilots of the tree: when each flies next and on which channel, and the best of what each has flown. Pure.

`bests` says the same from the day; here it is taken from what each race was found to hold when it last changed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from daemons.race.bests import name_of
from daemons.race.channels import channel_colours, channel_label
from daemons.race.model import Day, Race
from daemons.race.schedule import NextFlight, next_flights
from daemons.race.treerace import Best, Part, known

__all__ = ["bests_json", "bests_of", "pilots_json"]

PILOTS_MAX = 256
BESTS_MAX = 64

_Bests = dict[str, dict[str, Any]]
"""By pilot id {s, race} or {s, race, laps}, the best first."""


def bests_of(day: Day, parts: Mapping[str, Part]) -> tuple[_Bests, _Bests]:
    """Return the best lap of each pilot, and the best run, of as many laps as the event asks for."""
    run_of = day.event.laps if day.event is not None else 0
    return (
        _best_of(day, parts, lambda best: best.lap_s),
        _best_of(day, parts, lambda best: best.run_s, laps=run_of),
    )


def _best_of(day: Day, parts: Mapping[str, Part], of: Callable[[Best], float | None], **more: Any) -> _Bests:
    found: dict[str, tuple[float, str]] = {}  # of equal ones the earlier race counts
    for race_id, part in parts.items():
        for pilot_id, best in part.bests.items():
            s = of(best)
            if s is not None and (pilot_id not in found or s < found[pilot_id][0]):
                found[pilot_id] = (s, race_id)
    ranked = sorted(found.items(), key=lambda pair: (pair[1][0], name_of(day, pair[0]), pair[0]))
    return {pilot_id: {"s": round(s, 3), "race": race_id, **more} for pilot_id, (s, race_id) in ranked}


def bests_json(laps: _Bests, runs: _Bests) -> dict[str, Any]:
    """Return the rankings of the best, as many as are shown."""
    return {
        "laps": [{"pilot": key, **best} for key, best in list(laps.items())[:BESTS_MAX]],
        "runs": [{"pilot": key, **best} for key, best in list(runs.items())[:BESTS_MAX]],
    }


def pilots_json(
    day: Day,
    selected: str | None,
    races: list[Race],
    times: Mapping[str, Any],
    laps: _Bests,
    runs: _Bests,
) -> dict[str, Any]:
    """Return the pilots by id. `times`: when races are expected, by race id, None where that cannot be told."""
    flies: dict[str, dict[str, None]] = {key: {} for key in list(day.pilots)[:PILOTS_MAX]}
    for race in races:
        for seat in race.seats:
            if seat.pilot_id in flies:
                flies[seat.pilot_id][race.id] = None
    colours, flights = channel_colours(day), next_flights(day, selected)
    return {
        key: known(
            id=key,
            name=day.pilots[key].name or "Unknown pilot",
            next=_next(day, flights[key], times, colours) if key in flights else None,
            best_lap=laps.get(key),
            best_run=runs.get(key),
            races=list(ids),
        )
        for key, ids in flies.items()
    }


def _next(
    day: Day, flight: NextFlight, times: Mapping[str, Any], colours: Mapping[str, str]
) -> dict[str, Any]:
    label = channel_label(day, flight.channel_id, colours)
    return known(
        race=flight.race_id,
        races_until=flight.races_until,
        expected=times.get(flight.race_id),
        channel=label.name,
        mhz=label.frequency_mhz or None,
        colour=label.colour,
        channel_changed=flight.channel_changed,
    )
