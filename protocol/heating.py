"""What reliable messages say of a house that is heated: what is to be done, and what happened.

Temperatures are °C, instants UTC seconds, durations seconds, days 0 (Monday) to 6, minutes those of the local day in the
house's zone. Every action names absolute values: done twice it is as done once.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import field, frozen

from protocol.bodyfields import sayable

__all__ = [
    "ALL_ROOMS", "EventKind", "HeatAction", "HeatEvent", "HeatMode", "HeatOverride", "HeatPreset", "HeatResume",
    "HeatSwitch", "HeatUnlock", "HeatUsePreset", "HeatWeek", "WeekEntry",
]  # fmt: skip

ALL_ROOMS = "*"
"""In place of a zone: every room."""


# --- what is to be done: actions of a command
# ------------------------------------------------------------------------


@frozen
class HeatOverride:
    """Have a zone at `celsius` (a room) or `is_on` (hot water) whatever its week says. `end`: "boundary", "until" (then
    `until` says when) or "permanent"."""

    zone: str = field(converter=sayable)
    end: str
    celsius: float | None = None
    is_on: bool | None = None
    until: float | None = None


@frozen
class HeatResume:
    """Take an override back."""

    zone: str = field(converter=sayable)


@frozen
class HeatMode:
    """Put a zone into "auto", "manual" (then with what it is to be) or "thermostat"."""

    zone: str = field(converter=sayable)
    mode: str
    celsius: float | None = None
    is_on: bool | None = None


@frozen
class WeekEntry:
    day: int
    minute: int
    celsius: float | None = None
    is_on: bool | None = None


@frozen
class HeatWeek:
    """Give a zone a whole week; none: its week says nothing."""

    zone: str = field(converter=sayable)
    entries: tuple[WeekEntry, ...]


@frozen
class HeatPreset:
    """Keep weeks of some zones under a name; none: forget the name."""

    name: str = field(converter=sayable)
    weeks: Mapping[str, tuple[WeekEntry, ...]]


@frozen
class HeatUsePreset:
    """Have a preset hold, `until` then or until changed; "": the zones' own weeks."""

    name: str = field(converter=sayable)
    until: float | None = None


@frozen
class HeatSwitch:
    """Heating on, or off for the summer: then nothing but frost duty, hot water and exercise."""

    is_on: bool


@frozen
class HeatUnlock:
    """Reset a lock-out by hand: of "boiler" or a zone."""

    what: str = field(converter=sayable)


HeatAction = (
    HeatOverride | HeatResume | HeatMode | HeatWeek | HeatPreset | HeatUsePreset | HeatSwitch | HeatUnlock
)


# --- what happened: channel `event`
# ----------------------------------------------------------------------------------


class EventKind(StrEnum):
    ON = "ON"
    OFF = "OFF"
    ALARM = "ALARM"
    CLEAR = "CLEAR"
    CHANGE = "CHANGE"  # somebody changed the settings
    START = "START"  # the daemon


@frozen(kw_only=True)
class HeatEvent:
    """Something that happened at `at`, kept for good. `source`: a zone's id, "burner", "pump", a sensor, "boiler" or
    "house". `ran_s`: for OFF, how long it was on by the monotonic clock; None when a restart lost that. Temperatures:
    as they were read then, None for unknown."""

    at: float
    source: str = field(converter=sayable)
    kind: EventKind
    cause: str = field(default="", converter=sayable)
    celsius: float | None = None
    supply: float | None = None
    outdoor: float | None = None
    ran_s: float | None = None
