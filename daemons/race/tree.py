"""Everything that the pages show of one site's event, as one tree of JSON. Pure.

An absent key is one that is not known; there is no null in it, since the stream sends its changes as merge patches,
in which null deletes. Maps are keyed by id, order stands in lists of ids. Instants are UTC, durations seconds. Only
public things are in it: of a pilot the name he races under.

Keys: event · now {phase, headline, race, previous, next} · order · rounds · races · pilots · bests. What each holds
is told in docs/race-stream.md.
"""

from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from attrs import define, field

from daemons.race.board import headline
from daemons.race.mergepatch import is_same
from daemons.race.model import Day, Race, State
from daemons.race.rules import current_race, last_finished, ordered_races
from daemons.race.times import read_zone
from daemons.race.treerace import Best, Part, Parts, known

__all__ = ["Tree", "TreeMaker"]

Tree = dict[str, Any]

RACES_MAX = 200
PILOTS_MAX = 256
ROUNDS_MAX = 200
BESTS_MAX = 64
NEXT_MAX = 3


@define(eq=False)
class TreeMaker:
    """Makes the trees of one site, one after the other; what is as it was before is the same object again."""

    parts: Parts = field(factory=Parts, init=False)
    _tree: Tree = field(factory=dict, init=False)

    def make(
        self,
        day: Day,
        selected: str | None,
        *,
        site_zone: tzinfo | None = None,
        kept_results: frozenset[str] = frozenset(),
    ) -> Tree:
        """Return the tree of a day; not to be changed, and the same object when nothing else is to be shown.

        `selected`: the race that the operator has selected, if FPVTrackside tells. `site_zone`: for events that do not
        name their time zone. `kept_results`: races whose results turned empty and are shown from memory.
        """
        event = day.event
        zone = read_zone(event.time_zone if event is not None else None) or site_zone
        current = current_race(day, selected)
        races = _shown(day, current)
        parts = self.parts.of(day, races, zone, kept_results)
        tree = known(
            event=_event(day),
            now=_now(day, current, races),
            order=[race.id for race in ordered_races(day) if race.id in parts],
            rounds=_rounds(day),
            races={key: part.race for key, part in parts.items()},
            pilots=_pilots(day, races, parts),
            bests=_bests(parts, event.laps if event is not None else 0),
        )
        self._tree = settled(self._tree, tree)
        return self._tree


def settled(before: Any, after: Any) -> Any:
    """Return `after` with every part that is as it was before as the object that it was before."""
    if before is after or not isinstance(before, dict) or not isinstance(after, dict):
        return before if is_same(before, after) else after
    merged = {key: settled(before.get(key), value) for key, value in after.items()}
    is_new = merged.keys() != before.keys() or any(before[key] is not merged[key] for key in merged)
    return merged if is_new else before


def _shown(day: Day, current: Race | None) -> list[Race]:
    """The races that are shown: in order; of more than can be, those around the current one."""
    races = ordered_races(day)
    if len(races) > RACES_MAX:
        ids = [race.id for race in races]
        here = ids.index(current.id) if current is not None and current.id in ids else 0
        first = min(max(0, here - RACES_MAX // 2), len(races) - RACES_MAX)
        races = races[first : first + RACES_MAX]
    if (
        current is not None and current not in races
    ):  # selected by the operator in a round that does not count
        races.append(current)
    return races


def _event(day: Day) -> dict[str, Any] | None:
    event = day.event
    if event is None:
        return None
    return known(
        id=event.id,
        name=event.name,
        type=event.type.value,
        laps=event.laps,
        pb_laps=event.pb_laps,
        time_zone=event.time_zone,
    )


def _now(day: Day, current: Race | None, races: list[Race]) -> dict[str, Any]:
    previous = last_finished(day)
    if current is None or (previous is not None and previous.id == current.id):
        previous = None
    shown = {race.id for race in races}
    return known(
        phase=current.state.value
        if current is not None
        else ("no_event" if day.event is None else "no_race"),
        headline=headline(day, current),
        race=current.id if current is not None else None,
        previous=previous.id if previous is not None and previous.id in shown else None,
        next=_next(current, races),
    )


def _next(current: Race | None, races: list[Race]) -> list[str]:
    """The races behind the current one that have pilots and have not ended."""
    if current is None:
        return []
    behind = races[races.index(current) + 1 :]
    return [race.id for race in behind if race.seats and race.state is not State.DONE][:NEXT_MAX]


def _rounds(day: Day) -> dict[str, Any]:
    valid = [round_ for round_ in day.rounds.values() if round_.valid]
    valid.sort(key=lambda round_: (round_.order, round_.id))
    return {
        round_.id: known(
            id=round_.id,
            name=f"{round_.type} Round {round_.number}",
            number=round_.number,
            type=round_.type.value,
            order=round_.order,
        )
        for round_ in valid[:ROUNDS_MAX]
    }


def _pilots(day: Day, races: list[Race], parts: dict[str, Part]) -> dict[str, Any]:
    flies: dict[str, list[str]] = {key: [] for key in list(day.pilots)[:PILOTS_MAX]}
    for race in races:
        for seat in race.seats:
            ids = flies.get(seat.pilot_id)
            if ids is not None and race.id not in ids:
                ids.append(race.id)
    run_of = day.event.laps if day.event is not None else 0
    laps, runs = _best_of(parts, lambda best: best.lap_s), _best_of(parts, lambda best: best.run_s)
    return {
        key: known(
            id=key,
            name=day.pilots[key].name or "Unknown pilot",
            best_lap=_said(laps.get(key)),
            best_run=_said(runs.get(key), laps=run_of),
            races=ids,
        )
        for key, ids in flies.items()
    }


def _best_of(parts: dict[str, Part], of: Callable[[Best], float | None]) -> dict[str, tuple[float, str]]:
    """Return pilot id → (seconds, race id), of the first race in which it was flown."""
    found: dict[str, tuple[float, str]] = {}
    for race_id, part in parts.items():
        for pilot_id, best in part.bests.items():
            s = of(best)
            if s is not None and (pilot_id not in found or s < found[pilot_id][0]):
                found[pilot_id] = (s, race_id)
    return found


def _said(best: tuple[float, str] | None, **more: Any) -> dict[str, Any] | None:
    return None if best is None else {"s": round(best[0], 3), "race": best[1], **more}


def _bests(parts: dict[str, Part], run_of: int) -> dict[str, Any]:
    def ranked(of: Callable[[Best], float | None], **more: Any) -> list[dict[str, Any]]:
        found = sorted(_best_of(parts, of).items(), key=lambda pair: (pair[1][0], pair[0]))
        return [
            {"pilot": pilot_id, "s": round(s, 3), "race": race_id, **more}
            for pilot_id, (s, race_id) in found[:BESTS_MAX]
        ]

    return {"laps": ranked(lambda best: best.lap_s), "runs": ranked(lambda best: best.run_s, laps=run_of)}
