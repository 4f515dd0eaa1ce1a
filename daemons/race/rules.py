"""What a spectator wants to know, computed by FPVTrackside's own rules. Pure functions over `model` values.

Source of the rules: FPVTracksideCore `RaceLib/Race.cs` and `RaceLib/ResultManager.cs`, as gathered in the
domain notes. Two of them surprise: a lap belongs to nobody until its detection is looked up (and a third of
the laps in real files hang on detections that were ruled out), and a position is not a count of laps but
the order of gate passes.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from attrs import frozen

from daemons.race.channels import channel_colours, channel_label
from daemons.race.model import Day, EventType, Race, Result, Seat, State

__all__ = [
    "Flight",
    "Row",
    "best_consecutive",
    "current_race",
    "flight_of",
    "last_finished",
    "next_race",
    "ordered_races",
    "positions_of",
    "race_name",
    "race_time",
    "race_type",
    "rows_of",
    "unknown_ids",
]

SECTORS_PER_LAP = 100


@frozen
class Flight:
    """What one pilot has flown in one race, in the order flown; `laps_s` without the holeshot."""

    holeshot_s: float | None
    laps_s: tuple[float, ...]
    over_target: int

    @property
    def counted(self) -> int:
        """How many laps count for the race."""
        return len(self.laps_s) - self.over_target

    @property
    def last_s(self) -> float | None:
        return self.laps_s[-1] if self.laps_s else None

    @property
    def best_s(self) -> float | None:
        return min(self.laps_s, default=None)


@frozen
class Row:
    """One pilot of a race as the board shows him. `position` None: not placed (yet); `points` None: not official;
    `handicap_s`: how long after the others' start his own is, None in a race without handicaps."""

    pilot_id: str
    pilot: str
    channel: str | None
    frequency_mhz: int
    colour: str | None
    position: int | None
    dnf: bool
    flight: Flight
    points: int | None = None
    handicap_s: float | None = None


def race_type(day: Day, race: Race) -> EventType:
    """Return how a race is flown: as its round says, else as the event says."""
    round_ = day.rounds.get(race.round_id)
    if round_ is not None:
        return round_.type
    return day.event.type if day.event is not None else EventType.RACE


def race_name(day: Day, race: Race) -> str:
    """Return the name FPVTrackside gives a race: "Race 3-1", or "Race 3-1 (Winners)"."""
    round_ = day.rounds.get(race.round_id)
    where = f"{round_.number}-{race.number}" if round_ is not None else str(race.number)
    bracket = f" ({race.bracket})" if race.bracket else ""
    return f"{race_type(day, race)} {where}{bracket}"


def ordered_races(day: Day) -> list[Race]:
    """Return the races that are run, in their order: valid rounds by Order, valid races by RaceNumber.

    A race whose round is not known yet comes last rather than not at all: lists arrive later than races.
    """

    def place(race: Race) -> tuple[bool, int, int, str]:
        round_ = day.rounds.get(race.round_id)
        return (round_ is None, round_.order if round_ is not None else 0, race.number, race.id)

    def is_run(race: Race) -> bool:
        round_ = day.rounds.get(race.round_id)
        return race.valid and (round_ is None or round_.valid)

    return sorted(filter(is_run, day.races.values()), key=place)


def last_finished(day: Day) -> Race | None:
    """Return the race that ended last by the clock; races are run out of order."""
    done = [race for race in ordered_races(day) if race.state is State.DONE]
    return max(done, key=lambda race: race.end or datetime.min, default=None)


def next_race(day: Day, after: Race | None) -> Race | None:
    """Return the first race behind `after` (or of all) that has pilots and has not ended."""
    races = ordered_races(day)
    ids = [race.id for race in races]
    start = ids.index(after.id) + 1 if after is not None and after.id in ids else 0
    for race in races[start:]:
        if race.seats and race.state is not State.DONE:
            return race
    return None


def current_race(day: Day, selected: str | None) -> Race | None:
    """Return the race to show: the one the operator selected, else the live, else the next, else the last."""
    chosen = day.races.get(selected) if selected is not None else None
    if chosen is not None and chosen.valid:
        return chosen
    live = [race for race in ordered_races(day) if race.state is State.LIVE]
    if live:  # a crash can leave an old race without an end: the youngest is the one being flown
        return max(live, key=lambda race: race.start or datetime.min)
    finished = last_finished(day)
    return next_race(day, finished) or finished


def flight_of(race: Race, type_: EventType, pilot_id: str) -> Flight:
    """Return what a pilot has flown: his valid laps, by number."""
    laps = race.valid_laps.get(pilot_id, ())
    holeshots = [lap.length_s for lap in laps if lap.number == 0]
    flown = [lap for lap in laps if lap.number > 0]
    over = sum(lap.number > race.target_laps for lap in flown) if type_ is EventType.RACE else 0
    return Flight(holeshots[0] if holeshots else None, tuple(lap.length_s for lap in flown), over)


def best_consecutive(laps_s: Sequence[float], count: int) -> float | None:
    """Return the shortest total of `count` laps in a row, or None when there are fewer."""
    if count < 1 or len(laps_s) < count:
        return None
    return min(sum(laps_s[i : i + count]) for i in range(len(laps_s) - count + 1))


def race_time(flight: Flight, laps: int) -> float | None:
    """Return the time of a whole race of so many laps, from the start: the holeshot, if there was one, and the laps.

    None when fewer were flown. FPVTracksideCore `RaceLib/LapRecordManager.cs`, GetBestRaceTime.
    """
    if laps < 1 or len(flight.laps_s) < laps:
        return None
    return (flight.holeshot_s or 0.0) + sum(flight.laps_s[:laps])


def positions_of(race: Race, type_: EventType) -> dict[str, int]:
    """Return pilot id → position by the gate passes: who got furthest, and there first.

    A dead heat shares the place.
    In a race, passes behind the target do not count. A pilot without a valid pass has no position.
    """
    limit = race.target_laps * SECTORS_PER_LAP if type_ is EventType.RACE else None
    passes = [d for d in race.detections if d.valid and (limit is None or d.sector <= limit)]
    passes.sort(key=lambda d: (-d.sector, d.time or datetime.max))
    positions: dict[str, int] = {}
    before: tuple[int, datetime | None] | None = None
    place = 0
    for detection in passes:
        if detection.pilot_id in positions:
            continue
        here = (detection.sector, detection.time)
        if here != before:
            place = len(positions) + 1
        positions[detection.pilot_id] = place
        before = here
    return positions


def rows_of(day: Day, race: Race) -> list[Row]:
    """Return a race's pilots in the order to be shown.

    A finished race goes by its official results (DNF last, then position) where there are any, else by
    computed positions; a live one by live positions; a pending one by channel.
    """
    type_ = race_type(day, race)
    colours = channel_colours(day)
    official = {r.pilot_id: r for r in day.results.get(race.id, ())} if race.state is State.DONE else {}
    computed = positions_of(race, type_)
    rows = [_row(day, race, type_, seat, colours, official, computed) for seat in race.seats]
    if race.state is State.PENDING:
        rows.sort(key=lambda row: row.frequency_mhz or 1_000_000)
    else:
        rows.sort(key=lambda row: (row.dnf, row.position or 1_000_000))
    return rows


def _row(
    day: Day,
    race: Race,
    type_: EventType,
    seat: Seat,
    colours: dict[str, str],
    official: dict[str, Result],
    computed: dict[str, int],
) -> Row:
    pilot = day.pilots.get(seat.pilot_id)
    label = channel_label(day, seat.channel_id, colours)
    flight = flight_of(race, type_, seat.pilot_id)
    result = official.get(seat.pilot_id)
    if result is not None:
        position, dnf = result.position or None, result.dnf
    else:
        position = computed.get(seat.pilot_id)
        dnf = race.state is State.DONE and type_ is EventType.RACE and len(flight.laps_s) < race.target_laps
    return Row(
        pilot_id=seat.pilot_id,
        pilot=pilot.name if pilot is not None else "",
        channel=label.name,
        frequency_mhz=label.frequency_mhz,
        colour=label.colour,
        position=position,
        dnf=dnf,
        flight=flight,
        points=result.points if result is not None else None,
        handicap_s=_handicap(day, race, seat),
    )


def _handicap(day: Day, race: Race, seat: Seat) -> float | None:
    """FPVTracksideCore `UI/Nodes/HandicapStartBarNode.cs`: offsets that were left in a round without handicaps mean nothing."""
    round_ = day.rounds.get(race.round_id)
    is_handicapped = round_ is not None and round_.handicapped
    return seat.handicap_s if is_handicapped and seat.handicap_s > 0 else None


def unknown_ids(day: Day, race: Race) -> Iterator[tuple[str, str]]:
    """Yield (kind, id) of what a race names and no list holds; kind is "round", "pilot" or "channel"."""
    if race.round_id and race.round_id not in day.rounds:
        yield "round", race.round_id
    for seat in race.seats:
        if seat.pilot_id not in day.pilots:
            yield "pilot", seat.pilot_id
        if seat.channel_id and seat.channel_id not in day.channels:
            yield "channel", seat.channel_id
