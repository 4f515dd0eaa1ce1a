"""What is: readings as they come in, how everything stands, and what happened. Values only.

`mono` is seconds of this boot's monotonic clock, `utc` seconds since 1970. Unknown is None: never zero, never the last
value, never invented.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import field, frozen

from daemons.heating.settings import Mode, Override, Target
from protocol.heating import EventKind, HeatEvent

__all__ = [
    "Alarm", "BoilerState", "Decision", "EventKind", "Fault", "HeatEvent", "HouseState", "Inputs", "Instant", "Reading",
    "Sense", "Severity", "ZoneState",
]  # fmt: skip


@frozen
class Instant:
    """Now, by both clocks. `is_sure`: the wall clock was set by somebody since this boot (a Pi has no clock of its own
    that runs while it is off)."""

    mono: float
    utc: float
    boot: str = ""
    is_sure: bool = True


class Fault(StrEnum):
    """Why a sensor has no temperature."""

    LOST = "lost"  # not there, or no answer
    CRC = "crc"
    POWER_ON = "power-on"  # the 85.0 °C of a sensor that never converted
    RANGE = "range"
    OPEN = "open"
    SHORT = "short"
    STALE = "stale"
    IMPLAUSIBLE = "implausible"
    FROZEN = "frozen"


@frozen(slots=False)
class Reading:
    """What a sensor said at `mono`: a temperature or why there is none; exactly one of them.

    Without slots, as `ZoneState` is: of these a house makes dozens every ten seconds, in half the time.
    """

    mono: float
    celsius: float | None = None
    fault: Fault | None = None

    def __attrs_post_init__(self) -> None:
        if (self.celsius is None) == (self.fault is None):
            raise ValueError("a reading is a temperature or a fault")


@frozen
class Inputs:
    """What the hardware says: the newest reading of each sensor, the state of each contact (None: not known)."""

    readings: Mapping[str, Reading] = field(factory=dict)
    contacts: Mapping[str, bool | None] = field(factory=dict)


class Sense(StrEnum):
    """How it is with what measures a zone."""

    GOOD = "good"
    STALE = "stale"
    LOST = "lost"
    FAULTY = "faulty"
    NONE = "none"  # nothing measures it, and nothing is to


class Severity(StrEnum):
    SAFETY = "safety"
    WARNING = "warning"


@frozen
class Alarm:
    """Something a person should know, from `since` (UTC) on. `code` and `of` (a zone, a sensor, "boiler") name it."""

    code: str
    of: str
    severity: Severity
    words: str
    since: float


@frozen(slots=False)
class ZoneState:
    """One zone. `read_at` (UTC): of the last good reading of the room; `since` (UTC): of `is_on`. `cause`: why the
    relay is as it is, in words."""

    id: str
    celsius: float | None = None
    supply: float | None = None
    target: Target | None = None
    mode: Mode = Mode.AUTO
    is_on: bool = False
    call: bool | None = None
    sense: Sense = Sense.GOOD
    fault: str = ""
    read_at: float | None = None
    cause: str = ""
    since: float | None = None
    override: Override | None = None
    next_at: float | None = None
    next_target: Target | None = None


@frozen(kw_only=True)
class BoilerState:
    """The boiler. `state` in a word or two, `cause` in words; `starts`: of the local day."""

    state: str = "off"
    is_burning: bool | None = False
    pump_on: bool = False
    cause: str = ""
    since: float | None = None
    flow: float | None = None
    back: float | None = None
    target: float | None = None
    starts: int = 0
    locked_out: str = ""
    """Why it is locked until somebody resets it; empty: it is not."""


@frozen(kw_only=True)
class HouseState:
    """The whole house as of `at` (UTC). What a screen shows and the replica holds."""

    house: str
    at: float
    zones: tuple[ZoneState, ...] = ()
    boiler: BoilerState = field(factory=BoilerState)
    outdoor: float | None = None
    outdoor_read_at: float | None = None
    alarms: tuple[Alarm, ...] = ()
    settings_version: int = 0
    is_on: bool = True
    preset: str = ""
    preset_until: float | None = None
    clock_sure: bool = True
    boot: str = ""


@frozen(kw_only=True)
class Decision:
    """What a step of control came to. `outputs`: every relay of the plant, true: energised. `memory`: what must survive
    a restart (JSON-able; None: as it was). To be made durable before the outputs are driven on, and driven off first."""

    outputs: Mapping[str, bool]
    state: HouseState
    events: tuple[HeatEvent, ...] = ()
    memory: Mapping[str, object] | None = None
