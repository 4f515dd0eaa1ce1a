"""People of the simulated house who change their minds: overrides with and without an end, presets, summer, resets."""

import random
from datetime import datetime
from zoneinfo import ZoneInfo

from attrs import evolve

from daemons.heating.plant import Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Mode, Override, OverrideEnd, Settings, Target, ZoneSettings

__all__ = ["change", "reset_boiler"]


def change(plant: Plant, settings: Settings, utc: float, rng: random.Random) -> Settings:
    """Return the settings as somebody has them now. Half of what they do takes back what they did."""
    zone = rng.choice(plant.zones)
    own = settings.of(zone.id)
    match rng.choice(
        ("override", "override", "override", "back", "back", "manual", "preset", "no preset", "summer")
    ):
        case "override":
            return _with(settings, zone, evolve(own, override=_override(plant, zone, own, utc, rng)))
        case "back":
            kept = {id_: evolve(one, override=None) for id_, one in settings.zones.items()}
            return evolve(settings, version=settings.version + 1, zones=kept, is_on=True)
        case "manual" if zone.kind is ZoneKind.ROOM:
            manual = Target(rng.choice((17.0, 20.0, 21.5)))
            return _with(settings, zone, evolve(own, mode=Mode.MANUAL, manual=manual))
        case "preset":
            until = utc + rng.uniform(4, 40) * 3600
            return evolve(settings, version=settings.version + 1, preset="away", preset_until=until)
        case "summer":
            return evolve(settings, version=settings.version + 1, is_on=not settings.is_on)
        case _:
            return evolve(settings, version=settings.version + 1, preset="", preset_until=None, is_on=True)


def reset_boiler(settings: Settings) -> Settings:
    """Return the settings behind somebody's reset of the boiler's lock-out."""
    count = settings.unlocked.get("boiler", 0) + 1
    return evolve(settings, version=settings.version + 1, unlocked={**settings.unlocked, "boiler": count})


def _with(settings: Settings, zone: ZonePlan, own: ZoneSettings) -> Settings:
    version = settings.version + 1
    zones = {**settings.zones, zone.id: evolve(own, changed_in=version)}
    return evolve(settings, version=version, zones=zones)


def _override(plant: Plant, zone: ZonePlan, own: ZoneSettings, utc: float, rng: random.Random) -> Override:
    is_room = zone.kind is ZoneKind.ROOM
    target = Target(rng.choice((18.0, 19.0, 21.0, 21.5))) if is_room else Target(is_on=rng.random() < 0.5)
    end = rng.choice(list(OverrideEnd))
    ends_at: float | None = utc + rng.uniform(0.3, 7) * 3600
    if end is OverrideEnd.BOUNDARY:
        ends_at = _boundary(plant, own, utc)
    if ends_at is None or end is OverrideEnd.PERMANENT:
        end, ends_at = OverrideEnd.PERMANENT, None
    return Override(target=target, end=end, ends_at=ends_at, by="somebody", since=utc)


def _boundary(plant: Plant, own: ZoneSettings, utc: float) -> float | None:
    """Return the next quarter of an hour at which a row of the week begins."""
    rows = {(entry.day, entry.minute) for entry in own.week}
    zone = ZoneInfo(plant.time_zone)
    quarter = utc // 900 * 900
    for ahead in range(1, 7 * 96 + 1):
        wall = datetime.fromtimestamp(quarter + 900 * ahead, zone)
        if (wall.weekday(), wall.hour * 60 + wall.minute) in rows:
            return quarter + 900 * ahead
    return None
