"""The live board: what one page shows of an event, as a value that JSON can carry. Pure.

Only public things are in it: of a pilot the name he races under, never what else Pilots.json holds.
"""

from datetime import tzinfo
from typing import Any

from daemons.race.model import Day, Race, State
from daemons.race.rules import (
    Row,
    best_consecutive,
    current_race,
    last_finished,
    next_race,
    race_name,
    race_type,
    rows_of,
)
from daemons.race.times import read_zone, to_utc, utc_text

__all__ = ["LAPS_MAX", "ROWS_MAX", "Board", "headline", "make_board", "paused_s", "row_json"]

Board = dict[str, Any]

ROWS_MAX = 64
LAPS_MAX = 200
"""Per pilot; the last ones. With ROWS_MAX the bound of what a hostile file can make every phone load."""


def make_board(
    day: Day,
    selected: str | None,
    *,
    site_zone: tzinfo | None = None,
    kept_results: frozenset[str] = frozenset(),
) -> Board:
    """Return the board of a day. Times in seconds, to the millisecond; instants in UTC.

    `selected`: the race that the operator has selected, if FPVTrackside tells. `site_zone`: for events that
    do not name their time zone. `kept_results`: races whose results turned empty and are shown from memory.

    Keys: event {id, name} | None · phase (no_event, no_race, pending, live, done) · headline (words) ·
    race, the current one | None · previous, the one that ended last, when it is not the current one | None
    · next | None.
    """
    event = day.event
    race = current_race(day, selected)
    previous = last_finished(day)
    if race is None or (previous is not None and previous.id == race.id):
        previous = None
    following = next_race(day, race) if race is not None else None
    zone = read_zone(event.time_zone if event is not None else None) or site_zone
    return {
        "event": {"id": event.id, "name": event.name} if event is not None else None,
        "phase": race.state.value if race is not None else ("no_event" if event is None else "no_race"),
        "headline": headline(day, race),
        "race": _race(day, race, zone, kept_results) if race is not None else None,
        "previous": _race(day, previous, zone, kept_results) if previous is not None else None,
        "next": _race(day, following, zone, kept_results) if following is not None else None,
    }


def headline(day: Day, race: Race | None) -> str:
    """Say in words where the event stands; `race`: the current one."""
    if day.event is None:
        return "Waiting for an event to be opened"
    if race is None:
        return "Waiting for the first race"
    name = race_name(day, race)
    match race.state:
        case State.LIVE:
            return f"{name} is on"
        case State.DONE:
            return f"{name} is over"
        case _:
            return f"{name} is next"


def _race(day: Day, race: Race, zone: tzinfo | None, kept_results: frozenset[str]) -> dict[str, Any]:
    round_ = day.rounds.get(race.round_id)
    run_of = day.event.laps if day.event is not None else 0
    return {
        "id": race.id,
        "name": race_name(day, race),
        "type": race_type(day, race).value,
        "round": round_.number if round_ is not None else None,
        "number": race.number,
        "state": race.state.value,
        "start": utc_text(to_utc(race.start, zone)),
        "end": utc_text(to_utc(race.end, zone)),
        "paused_s": paused_s(race),
        "target_laps": race.target_laps or None,
        "best_run_of": run_of or None,
        "official": race.state is State.DONE and bool(day.results.get(race.id)),
        "results_from_memory": race.id in kept_results,
        "rows": [row_json(row, run_of) for row in rows_of(day, race)[:ROWS_MAX]],
    }


def paused_s(race: Race) -> float | None:
    """Return for how long the clock of a race that went on stood still, in seconds; None: not at all.

    FPVTracksideCore `RaceLib/RaceManager.cs`, ElapsedTime: end or now, less the start, less this.
    """
    return _seconds(race.paused_s) if race.start is not None and race.paused_s > 0 else None


def row_json(row: Row, run_of: int) -> dict[str, Any]:
    """Return one pilot of a race; `run_of`: of how many laps in a row the best run is."""
    flight = row.flight
    return {
        "id": row.pilot_id,
        "pilot": row.pilot or "Unknown pilot",
        "channel": row.channel,
        "mhz": row.frequency_mhz or None,
        "colour": row.colour,
        "position": row.position,
        "dnf": row.dnf,
        "laps": flight.counted,
        "over_target": flight.over_target,
        "lap_times": [_seconds(length_s) for length_s in flight.laps_s[-LAPS_MAX:]],
        "holeshot": _seconds(flight.holeshot_s),
        "last": _seconds(flight.last_s),
        "best": _seconds(flight.best_s),
        "best_run": _seconds(best_consecutive(flight.laps_s, run_of)),
        "handicap_s": _seconds(row.handicap_s),
    }


def _seconds(length_s: float | None) -> float | None:
    return None if length_s is None else round(length_s, 3)
