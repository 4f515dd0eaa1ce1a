"""What people want of a house: modes, weeks, presets, overrides. Values only; kept across restarts, changed by commands.

Days are 0 (Monday) to 6, minutes those of the local day in the house's zone, instants UTC seconds.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import field, frozen

__all__ = ["Entry", "Mode", "Override", "OverrideEnd", "Settings", "Target", "Week", "ZoneSettings"]


class Mode(StrEnum):
    AUTO = "auto"  # by the week, the preset, an override
    MANUAL = "manual"  # by one target until changed
    THERMOSTAT = "thermostat"  # the wall thermostat drives: the zone is open exactly while its contact calls


class OverrideEnd(StrEnum):
    BOUNDARY = "boundary"  # until the week says something else than it did
    UNTIL = "until"
    PERMANENT = "permanent"


@frozen
class Target:
    """What a zone is to be: `celsius` for a room, `is_on` for hot water; exactly one of them."""

    celsius: float | None = None
    is_on: bool | None = None

    def __attrs_post_init__(self) -> None:
        if (self.celsius is None) == (self.is_on is None):
            raise ValueError("a target is a temperature or on/off")


@frozen
class Entry:
    """From this minute of this day on, every week."""

    day: int
    minute: int
    target: Target


Week = tuple[Entry, ...]
"""Sorted by day and minute, no two at the same time; the last one of the week holds over its end. Empty: says nothing."""


@frozen(kw_only=True)
class Override:
    """Somebody's own target over what the week says. `ends_at`: UTC; None for PERMANENT."""

    target: Target
    end: OverrideEnd
    ends_at: float | None
    by: str
    since: float


@frozen(kw_only=True)
class ZoneSettings:
    """`changed_in`: the version of the settings that changed it last."""

    mode: Mode = Mode.AUTO
    manual: Target | None = None
    week: Week = ()
    override: Override | None = None
    changed_in: int = 0


@frozen(kw_only=True)
class Settings:
    """Everything. `version` counts changes. A preset is a name for weeks of some zones; the one that is `preset` holds
    over the zones' own weeks, until `preset_until` (None: until changed)."""

    version: int = 0
    is_on: bool = True
    """False: summer; nothing but frost duty, hot water and exercise."""
    house_changed_in: int = 0
    """The version that last changed what is no zone's: presets, which one holds, on or off."""
    zones: Mapping[str, ZoneSettings] = field(factory=dict)
    presets: Mapping[str, Mapping[str, Week]] = field(factory=dict)
    preset: str = ""
    preset_until: float | None = None
    unlocked: Mapping[str, int] = field(factory=dict)
    """How often each lock-out was reset by hand, by what was locked ("boiler", a zone's id)."""

    def of(self, zone: str) -> ZoneSettings:
        """Return a zone's; the defaults for one that nobody has touched."""
        return self.zones.get(zone) or ZoneSettings()
