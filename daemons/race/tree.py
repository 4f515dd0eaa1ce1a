"""Everything that the pages show of one site's event, as one tree of JSON. Pure.

An absent key is one that is not known; there is no null in it, since the stream sends its changes as merge patches,
in which null deletes. Maps are keyed by id, order stands in lists of ids. Instants are UTC, durations seconds. Only
public things are in it: of a pilot the name he races under.

Keys: event · now {phase, headline, race, previous, next} · order · rounds · races · pilots · stages · bests. What each holds
is told in docs/race-stream.md.
"""

from collections.abc import Container, Mapping
from datetime import tzinfo
from typing import Any

from attrs import define, field

from daemons.race.board import headline
from daemons.race.mergepatch import is_same
from daemons.race.model import Day, Race
from daemons.race.rules import current_race, last_finished, ordered_races
from daemons.race.schedule import Expected, expected, upcoming
from daemons.race.standings import StageTable, stage_tables
from daemons.race.times import event_zone, to_utc, utc_text
from daemons.race.treepilots import bests_json, bests_of, pilots_json
from daemons.race.treerace import Parts, known

__all__ = ["Tree", "TreeMaker"]

Tree = dict[str, Any]

RACES_MAX = 200
ROUNDS_MAX = 200
STAGES_MAX = 32
STAGE_ROWS_MAX = 256
STAGE_COLUMNS_MAX = 24
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
        zone = event_zone(day.event.time_zone if day.event is not None else None, site_zone)
        current = current_race(day, selected)
        races = _shown(day, current)
        parts = self.parts.of(day, races, zone, kept_results)
        times = {key: _expected_json(when, zone) for key, when in expected(day, selected).items()}
        laps, runs = bests_of(day, parts)
        tree = known(
            event=_event(day),
            now=_now(day, selected, current, parts.keys()),
            order=[race.id for race in ordered_races(day) if race.id in parts],
            rounds=_rounds(day),
            races={key: _with_time(part.race, times.get(key)) for key, part in parts.items()},
            pilots=pilots_json(day, selected, races, times, laps, runs),
            stages={table.id: _stage(table) for table in stage_tables(day)[:STAGES_MAX]},
            bests=bests_json(laps, runs),
        )
        self._tree = settled(self._tree, tree)
        return self._tree


def settled(before: Any, after: Any) -> Any:
    """Return `after` with every part that is as it was before as the object that it was before."""
    if before is after or not isinstance(before, dict) or not isinstance(after, dict):
        return before if is_same(before, after) else after
    merged = {key: settled(before.get(key), value) for key, value in after.items()}
    is_new = list(merged) != list(before) or any(before[key] is not merged[key] for key in merged)
    return merged if is_new else before


def _shown(day: Day, current: Race | None) -> list[Race]:
    """The races that are shown: in order; of more than can be, those around the current one."""
    races = ordered_races(day)
    if len(races) > RACES_MAX:
        ids = [race.id for race in races]
        here = ids.index(current.id) if current is not None and current.id in ids else 0
        first = min(max(0, here - RACES_MAX // 2), len(races) - RACES_MAX)
        races = races[first : first + RACES_MAX]
    if current is not None and all(race.id != current.id for race in races):
        races.append(current)  # selected by the operator in a round that does not count
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


def _now(day: Day, selected: str | None, current: Race | None, shown: Container[str]) -> dict[str, Any]:
    previous = last_finished(day)
    if current is None or (previous is not None and previous.id == current.id):
        previous = None
    following = [race.id for race in upcoming(day, selected) if current is None or race.id != current.id]
    return known(
        phase=current.state.value
        if current is not None
        else ("no_event" if day.event is None else "no_race"),
        headline=headline(day, current),
        race=current.id if current is not None else None,
        previous=previous.id if previous is not None and previous.id in shown else None,
        next=[key for key in following if key in shown][:NEXT_MAX],
    )


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
            stage=round_.stage_id or None,
        )
        for round_ in valid[:ROUNDS_MAX]
    }


def _stage(table: StageTable) -> dict[str, Any]:
    return {
        "id": table.id,
        "name": table.name,
        "type": table.type,
        "order": table.order,
        "headings": list(table.headings[:STAGE_COLUMNS_MAX]),
        "rows": [
            known(pilot=row.pilot_id, name=row.name, values=list(row.values[:STAGE_COLUMNS_MAX]))
            for row in table.rows[:STAGE_ROWS_MAX]
        ],
        "is_ready": table.is_ready,
    }


def _expected_json(when: Expected, zone: tzinfo | None) -> dict[str, Any] | None:
    at = utc_text(to_utc(when.at, zone))
    return {"at": at, "spread_s": when.spread_s} if at is not None else None


def _with_time(race: dict[str, Any], time: Mapping[str, Any] | None) -> dict[str, Any]:
    return race if time is None else {**race, "expected": time}
