"""What an FPV race event consists of, as values. How they are read: `files`; what follows: `rules`.

Ids are GUIDs as text in lower case. Times are local to the event and without zone, as FPVTrackside writes
them.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, StrEnum

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
    "Round",
    "Seat",
    "State",
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


@frozen
class Channel:
    """A video channel. `frequency_mhz` 0 when unknown."""

    id: str
    name: str
    frequency_mhz: int


@frozen
class Event:
    """The open event. `channels`, `channel_colours` and `channel_names` as the operator ordered them."""

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


@frozen
class Pilot:
    """A pilot by the name he races under. Nothing else of Pilots.json is read: the rest is private."""

    id: str
    name: str


@frozen
class Round:
    """A round. `order` is the real order of running, `number` counts per event type."""

    id: str
    name: str
    number: int
    type: EventType
    order: int
    valid: bool


@frozen
class Seat:
    """A pilot's place in a race: who flies on which channel."""

    pilot_id: str
    channel_id: str


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

    @property
    def state(self) -> State:
        if self.start is None:
            return State.PENDING
        return State.LIVE if self.end is None else State.DONE


@frozen
class Result:
    """The official outcome of one pilot in one race."""

    pilot_id: str
    position: int
    dnf: bool


@frozen
class Day:
    """All that is known of an event: any part may be missing yet. Results by race id."""

    event: Event | None = None
    pilots: Mapping[str, Pilot] = field(factory=dict)
    rounds: Mapping[str, Round] = field(factory=dict)
    channels: Mapping[str, Channel] = field(factory=dict)
    races: Mapping[str, Race] = field(factory=dict)
    results: Mapping[str, tuple[Result, ...]] = field(factory=dict)
