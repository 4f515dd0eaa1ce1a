"""When does each pilot fly: what is still to be flown, in which order, and when, by the day's own rhythm. Pure.

No clock: what is expected changes when a race starts or ends, or the plan does, and not from second to second, so
that nobody has to be told anew in between. Times are local to the event, as those of the model.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from attrs import frozen

from daemons.race.model import Day, Race, State
from daemons.race.rules import current_race, last_finished, ordered_races

__all__ = [
    "Expected",
    "NextFlight",
    "Rhythm",
    "channel_changed",
    "channel_changes",
    "expected",
    "line",
    "next_flights",
    "rhythm",
    "upcoming",
]

PAUSE_S = 1800.0
"""From start to start: longer is a pause, not the rhythm."""

PAUSE_FACTOR = 2.5
"""So many times the usual is a pause too: a lunch, a broken gate."""

RECENT = 12
"""The gaps that the rhythm is taken from: a round or three."""

FEW = 4
SPREAD_OF_FEW = 0.25
"""From fewer gaps than `FEW` the spread is not measured but taken as this share of the gap at least."""


@frozen
class Rhythm:
    """How races follow each other, in seconds: from start to start, from an end to the next start.

    `spread_s` is half the width in which the middle three fifths of the gaps lie; `gaps` how many were counted.
    """

    gap_s: float
    turnaround_s: float
    spread_s: float
    gaps: int


@frozen
class Expected:
    """When a race should start: local time to the second, give or take `spread_s` seconds."""

    at: datetime
    spread_s: float


@frozen
class NextFlight:
    """A pilot's next race. `races_until` 0: it is on, or the next. `channel_changed`: another than he flew on last."""

    race_id: str
    races_until: int
    expected: Expected | None
    channel_id: str
    channel_changed: bool


# --- what is to be flown ------------------------------------------------------------------------------------


def upcoming(day: Day, selected: str | None) -> list[Race]:
    """Return the races with pilots that are still to be flown, the next one first; the live one is not among them.

    First what waits to be flown by `current_race`, then what is left of its round (races of a round are flown in any
    order), then the later rounds. A race that was skipped in an earlier round is not promised to anybody.
    """
    races = ordered_races(day)
    waiting = [race for race in races if race.state is State.PENDING and race.seats]
    here = current_race(day, selected)
    if here is not None and here.state is State.DONE:
        here = last_finished(day)
    if here is None:
        return waiting
    ids = [race.id for race in races]
    if here.id not in ids:  # selected, but of a round that was deleted
        return waiting
    place = ids.index(here.id)
    left = [race for race in waiting if race.round_id == here.round_id and ids.index(race.id) < place]
    after = [race for race in waiting if ids.index(race.id) >= place]
    rest = [race for race in after if race.round_id == here.round_id]
    return [*rest, *left, *(race for race in after if race.round_id != here.round_id)]


def line(day: Day, selected: str | None) -> list[Race]:
    """Return the race that is on, if any, and what is upcoming."""
    here = current_race(day, selected)
    on = [here] if here is not None and here.state is State.LIVE else []
    return [*on, *upcoming(day, selected)]


# --- when ---------------------------------------------------------------------------------------------------


def rhythm(day: Day) -> Rhythm | None:
    """Return the rhythm of the races flown of late; None before two were, or when only pauses lie between them.

    A gap is what lies between two starts that follow each other by the clock. The median counts, so that one long
    race or one false start does not; long pauses are left out.
    """
    flown = _flown(day)
    pairs = [
        (gap_s, earlier, later)
        for earlier, later in pairwise(flown)
        if 0 < (gap_s := _between_s(earlier.start, later.start)) <= PAUSE_S
    ][-RECENT:]
    if not pairs:
        return None
    usual_s = statistics.median(gap_s for gap_s, _, _ in pairs)
    pairs = [pair for pair in pairs if pair[0] <= PAUSE_FACTOR * usual_s]
    gaps = sorted(gap_s for gap_s, _, _ in pairs)
    turns = [max(0.0, _between_s(earlier.end, later.start)) for _, earlier, later in pairs if earlier.end]
    gap_s = statistics.median(gaps)
    spread_s = (_quantile(gaps, 0.8) - _quantile(gaps, 0.2)) / 2
    if len(gaps) < FEW:
        spread_s = max(spread_s, SPREAD_OF_FEW * gap_s)
    return Rhythm(gap_s, statistics.median(turns) if turns else gap_s, spread_s, len(gaps))


def expected(day: Day, selected: str | None) -> Mapping[str, Expected]:
    """Return when the upcoming races should start, by race id.

    The next one a turnaround after the last end, or a gap after the start of the race that is on; each further one a
    gap later. A round that has not begun does not begin before its ScheduledStart. Nothing is said before two races
    were flown, but for the first race of a round with a ScheduledStart.
    """
    beat, flown = rhythm(day), _flown(day)
    begun = {race.round_id for race in flown}
    found: dict[str, Expected] = {}
    at = _next_start(flown[-1], beat) if beat is not None else None
    for steps, race in enumerate(upcoming(day, selected), start=1):
        round_ = day.rounds.get(race.round_id)
        if round_ is not None and round_.scheduled is not None and round_.id not in begun:
            begun.add(round_.id)
            at = round_.scheduled if at is None else max(at, round_.scheduled)
        if at is not None:
            spread_s = beat.spread_s * math.sqrt(steps) if beat is not None else 0.0
            found[race.id] = Expected(at.replace(microsecond=0), float(round(spread_s)))
        at = _later(at, beat.gap_s) if beat is not None else None
    return found


def _next_start(last: Race, beat: Rhythm) -> datetime | None:
    if last.end is not None:
        return _later(last.end, beat.turnaround_s)
    return _later(last.start, beat.gap_s)


def _flown(day: Day) -> list[Race]:
    """Return the races that were started, by the clock."""
    started = [race for race in ordered_races(day) if race.start is not None]
    return sorted(started, key=lambda race: race.start or datetime.min)


def _between_s(earlier: datetime | None, later: datetime | None) -> float:
    return (later - earlier).total_seconds() if earlier is not None and later is not None else 0.0


def _later(at: datetime | None, by_s: float) -> datetime | None:
    try:
        return at + timedelta(seconds=by_s) if at is not None else None
    except OverflowError:  # the end of the calendar
        return None


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share lies, between its two neighbours by the straight line."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


# --- who ----------------------------------------------------------------------------------------------------


def next_flights(day: Day, selected: str | None) -> Mapping[str, NextFlight]:
    """Return each pilot's next race, by pilot id; who has none is not in it."""
    times, changes = expected(day, selected), channel_changes(day)
    found: dict[str, NextFlight] = {}
    for races_until, race in enumerate(line(day, selected)):
        changed = changes.get(race.id, frozenset())
        for seat in race.seats:
            if seat.pilot_id not in found:
                found[seat.pilot_id] = NextFlight(
                    race_id=race.id,
                    races_until=races_until,
                    expected=times.get(race.id),
                    channel_id=seat.channel_id,
                    channel_changed=seat.pilot_id in changed,
                )
    return found


def channel_changes(day: Day) -> Mapping[str, frozenset[str]]:
    """Return, by race id, the pilots whose channel there is another than in the race that they flew before it.

    Before it by the clock; for a race that was not started yet, the last one they flew.
    """
    found: dict[str, frozenset[str]] = {}
    last: dict[str, str] = {}
    for race in (*_flown(day), *_unflown(day)):
        found[race.id] = frozenset(
            seat.pilot_id
            for seat in race.seats
            if last.get(seat.pilot_id, seat.channel_id) != seat.channel_id
        )
        if race.start is not None:
            last.update((seat.pilot_id, seat.channel_id) for seat in race.seats)
    return found


def _unflown(day: Day) -> Iterator[Race]:
    return (race for race in ordered_races(day) if race.start is None)


def channel_changed(day: Day, race: Race, pilot_id: str) -> bool:
    """Does a pilot fly this race on another channel than the one before? For many at once: `channel_changes`."""
    return pilot_id in channel_changes(day).get(race.id, frozenset())
