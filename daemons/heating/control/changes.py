"""What a command does to the settings. Pure; refuses in words.

Every action names absolute values. `against` is the version of the settings that the one who asks has seen: what he
wants to change must not have changed since; 0: whatever it is.
"""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from daemons.heating.control.calendar import next_of
from daemons.heating.control.checks import PRESETS_MAX, preset_name, time_ahead, week_of, wished, zones_of
from daemons.heating.control.words import local_time, target_words
from daemons.heating.plant import Plant, ZonePlan
from daemons.heating.settings import Mode, Override, OverrideEnd, Settings, Week, ZoneSettings
from daemons.heating.state import Instant
from protocol.heating import (
    ALL_ROOMS,
    HeatAction,
    HeatMode,
    HeatOverride,
    HeatPreset,
    HeatResume,
    HeatSwitch,
    HeatUnlock,
    HeatUsePreset,
    HeatWeek,
)

__all__ = ["apply_action"]


def apply_action(
    settings: Settings, plant: Plant, action: HeatAction, *, now: Instant, by: str, against: int
) -> tuple[Settings, str]:
    """Return the settings after `action` and what was done, in words. Nothing to change: the same settings.

    Raises ValueError, in words that a person understands, for what cannot be or was changed since `against`.
    """
    change = _Change(settings, plant, now, by[:80], against, ZoneInfo(plant.time_zone))
    return _DOES[type(action)](change, action)


@frozen
class _Change:
    settings: Settings
    plant: Plant
    now: Instant
    by: str
    against: int
    time_zone: ZoneInfo

    @property
    def version(self) -> int:
        return self.settings.version + 1

    def zones(self, name: str) -> list[ZonePlan]:
        """Return the zones meant, none of which changed since."""
        zones = zones_of(self.plant, name)
        if not zones:
            raise ValueError("this house has no room with a sensor")
        for zone in zones:
            self._unchanged(zone.id, self.settings.of(zone.id).changed_in)
        return zones

    def house_unchanged(self) -> None:
        """Raise ValueError if what is no zone's changed since."""
        self._unchanged("the house", self.settings.house_changed_in)

    def _unchanged(self, what: str, changed_in: int) -> None:
        if self.against and changed_in > self.against:
            raise ValueError(
                f"{what} was changed in the meantime: version {changed_in}, yours is of {self.against}"
            )

    def with_zones(self, changed: dict[str, ZoneSettings]) -> Settings:
        """Return the settings with these zones; those that are as they were count as not changed."""
        news = {
            id_: evolve(zone, changed_in=self.version)
            for id_, zone in changed.items()
            if zone != self.settings.of(id_)
        }
        if not news:
            return self.settings
        return evolve(self.settings, version=self.version, zones={**self.settings.zones, **news})

    def with_house(self, **changed: Any) -> Settings:
        """Return the settings with these fields; overrides that end with the week's next change end with that of the
        week that holds now."""
        made = evolve(self.settings, **changed)
        if made == self.settings:
            return self.settings
        zones = {id_: self.bounded(made, id_, zone) for id_, zone in made.zones.items()}
        return evolve(made, zones=zones, version=self.version, house_changed_in=self.version)

    def bounded(self, made: Settings, id_: str, zone: ZoneSettings) -> ZoneSettings:
        """Return a zone whose override ends when the week, as it is in `made`, next says something else. One that never
        does, or nobody knows the time: the end stays."""
        override = zone.override
        if override is None or override.end is not OverrideEnd.BOUNDARY or not self.now.is_sure:
            return zone
        if override.ends_at is None or override.ends_at <= self.now.utc:
            return zone
        change = next_of(made, id_, self.now.utc, self.time_zone)
        if change is None or change[0] == override.ends_at:
            return zone
        return evolve(zone, override=evolve(override, ends_at=change[0]))

    def clock(self, utc: float) -> str:
        """Return a time in the house's words."""
        return local_time(utc, self.time_zone, self.now.utc)


def _named(name: str) -> str:
    return "all rooms" if name == ALL_ROOMS else name


def _override(change: _Change, action: HeatOverride) -> tuple[Settings, str]:
    try:
        end = OverrideEnd(action.end)
    except ValueError:
        known = "at the “boundary”, “until” a time or is “permanent”"
        raise ValueError(f"an override ends {known}, not “{action.end[:20]}”") from None
    if action.until is not None and end is not OverrideEnd.UNTIL:
        raise ValueError(f"a time goes with “until”, not with “{end.value}”")
    ends_at = time_ahead(action.until, change.now) if end is OverrideEnd.UNTIL else None
    changed, ends = {}, []
    for zone in change.zones(action.zone):
        own = change.settings.of(zone.id)
        target = wished(zone, action.celsius, action.is_on)
        if own.mode is not Mode.AUTO:
            if action.zone == ALL_ROOMS:
                continue
            raise ValueError(f"{zone.id} is on {own.mode.value}: it has no week to override")
        if end is OverrideEnd.BOUNDARY:
            ends_at = _boundary(change, zone)
        override = Override(target=target, end=end, ends_at=ends_at, by=change.by, since=change.now.utc)
        changed[zone.id] = evolve(own, override=override)
        ends.append(ends_at)
    if not changed:
        raise ValueError("no room is on auto: none has a week to override")
    first = min((at for at in ends if at is not None), default=None)
    last = max((at for at in ends if at is not None), default=None)
    words = f"{_named(action.zone)}: {target_words(target)}"
    if first is None or last is None:
        words += " until changed"
    elif first == last:
        words += f" until {change.clock(first)}"
    else:
        words += f" until each one's week says something else, {change.clock(first)} to {change.clock(last)}"
    return change.with_zones(changed), words


def _boundary(change: _Change, zone: ZonePlan) -> float:
    if not change.now.is_sure:
        raise ValueError(
            "the boiler does not know the time yet: only what holds until changed can be set now"
        )
    found = next_of(change.settings, zone.id, change.now.utc, change.time_zone)
    if found is None:
        raise ValueError(f"{zone.id}'s week never changes: say until when, or until changed")
    return found[0]


def _resume(change: _Change, action: HeatResume) -> tuple[Settings, str]:
    changed = {
        zone.id: evolve(change.settings.of(zone.id), override=None) for zone in change.zones(action.zone)
    }
    return change.with_zones(changed), f"{_named(action.zone)}: as the week says"


def _mode(change: _Change, action: HeatMode) -> tuple[Settings, str]:
    try:
        mode = Mode(action.mode)
    except ValueError:
        raise ValueError(f"a mode is “auto”, “manual” or “thermostat”, not “{action.mode[:20]}”") from None
    has_target = action.celsius is not None or action.is_on is not None
    if has_target and mode is not Mode.MANUAL:
        raise ValueError(f"{mode.value} takes no target: only manual does")
    changed = {}
    words = f"{_named(action.zone)}: {mode.value}"
    for zone in change.zones(action.zone):
        own = change.settings.of(zone.id)
        if mode is Mode.THERMOSTAT and zone.call is None:
            raise ValueError(f"{zone.id} has no wall thermostat that is wired to us")
        # Its own target of before is kept for the next time it is manual; an override ends with its week.
        target = wished(zone, action.celsius, action.is_on) if mode is Mode.MANUAL else own.manual
        override = own.override if mode is Mode.AUTO else None
        changed[zone.id] = evolve(own, mode=mode, manual=target, override=override)
        if mode is Mode.MANUAL and target is not None:
            words = f"{_named(action.zone)}: {target_words(target)} by hand"
    return change.with_zones(changed), words


def _week(change: _Change, action: HeatWeek) -> tuple[Settings, str]:
    changed = {
        zone.id: evolve(change.settings.of(zone.id), week=week_of(zone, action.entries))
        for zone in change.zones(action.zone)
    }
    made = change.with_zones(changed)
    if made is not change.settings:
        zones = {id_: change.bounded(made, id_, made.of(id_)) for id_ in changed}
        made = evolve(made, zones={**made.zones, **zones})
    count = len(action.entries)
    says = (
        f"a week of {count} {'entry' if count == 1 else 'entries'}" if count else "a week that says nothing"
    )
    return made, f"{_named(action.zone)}: {says}"


def _preset(change: _Change, action: HeatPreset) -> tuple[Settings, str]:
    settings = change.settings
    change.house_unchanged()
    name = preset_name(action.name)
    if not action.weeks:
        if name not in settings.presets:
            return settings, f"there is no preset “{name}”"
        kept = {other: weeks for other, weeks in settings.presets.items() if other != name}
        held = {"preset": "", "preset_until": None} if settings.preset == name else {}
        return change.with_house(presets=kept, **held), f"preset “{name}” is forgotten"
    if name not in settings.presets and len(settings.presets) >= PRESETS_MAX:
        raise ValueError(f"there are {PRESETS_MAX} presets already: forget one first")
    weeks: dict[str, Week] = {}
    # All rooms first: a room that is named besides has its own.
    for zone_name in sorted(action.weeks, key=lambda zone_name: zone_name != ALL_ROOMS):
        for zone in zones_of(change.plant, zone_name):
            weeks[zone.id] = week_of(zone, action.weeks[zone_name])
    made = change.with_house(presets={**settings.presets, name: weeks})
    return made, f"preset “{name}”: weeks of {len(weeks)} {'zone' if len(weeks) == 1 else 'zones'}"


def _use_preset(change: _Change, action: HeatUsePreset) -> tuple[Settings, str]:
    change.house_unchanged()
    if not action.name.strip():
        if action.until is not None:
            raise ValueError("a time goes with the name of a preset")
        return change.with_house(preset="", preset_until=None), "every zone by its own week"
    name = preset_name(action.name)
    if name not in change.settings.presets:
        known = ", ".join(f"“{known}”" for known in change.settings.presets)
        raise ValueError(f"there is no preset “{name}”" + (f"; there are: {known}" if known else ""))
    until = None if action.until is None else time_ahead(action.until, change.now)
    ends = "until changed" if until is None else f"until {change.clock(until)}"
    return change.with_house(preset=name, preset_until=until), f"preset “{name}” {ends}"


def _switch(change: _Change, action: HeatSwitch) -> tuple[Settings, str]:
    change.house_unchanged()
    words = "heating is on" if action.is_on else "heating is off: frost duty and hot water only"
    return change.with_house(is_on=action.is_on), words


def _unlock(change: _Change, action: HeatUnlock) -> tuple[Settings, str]:
    if action.what != "boiler":
        zones_of(change.plant, action.what)
        if action.what == ALL_ROOMS:
            raise ValueError("a lock-out is reset one at a time: name the zone or “boiler”")
    unlocked = change.settings.unlocked
    made = {**unlocked, action.what: unlocked.get(action.what, 0) + 1}
    return evolve(change.settings, version=change.version, unlocked=made), f"{action.what}: reset by hand"


_DOES: dict[type, Callable[[_Change, Any], tuple[Settings, str]]] = {
    HeatOverride: _override, HeatResume: _resume, HeatMode: _mode, HeatWeek: _week, HeatPreset: _preset,
    HeatUsePreset: _use_preset, HeatSwitch: _switch, HeatUnlock: _unlock,
}  # fmt: skip
