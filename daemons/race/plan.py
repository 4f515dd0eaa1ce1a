"""Which files are read again, how often: the live race first and often, what rests rarely, nothing never.

With no race live the site reads one file in 5 s and no more, so the idle periods are shares of that: every
other read is the race that comes next (its start shows in its own file only), every fourth `/current`, the
rest take turns.
"""

from collections.abc import Collection, Iterator

from attrs import frozen

from daemons.race.model import Day, Race, State
from daemons.race.paths import CHANNELS, CURRENT, HOME, Kind, event_file, race_file
from daemons.race.rules import last_finished, next_race, ordered_races
from daemons.race.watches import Watch

__all__ = ["Outlook", "plan_watches"]

HOT, WARM, COOL, COLD = range(4)
"""Priorities of watches. Hot ones are due at once when FPVTrackside hints that something happened."""

SOON_S = 1.0
"""For a list that must hold an id it does not hold yet, and for a result that must be there any moment."""

NO_EVENT_S = 4.0
IDLE_RACE_S = 9.0
IDLE_CURRENT_S = 19.0
LIVE_CURRENT_S = 2.0
NO_CURRENT_S = 120.0
LIST_S = 20.0
IDLE_LIST_S = 60.0
NO_CURRENT_LIST_S = 120.0
CHANNELS_S = 300.0
STAGES_S = 120.0
"""They change with the results, which have us read them at once; by themselves only when somebody edits them."""

ROLLOVERS_S = 600.0
"""Where no stage is set to roll anything over: most events have no such file."""

WAITING_RACE_S = 120.0
MAY_START_S = 30.0
MAY_START_MAX = 8
"""Where FPVTrackside does not tell which race is selected, any of the next few may start."""

FINISHED_S = 600.0
RACES_MAX = 200
"""Races watched beside the current one. The nearest in order are kept when an event has more."""


@frozen
class Outlook:
    """What a plan is made from. `soon`: paths to read again within a second or so."""

    event_id: str | None
    day: Day
    current: Race | None
    selected: str | None
    has_current: bool
    soon: Collection[str]


def plan_watches(outlook: Outlook, *, live_s: float) -> tuple[Watch, ...]:
    """Return the watches that fit the day, one a path; `live_s` is the period of the live race."""
    wishes: dict[str, Watch] = {}
    for watch in _wishes(outlook, live_s):
        wishes.setdefault(watch.path, watch)
    for path in outlook.soon:
        if path in wishes:
            wishes[path] = Watch(path, SOON_S, HOT)
    return tuple(wishes.values())


def _wishes(outlook: Outlook, live_s: float) -> Iterator[Watch]:
    """Yield wishes, the most pressing wish for a path first."""
    event_id, day, current = outlook.event_id, outlook.day, outlook.current
    if event_id is None:
        yield Watch(HOME, NO_EVENT_S, HOT)
        return
    is_live = current is not None and current.state is State.LIVE
    if is_live and current is not None:
        yield Watch(race_file(event_id, current.id, Kind.RACE), live_s, HOT)
    if outlook.selected is not None:  # its file may not be known yet
        yield Watch(race_file(event_id, outlook.selected, Kind.RACE), IDLE_RACE_S, HOT)
    if current is not None and not is_live:
        yield Watch(race_file(event_id, current.id, Kind.RACE), IDLE_RACE_S, HOT)
    if outlook.has_current:
        yield Watch(CURRENT, LIVE_CURRENT_S if is_live else IDLE_CURRENT_S, WARM if is_live else HOT)
    else:
        yield Watch(CURRENT, NO_CURRENT_S, COOL)
    if current is None:  # the first race, when it is made, is named there
        yield Watch(event_file(event_id, Kind.EVENT), IDLE_RACE_S, HOT)
    lists_s = LIST_S if is_live else IDLE_LIST_S if outlook.has_current else NO_CURRENT_LIST_S
    for kind in (Kind.EVENT, Kind.ROUNDS, Kind.PILOTS):
        yield Watch(event_file(event_id, kind), lists_s, WARM)
    yield Watch(HOME, lists_s, WARM)
    yield Watch(CHANNELS, CHANNELS_S, WARM)
    yield Watch(event_file(event_id, Kind.STAGES), STAGES_S, COOL)
    rolls_over = any(stage.summary.rollover for stage in day.stages.values())
    rollovers = (STAGES_S, COOL) if rolls_over else (ROLLOVERS_S, COLD)
    yield Watch(event_file(event_id, Kind.RESULTS), *rollovers)
    last = last_finished(day)
    if last is not None:
        # A hint looks at it at once; but one that is not there costs the origin three reads to be sure of it.
        results_s = lists_s if last.id in day.results else FINISHED_S
        yield Watch(race_file(event_id, last.id, Kind.RESULT), results_s, WARM if is_live else HOT)
        yield Watch(race_file(event_id, last.id, Kind.RACE), lists_s, WARM)
    following = next_race(day, current)
    if following is not None:
        yield Watch(race_file(event_id, following.id, Kind.RACE), lists_s, WARM)
    yield from _other_races(outlook, event_id)


def _other_races(outlook: Outlook, event_id: str) -> Iterator[Watch]:
    """The races at rest: those not read yet, then by distance from the current one."""
    day = outlook.day
    listed = day.event.race_ids if day.event is not None else ()
    unread = [key for key in listed if key not in day.races]
    order = ordered_races(day)
    ids = [race.id for race in order]
    here = ids.index(outlook.current.id) if outlook.current is not None and outlook.current.id in ids else 0
    near = [race.id for _, race in sorted(enumerate(order), key=lambda pair: abs(pair[0] - here))]
    deleted = [key for key in day.races if key not in set(ids)]
    waiting = 0
    for key in (*unread, *near, *deleted)[:RACES_MAX]:
        race = day.races.get(key)
        if race is None:
            yield Watch(race_file(event_id, key, Kind.RACE), WAITING_RACE_S, COOL)
            continue
        if race.valid and race.state is not State.DONE:
            waiting += 1
            may_start = not outlook.has_current and waiting <= MAY_START_MAX
            watch = (MAY_START_S, WARM) if may_start else (WAITING_RACE_S, COLD)
        else:
            watch = (FINISHED_S, COLD)
        yield Watch(race_file(event_id, key, Kind.RACE), *watch)
        if race.state is State.DONE:
            yield Watch(race_file(event_id, key, Kind.RESULT), FINISHED_S, COLD)
