"""What is asked for, held against the house: bounds, names, times. Refusals are ValueErrors in words for whoever asked."""

from collections.abc import Iterable
from difflib import get_close_matches

from daemons.heating.control.words import DAYS, degrees
from daemons.heating.plant import Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Entry, Target, Week
from daemons.heating.state import Instant
from protocol.heating import ALL_ROOMS, WeekEntry

__all__ = ["ENTRIES_MAX", "PRESETS_MAX", "preset_name", "time_ahead", "week_of", "wished", "zones_of"]

ENTRIES_MAX = 7 * 48
"""Entries of a week: one each half hour."""
PRESETS_MAX = 20
_NAME_MAX = 40
_AHEAD_MAX_S = 2 * 366 * 86_400.0


def zones_of(plant: Plant, name: str) -> list[ZonePlan]:
    """Return the zone of that id, or every room that has a sensor. Raises ValueError."""
    if name == ALL_ROOMS:
        return [zone for zone in plant.zones if zone.kind is ZoneKind.ROOM and zone.room is not None]
    ids = [zone.id for zone in plant.zones]
    if name in ids:
        return [plant.zone(name)]
    by_name = {zone.title.lower(): zone.id for zone in plant.zones} | {id_.lower(): id_ for id_ in ids}
    near = get_close_matches(name.lower(), list(by_name), 1, 0.5)
    hint = f"did you mean “{by_name[near[0]]}”?" if near else f"there are: {', '.join(ids)}"
    raise ValueError(f"there is no zone “{name[:40]}”; {hint}")


def wished(zone: ZonePlan, celsius: float | None, is_on: bool | None) -> Target:
    """Return what a zone is to be. Raises ValueError for what it cannot be."""
    if celsius is None and is_on is None:
        what = "on or off" if zone.kind is ZoneKind.DHW else "a temperature"
        raise ValueError(f"say what {zone.id} is to be: {what}")
    if zone.kind is ZoneKind.DHW:
        if is_on is None or celsius is not None:
            raise ValueError(f"{zone.id} is hot water: it takes on or off, not a temperature")
        return Target(is_on=is_on)
    if celsius is None or is_on is not None:
        raise ValueError(f"{zone.id} is a room: it takes a temperature, not on or off")
    if zone.room is None:
        raise ValueError(f"{zone.id} has no room sensor: only its wall thermostat can say when it is warm")
    if not zone.lowest <= celsius <= zone.highest:  # a NaN is outside, too
        raise ValueError(
            f"{zone.id} takes {degrees(zone.lowest)} to {degrees(zone.highest)} °C, not {celsius:g}"
        )
    return Target(celsius=float(celsius))


def week_of(zone: ZonePlan, entries: Iterable[WeekEntry]) -> Week:
    """Return a week for a zone, sorted. Raises ValueError."""
    week: dict[tuple[int, int], Entry] = {}
    for entry in entries:
        if not (0 <= entry.day <= 6 and 0 <= entry.minute <= 1439):
            raise ValueError(
                f"{zone.id}: day {entry.day}, minute {entry.minute} is not of a week: days are 0 (Monday) to 6, minutes 0 to 1439"
            )
        when = f"{DAYS[entry.day]} {entry.minute // 60:02}:{entry.minute % 60:02}"
        if (entry.day, entry.minute) in week:
            raise ValueError(f"{zone.id}: {when} is there twice")
        try:
            target = wished(zone, entry.celsius, entry.is_on)
        except ValueError as error:
            raise ValueError(f"{when}: {error}") from None
        week[entry.day, entry.minute] = Entry(entry.day, entry.minute, target)
        if len(week) > ENTRIES_MAX:
            raise ValueError(f"{zone.id}: a week has at most {ENTRIES_MAX} entries")
    return tuple(week[at] for at in sorted(week))


def time_ahead(until: float | None, now: Instant) -> float:
    """Return the end of something. Raises ValueError for none, one that is past or further than two years ahead, and
    while nobody knows how late it is."""
    if until is None:
        raise ValueError("say until when")
    if not now.is_sure:
        raise ValueError(
            "the boiler does not know the time yet: only what holds until changed can be set now"
        )
    if not until > now.utc:
        raise ValueError("that time is past")
    if until > now.utc + _AHEAD_MAX_S:
        raise ValueError("that is more than two years ahead")
    return until


def preset_name(name: str) -> str:
    """Return the name of a preset as it is kept. Raises ValueError."""
    kept = name.strip()
    if not 1 <= len(kept) <= _NAME_MAX or not kept.isprintable():
        raise ValueError(f"a preset's name has 1 to {_NAME_MAX} characters that can be read")
    return kept
