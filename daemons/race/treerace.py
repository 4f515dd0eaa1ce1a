"""One race as the tree shows it, and what each pilot's day takes from it. Pure; made anew only when it changed.

A lap changes one race of a day: with two hundred of them the others are taken over as the objects they were, which
is also how the difference between two trees is found without looking into them.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from attrs import define, field, frozen

from daemons.race.board import ROWS_MAX, paused_s, row_json
from daemons.race.model import Channel, Day, Event, Pilot, Race, Result, Round, State
from daemons.race.rules import Row, best_consecutive, race_name, race_type, rows_of
from daemons.race.schedule import channel_changes
from daemons.race.times import to_utc, utc_text

__all__ = ["Best", "Part", "Parts", "known"]


@frozen
class Best:
    """A pilot's bests in one race, in seconds: of one lap, and of as many in a row as the event asks for."""

    lap_s: float | None
    run_s: float | None


@frozen
class Part:
    """A race of the tree, and the bests by pilot id; nobody's before a lap was flown."""

    race: dict[str, Any]
    bests: dict[str, Best]


@frozen
class _Made:
    """What a part was made from, compared by identity first."""

    race: Race
    results: tuple[Result, ...] | None
    made_from: tuple[object, ...]
    part: Part


@define(eq=False)
class Parts:
    """The parts of the races by id, each as long as what it is made from stays. `made` counts the makings."""

    made: int = field(default=0, init=False)
    _parts: dict[str, _Made] = field(factory=dict, init=False)
    _common: "_Common | None" = field(default=None, init=False)

    def of(
        self, day: Day, races: list[Race], zone: tzinfo | None, from_memory: frozenset[str]
    ) -> dict[str, Part]:
        """Return the parts of these races in their order, and forget all others."""
        common = _Common(day.event, day.pilots, day.channels, zone)
        if common == self._common:
            common = self._common
        else:
            self._common = common
        changes = channel_changes(day)
        parts = {
            race.id: self._part(
                day, race, common, _Details(race.id in from_memory, changes.get(race.id, frozenset()))
            )
            for race in races
        }
        self._parts = parts
        return {key: made.part for key, made in parts.items()}

    def _part(self, day: Day, race: Race, common: "_Common", details: "_Details") -> _Made:
        results, before = day.results.get(race.id), self._parts.get(race.id)
        made_from = (common, day.rounds.get(race.round_id), details)
        if before and before.race is race and before.results is results and before.made_from == made_from:
            return before
        self.made += 1
        return _Made(race, results, made_from, _make_part(day, race, common.zone, details))


@frozen
class _Common:
    """What every race of a day is shown with."""

    event: Event | None
    pilots: Mapping[str, Pilot]
    channels: Mapping[str, Channel]
    zone: tzinfo | None


@frozen
class _Details:
    """What else one race is shown with. `changed`: the pilots who fly on another channel than before."""

    is_from_memory: bool
    changed: frozenset[str]


def _make_part(day: Day, race: Race, zone: tzinfo | None, details: _Details) -> Part:
    round_: Round | None = day.rounds.get(race.round_id)
    run_of = day.event.laps if day.event is not None else 0
    rows = {row.pilot_id: row for row in rows_of(day, race)[:ROWS_MAX]}
    shown = known(
        id=race.id,
        name=race_name(day, race),
        type=race_type(day, race).value,
        round=round_.id if round_ is not None else None,
        number=race.number,
        bracket=race.bracket or None,
        state=race.state.value,
        start=utc_text(to_utc(race.start, zone)),
        end=utc_text(to_utc(race.end, zone)),
        paused_s=paused_s(race),
        target_laps=race.target_laps or None,
        best_run_of=run_of or None,
        official=race.state is State.DONE and bool(day.results.get(race.id)),
        from_memory=details.is_from_memory,
        rows={
            key: known(**row_json(row, run_of), points=row.points, channel_changed=key in details.changed)
            for key, row in rows.items()
        },
        ranking=list(rows),
    )
    return Part(shown, {key: _best(row, run_of) for key, row in rows.items() if row.flight.laps_s})


def _best(row: Row, run_of: int) -> Best:
    run_s = best_consecutive(row.flight.laps_s, run_of) if run_of > 1 else None
    return Best(row.flight.best_s, run_s)


def known(**values: Any) -> dict[str, Any]:
    """Return an object of what is known: without the keys whose value is None."""
    return {key: value for key, value in values.items() if value is not None}
