"""The pits' journal: what happened, as reliable events on channel `event`, told from one board to the next. Pure.

The journal is for those who want to be told (and for a hub that was away): the truth about a race stays in its files,
where laps are taken back and finished races go live again.
"""

from collections.abc import Iterator
from typing import Any

from attrs import define, field

from daemons.race.board import Board
from protocol.messages import (
    EventOpened,
    Lap,
    OriginFound,
    OriginLost,
    RaceEnded,
    RaceEvent,
    RaceStarted,
    ResultsEmptied,
)

__all__ = ["Journal"]

RACES_KEPT = 500
"""Races of which it is remembered what was told; the oldest are forgotten first."""


@define
class _Told:
    state: str = "pending"
    laps: dict[str, int] = field(factory=dict)
    is_kept: bool = False


@define(eq=False)
class Journal:
    """Remembers what was told of each race, so that nothing is told twice in one process.

    The first board after a start is the past: it is taken in silently, but for the event's name.
    """

    _event_id: str | None = field(default=None, init=False)
    _races: dict[str, _Told] = field(factory=dict, init=False)
    _is_origin_up: bool | None = field(default=None, init=False)

    def origin(self, is_up: bool, why: str, at: float) -> Iterator[RaceEvent]:
        """Tell that the origin was lost or found again. `at`: UTC seconds."""
        if is_up != self._is_origin_up:
            was_known = self._is_origin_up is not None
            self._is_origin_up = is_up
            if not is_up:
                yield OriginLost(at, why)
            elif was_known:
                yield OriginFound(at)

    def board(self, board: Board, at: float) -> Iterator[RaceEvent]:
        """Tell what `board` shows that the boards before it did not."""
        event = board["event"]
        if event is None:
            return
        is_first = event["id"] != self._event_id
        if is_first:
            self._event_id = event["id"]
            self._races.clear()
            yield EventOpened(at, event["id"], event["name"])
        for race in (board["race"], board["previous"], board["next"]):
            if race is not None:
                yield from self._race(race, at)

    def _race(self, race: dict[str, Any], at: float) -> Iterator[RaceEvent]:
        told = self._races.get(race["id"])
        if told is None:
            while len(self._races) >= RACES_KEPT:
                self._races.pop(next(iter(self._races)))
            self._races[race["id"]] = _Told(race["state"], _laps_of(race), race["results_from_memory"])
            return
        id_, name = race["id"], race["name"]
        if race["state"] == "live" and told.state != "live":
            yield RaceStarted(at, id_, name)
        yield from self._laps(race, told, at)
        if race["state"] == "done" and told.state != "done":
            yield RaceEnded(at, id_, name)
        if race["results_from_memory"] and not told.is_kept:
            yield ResultsEmptied(at, id_, name)
        told.state, told.laps, told.is_kept = race["state"], _laps_of(race), race["results_from_memory"]

    def _laps(self, race: dict[str, Any], told: _Told, at: float) -> Iterator[RaceEvent]:
        """Tell laps that came on top. Laps taken back are no event: who wants the count reads the race."""
        for row in race["rows"]:
            times = row["lap_times"]
            known = told.laps.get(row["id"], 0)
            for number, length_s in enumerate(times[known:], start=known + 1):
                yield Lap(at, race["id"], row["pilot"], number, length_s)


def _laps_of(race: dict[str, Any]) -> dict[str, int]:
    return {row["id"]: len(row["lap_times"]) for row in race["rows"]}
