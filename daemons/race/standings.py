"""Who leads: the ranking of each stage. Pure functions over `model` values.

Source of the rules: FPVTracksideCore `RaceLib/ResultManager.cs` (GetPointsTotal, GetRollOver), `RaceLib/Stage.cs` and
`RaceLib/Ext.cs` (HasPoints), as gathered in `docs/race-rules.md`. Points are those
of the Result files: the settings they are made from are not served, so what is not there cannot be known.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import frozen

from daemons.race.bests import flights_of, name_of
from daemons.race.model import Day, EventType, Race, Round, Stage, Standings, State, Summary, TimeKind
from daemons.race.rules import best_consecutive, ordered_races, race_time

__all__ = ["StageRow", "StageTable", "has_points", "stage_tables"]

ROUNDS_SHOWN_MAX = 20
"""Columns of a table beside position and total; the last rounds. A day has up to nine."""


@frozen
class StageRow:
    """A row of a ranking: a value for each heading. `pilot_id` None: FPVTrackside named nobody whom we know."""

    pilot_id: str | None
    name: str
    values: tuple[str, ...]


@frozen
class StageTable:
    """A stage's ranking, the best first. `is_ready`: FPVTrackside's own, else worked out here."""

    id: str
    name: str
    type: str
    order: int
    headings: tuple[str, ...]
    rows: tuple[StageRow, ...]
    is_ready: bool


def has_points(type_: EventType) -> bool:
    """Do races of that kind give points?"""
    return type_ in (EventType.RACE, EventType.ENDURANCE)


def stage_tables(day: Day) -> list[StageTable]:
    """Return the rankings of the day, in the order of its stages.

    Where FPVTrackside has its own Standings they are shown as they are. Else a stage is ranked by what it is set to:
    points, times or laps; by points where nothing is set. Files from before August 2025 know no stages: there a round
    with a summary ends a block of rounds, which is shown as a stage with the id of that round.
    """
    rounds = sorted(
        (round_ for round_ in day.rounds.values() if round_.valid),
        key=lambda round_: (round_.order, round_.number, round_.id),
    )
    if not day.stages:
        return [_table(day, stage, block) for stage, block in _blocks(rounds)]
    tables = []
    for stage in sorted(day.stages.values(), key=lambda stage: (stage.order, stage.id)):
        if stage.valid:
            own = [round_ for round_ in rounds if round_.stage_id == stage.id]
            tables.append(_ready(day, stage, stage.standings) if stage.standings else _table(day, stage, own))
    return tables


def _blocks(rounds: Sequence[Round]) -> Iterator[tuple[Stage, list[Round]]]:
    block: list[Round] = []
    for place, round_ in enumerate(rounds):
        block.append(round_)
        if round_.summary is not None or place == len(rounds) - 1:
            first, last = block[0].number, round_.number
            name = f"Round {last}" if len(block) == 1 else f"Rounds {first} to {last}"
            summary = round_.summary or Summary()
            yield Stage(round_.id, name, "Default", round_.order, True, summary), block
            block = []


def _ready(day: Day, stage: Stage, standings: Standings) -> StageTable:
    """Return FPVTrackside's own ranking. Before it named ids, a row is whose name it bears, if only one bears it."""
    ids: dict[str, list[str]] = {}
    for pilot in day.pilots.values():
        ids.setdefault(pilot.name, []).append(pilot.id)
    rows = []
    for row in standings.rows:
        named = ids.get(row.name, [])
        pilot_id = row.pilot_id or (named[0] if len(named) == 1 else None)
        rows.append(StageRow(pilot_id, row.name, row.values))
    return StageTable(stage.id, stage.name, stage.type, stage.order, standings.headings, tuple(rows), True)


def _table(day: Day, stage: Stage, rounds: Sequence[Round]) -> StageTable:
    summary = stage.summary
    if summary.time is not None and not summary.points:
        headings, rows = _by_time(day, rounds, summary.time, all_rounds=summary.all_rounds)
    elif summary.lap_count and not summary.points:
        headings, rows = _by_laps(day, rounds)
    else:
        headings, rows = _by_points(day, rounds, summary)
    return StageTable(stage.id, stage.name, stage.type, stage.order, headings, tuple(rows), False)


def _races_of(day: Day, rounds: Iterable[Round]) -> list[Race]:
    ids = {round_.id for round_ in rounds}
    return [race for race in ordered_races(day) if race.round_id in ids]


_Table = tuple[tuple[str, ...], list[StageRow]]


def _ranked(
    day: Day, scores: Mapping[str, float], shown: Callable[[str], tuple[str, ...]], *, most_first: bool
) -> list[StageRow]:
    """Return rows by score, equal ones sharing a place, by name among them."""
    sign = -1 if most_first else 1
    rows: list[StageRow] = []
    place, before = 0, None
    for pilot in sorted(scores, key=lambda pilot: (sign * scores[pilot], name_of(day, pilot), pilot)):
        if scores[pilot] != before:
            place, before = len(rows) + 1, scores[pilot]
        rows.append(StageRow(pilot, name_of(day, pilot), (str(place), *shown(pilot))))
    return rows


# Points


def _by_points(day: Day, rounds: Sequence[Round], summary: Summary) -> _Table:
    """Rank by the sum of points, with what rolled over, without the worst round where that is dropped."""
    counted = [round_ for round_ in rounds if has_points(round_.type)]
    races = _races_of(day, counted)
    earned = _earned(day, races)
    rolled = _rolled_over(day, rounds) if summary.rollover else {}
    totals: dict[str, float] = {}
    for pilot, results in earned.items():
        points = [points for _, points in results]
        rollover = [rolled[pilot]] if pilot in rolled else []
        totals[pilot] = sum(points) + sum(rollover)
        flown = {round_id for round_id, _ in results}
        if summary.drop_worst and len(points) + len(rollover) > 1 and _flew_all(day, flown, len(points)):
            totals[pilot] -= min([*points, *rollover])
    columns = counted[-ROUNDS_SHOWN_MAX:]

    def shown(pilot: str) -> tuple[str, ...]:
        by_round = [
            [points for round_id, points in earned[pilot] if round_id == column.id] for column in columns
        ]
        cells = [str(sum(points)) if points else "" for points in by_round]
        over = [str(rolled[pilot]) if pilot in rolled else ""] if summary.rollover else []
        return (str(int(totals[pilot])), *over, *cells)

    over = ["Rolled over"] if summary.rollover else []
    headings = ("Position", "Points", *over, *(f"Round {column.number}" for column in columns))
    return headings, _ranked(day, totals, shown, most_first=True)


def _earned(day: Day, races: Sequence[Race]) -> dict[str, list[tuple[str, int]]]:
    """Return (round id, points) of each result of a finished race, by pilot; of all pilots who are lined up."""
    earned: dict[str, list[tuple[str, int]]] = {seat.pilot_id: [] for race in races for seat in race.seats}
    for race in races:
        if race.state is State.DONE:
            for result in day.results.get(race.id, ()):
                if result.pilot_id in earned:
                    earned[result.pilot_id].append((race.round_id, result.points))
    return earned


def _flew_all(day: Day, flown: Iterable[str], results: int) -> bool:
    """Has a pilot at least a result a round, from the first round he flew to the last?

    Who missed one has nothing to drop: he has dropped it already (CountRounds).
    """
    orders = [day.rounds[key].order for key in flown if key in day.rounds]
    if not orders:
        return False
    between = sum(
        round_.valid and min(orders) <= round_.order <= max(orders) for round_ in day.rounds.values()
    )
    return results >= between


def _rolled_over(day: Day, rounds: Sequence[Round]) -> dict[str, int]:
    """Return what each pilot takes over from the round before the first of these: the last one that has any."""
    if not rounds:
        return {}
    before: dict[str, tuple[int, int]] = {}
    for rollover in day.rollovers:
        round_ = day.rounds.get(rollover.round_id)
        if round_ is None or not round_.valid or round_.order >= rounds[0].order:
            continue
        known = before.get(rollover.pilot_id)
        if known is None or round_.order > known[0]:
            before[rollover.pilot_id] = (round_.order, rollover.points)
    return {pilot: points for pilot, (_, points) in before.items()}


# Times and laps


def _by_time(day: Day, rounds: Sequence[Round], kind: TimeKind, *, all_rounds: bool) -> _Table:
    """Rank by the best time of a pilot in one race of these rounds, or of all that day. Who has none is not ranked."""
    races = ordered_races(day) if all_rounds else _races_of(day, rounds)
    event_laps = day.event.laps if day.event is not None else 0
    pb_laps = day.event.pb_laps if day.event is not None else 0
    laps = pb_laps if kind is TimeKind.PB else event_laps
    best: dict[str, float] = {}
    for race in races:
        for pilot, flight in flights_of(day, race):
            is_whole = kind is TimeKind.RACE_TIME
            seconds = race_time(flight, laps) if is_whole else best_consecutive(flight.laps_s, laps)
            if seconds is not None:
                best[pilot] = min(seconds, best.get(pilot, seconds))
    heading = "Race time" if kind is TimeKind.RACE_TIME else "1 lap" if laps == 1 else f"{laps} laps"

    def shown(pilot: str) -> tuple[str, ...]:
        return (f"{best[pilot]:.3f}",)

    return ("Position", heading), _ranked(day, best, shown, most_first=False)


def _by_laps(day: Day, rounds: Sequence[Round]) -> _Table:
    """Rank by the laps flown in these rounds, those behind a race's target too."""
    columns = list(rounds)[-ROUNDS_SHOWN_MAX:]
    flown: dict[str, dict[str, int]] = {}
    for race in _races_of(day, rounds):
        for seat in race.seats:
            flown.setdefault(seat.pilot_id, {})
        for pilot, flight in flights_of(day, race):
            by_round = flown[pilot]
            by_round[race.round_id] = by_round.get(race.round_id, 0) + len(flight.laps_s)
    totals: dict[str, float] = {pilot: sum(by_round.values()) for pilot, by_round in flown.items()}

    def shown(pilot: str) -> tuple[str, ...]:
        cells = (flown[pilot].get(column.id) for column in columns)
        return (str(int(totals[pilot])), *("" if cell is None else str(cell) for cell in cells))

    headings = ("Position", "Laps", *(f"Round {column.number}" for column in columns))
    return headings, _ranked(day, totals, shown, most_first=True)
