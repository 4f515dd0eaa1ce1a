"""What an FPV race event consists of, as values. How they are read: `files`; what follows: `rules`.

Ids are GUIDs as text in lower case. Times are local to the event and without zone, as FPVTrackside writes
them.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, StrEnum
from functools import cached_property

from attrs import field, frozen

__all__ = [
    "Channel",
    "Day",
    "Detection",
    "Event",
    "EventType",
    "Lap",
    "Pilot",
    "Race",
    "Result",
    "RollOver",
    "Round",
    "Seat",
    "Stage",
    "Standings",
    "StandingsRow",
    "State",
    "Summary",
    "TimeKind",
    "Timing",
]


class EventType(StrEnum):
    """How a round is flown. Values are the words that spectators read."""

    PRACTICE = "Practice"
    TIME_TRIAL = "Time Trial"
    RACE = "Race"
    FREESTYLE = "Freestyle"
    ENDURANCE = "Endurance"
    CASUAL_PRACTICE = "Casual Practice"
    GAME = "Game"
    TRAINING = "Training"
    OTHER = "Heat"


class State(Enum):
    """Where a race stands: by its Start and End alone, so that a finished race can become live again."""

    PENDING = "pending"
    LIVE = "live"
    DONE = "done"


class Timing(StrEnum):
    """Where the lap gate stands: behind the start, so that the first pass is the holeshot, or at the end of a lap."""

    HOLESHOT = "Holeshot"
    END_OF_LAP = "EndOfLap"


class TimeKind(StrEnum):
    """Which time a stage ranks by: laps in a row (PBLaps or Laps of the event), or a whole race."""

    PB = "PB"
    EVENT_LAP = "EventLap"
    RACE_TIME = "RaceTime"


@frozen
class Channel:
    """A video channel. `frequency_mhz` 0 when unknown."""

    id: str
    name: str
    frequency_mhz: int


@frozen
class Seat:
    """A pilot's place in a race or an event: who flies on which channel, held back by how much."""

    pilot_id: str
    channel_id: str
    handicap_s: float = 0.0


@frozen
class Event:
    """The open event. `channels`, `channel_colours` and `channel_names` as the operator ordered them.

    `seats`: who is registered; `removed`: who no longer is. `race_length_s` 0: no limit.
    """

    id: str
    name: str
    type: EventType
    laps: int
    pb_laps: int
    race_ids: tuple[str, ...]
    channels: tuple[str, ...] = ()
    channel_colours: tuple[str, ...] = ()
    channel_names: tuple[str | None, ...] = ()
    time_zone: str | None = None
    seats: tuple[Seat, ...] = ()
    removed: frozenset[str] = frozenset()
    race_length_s: float = 0.0
    timing: Timing = Timing.HOLESHOT
    start: datetime | None = None


@frozen
class Pilot:
    """A pilot by the name he races under. Nothing else of Pilots.json is read: the rest is private."""

    id: str
    name: str


@frozen
class Summary:
    """What is ranked after some rounds, and how. `points` False: points are not what counts there."""

    points: bool = False
    rollover: bool = False
    drop_worst: bool = False
    time: TimeKind | None = None
    all_rounds: bool = False
    lap_count: bool = False


@frozen
class Round:
    """A round. `order` is the real order of running, `number` counts per event type.

    `summary`: in files from before August 2025, which know no stages, a round with one ends a block of rounds.
    """

    id: str
    name: str
    number: int
    type: EventType
    order: int
    valid: bool
    stage_id: str = ""
    scheduled: datetime | None = None
    handicapped: bool = False
    summary: Summary | None = None


@frozen
class Detection:
    """A gate pass. `sector` = lap × 100 + gate, gate 0 being the lap gate."""

    id: str
    pilot_id: str
    time: datetime | None
    sector: int
    valid: bool


@frozen
class Lap:
    """A lap as measured, number 0 being the holeshot. Whose it is, its detection tells."""

    detection_id: str
    number: int
    length_s: float


@frozen
class Race:
    """One heat. `valid` False means that the operator deleted it."""

    id: str
    number: int
    round_id: str
    target_laps: int
    valid: bool
    start: datetime | None
    end: datetime | None
    bracket: str | None
    seats: tuple[Seat, ...]
    detections: tuple[Detection, ...]
    laps: tuple[Lap, ...]
    paused_s: float = 0.0
    timing: Timing = Timing.HOLESHOT

    @property
    def state(self) -> State:
        if self.start is None:
            return State.PENDING
        return State.LIVE if self.end is None else State.DONE

    @cached_property
    def valid_laps(self) -> Mapping[str, tuple[Lap, ...]]:
        """The laps that count, the holeshot too, by pilot and in order of their number.

        Those that took time and whose detection is valid. Worked out once: a race at rest is asked after every lap
        of another one.
        """
        passes = {detection.id: detection.pilot_id for detection in self.detections if detection.valid}
        laps: dict[str, list[Lap]] = {}
        for lap in sorted(self.laps, key=lambda lap: lap.number):
            pilot_id = passes.get(lap.detection_id)
            if pilot_id is not None and lap.length_s > 0:
                laps.setdefault(pilot_id, []).append(lap)
        return {pilot_id: tuple(own) for pilot_id, own in laps.items()}


@frozen
class Result:
    """The official outcome of one pilot in one race."""

    pilot_id: str
    position: int
    dnf: bool
    points: int = 0
    time_s: float | None = None
    laps: int | None = None


@frozen
class RollOver:
    """Points that a pilot takes from the end of some rounds into the stage behind; `round_id` is the last of them."""

    pilot_id: str
    round_id: str
    points: int
    position: int


@frozen
class StandingsRow:
    """A row as FPVTrackside ranked it. `pilot_id` None: it does not say, as before 2026-05."""

    pilot_id: str | None
    name: str
    values: tuple[str, ...]


@frozen
class Standings:
    """A ranking that FPVTrackside has worked out itself: a row has a value a heading."""

    headings: tuple[str, ...]
    rows: tuple[StandingsRow, ...]


@frozen
class Stage:
    """Some rounds that are ranked together. `type` is FPVTrackside's own word (Default, DoubleElimination, ...)."""

    id: str
    name: str
    type: str
    order: int
    valid: bool
    summary: Summary
    standings: Standings | None = None


@frozen
class Day:
    """All that is known of an event: any part may be missing yet. Results by race id."""

    event: Event | None = None
    pilots: Mapping[str, Pilot] = field(factory=dict)
    rounds: Mapping[str, Round] = field(factory=dict)
    channels: Mapping[str, Channel] = field(factory=dict)
    races: Mapping[str, Race] = field(factory=dict)
    results: Mapping[str, tuple[Result, ...]] = field(factory=dict)
    stages: Mapping[str, Stage] = field(factory=dict)
    rollovers: tuple[RollOver, ...] = ()
