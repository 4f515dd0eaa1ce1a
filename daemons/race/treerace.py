"""One race as the tree shows it, and what each pilot's day takes from it. Pure; made anew only when it changed.

A lap changes one race of a day: with two hundred of them the others are taken over as the objects they were, which
is also how the difference between two trees is found without looking into them.
"""

from datetime import tzinfo
from typing import Any

from attrs import define, field, frozen

from daemons.race.board import ROWS_MAX, row_json
from daemons.race.model import Channel, Day, Event, Pilot, Race, Result, Round, State
from daemons.race.rules import Row, best_consecutive, race_name, race_type, rows_of
from daemons.race.times import to_utc, utc_text

__all__ = ["Best", "Part", "Parts", "known"]


@frozen
class Best:
    """A pilot's bests in one race, in seconds: of one lap, and of as many in a row as the event asks for."""

    lap_s: float | None
    run_s: float | None


@frozen
class Part:
    """A race of the tree, and the bests by pilot id."""

    race: dict[str, Any]
    bests: dict[str, Best]


@frozen
class _Made:
    """What a part was made from, compared by identity first."""

    race: Race
    results: tuple[Result, ...] | None
    details: tuple[object, ...]
    part: Part


@define(eq=False)
class Parts:
    """The parts of the races by id, each as long as what it is made from stays. `made` counts the makings."""

    made: int = field(default=0, init=False)
    _parts: dict[str, _Made] = field(factory=dict, init=False)

    def of(
        self, day: Day, races: list[Race], zone: tzinfo | None, from_memory: frozenset[str]
    ) -> dict[str, Part]:
        """Return the parts of these races in their order, and forget all others."""
        common = _Common(day.event, day.pilots, day.channels, zone)
        parts = {race.id: self._part(day, race, common, race.id in from_memory) for race in races}
        self._parts = parts
        return {key: made.part for key, made in parts.items()}

    def _part(self, day: Day, race: Race, common: "_Common", is_from_memory: bool) -> _Made:
        results, before = day.results.get(race.id), self._parts.get(race.id)
        details = (common, day.rounds.get(race.round_id), is_from_memory)
        if before and before.race is race and before.results is results and before.details == details:
            return before
        self.made += 1
        return _Made(race, results, details, _make_part(day, race, common.zone, is_from_memory))


@frozen
class _Common:
    """What every race of a day is shown with."""

    event: Event | None
    pilots: "dict[str, Pilot] | Any"
    channels: "dict[str, Channel] | Any"
    zone: tzinfo | None


def _make_part(day: Day, race: Race, zone: tzinfo | None, is_from_memory: bool) -> Part:
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
        target_laps=race.target_laps or None,
        best_run_of=run_of or None,
        official=race.state is State.DONE and bool(day.results.get(race.id)),
        from_memory=is_from_memory,
        rows={key: known(**row_json(row, run_of)) for key, row in rows.items()},
        ranking=list(rows),
    )
    return Part(shown, {key: _best(row, run_of) for key, row in rows.items()})


def _best(row: Row, run_of: int) -> Best:
    run_s = best_consecutive(row.flight.laps_s, run_of)
    return Best(row.flight.best_s, run_s)


def known(**values: Any) -> dict[str, Any]:
    """Return an object of what is known: without the keys whose value is None."""
    return {key: value for key, value in values.items() if value is not None}
