"""What people want of a zone now, where that comes from, and when it will be something else."""

from datetime import datetime
from zoneinfo import ZoneInfo

from attrs import define, frozen

from daemons.heating.control.calendar import effective_week, holds, holds_since, next_of, preset_holds
from daemons.heating.control.words import local_time, target_words, week_time
from daemons.heating.plant import Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Mode, Override, OverrideEnd, Settings, Target
from daemons.heating.state import Instant

__all__ = ["Wish", "Wishes", "in_force"]


@frozen
class Wish:
    """`source` in words: "week since 06:00". `until` (UTC): good so long; None: until the settings change."""

    target: Target | None
    source: str
    override: Override | None = None
    next_at: float | None = None
    next_target: Target | None = None
    until: float | None = None
    mode: Mode = Mode.AUTO


def in_force(override: Override | None, now: Instant) -> Override | None:
    """Return the override if it holds. While the time is not known nobody knows whether one with an end does: not."""
    if override is None or override.end is OverrideEnd.PERMANENT:
        return override
    return override if now.is_sure and override.ends_at is not None and now.utc < override.ends_at else None


@define
class Wishes:
    """The wish of one zone, worked out again when the settings are others, the time it is good for is over, the clock
    was put back or became sure."""

    plant: Plant
    zone: ZonePlan
    time_zone: ZoneInfo
    _wish: Wish | None = None
    _settings: Settings | None = None
    _at: float = 0.0
    _was_sure: bool = False

    def now(self, now: Instant, settings: Settings) -> Wish:
        """Return what is wanted at `now`."""
        wish = self._wish
        if (
            wish is None
            or settings is not self._settings
            or now.is_sure is not self._was_sure
            or now.utc < self._at
            or (wish.until is not None and now.utc >= wish.until)
        ):
            wish = self._wish = self._work_out(now, settings)
            self._settings, self._at, self._was_sure = settings, now.utc, now.is_sure
        return wish

    def _work_out(self, now: Instant, settings: Settings) -> Wish:
        zone = self.zone
        own = settings.of(zone.id)
        if own.mode is Mode.THERMOSTAT:
            return Wish(None, "the wall thermostat", mode=own.mode)
        if own.mode is Mode.MANUAL:
            return Wish(self._bounded(own.manual), "set by hand", mode=own.mode)
        override = in_force(own.override, now)
        if override is not None:
            return self._overridden(now, settings, override)
        if not now.is_sure:
            room = Target(celsius=self.plant.unsure_target)
            unsure = room if zone.kind is ZoneKind.ROOM else Target(is_on=True)
            return Wish(self._bounded(unsure), "the time of day is not known yet")
        change = next_of(settings, zone.id, now.utc, self.time_zone)
        next_at, next_target = change if change is not None else (None, None)
        until = settings.preset_until
        ends = [at for at in (next_at, until) if at is not None and at > now.utc]
        target, source = self._by_week(now.utc, settings)
        return Wish(target, source, None, next_at, self._bounded(next_target), min(ends, default=None))

    def _by_week(self, utc: float, settings: Settings) -> tuple[Target | None, str]:
        week = effective_week(settings, self.zone.id, utc)
        target = self._bounded(holds(week, utc, self.time_zone))
        name = "week"
        if preset_holds(settings, utc) and self.zone.id in settings.presets[settings.preset]:
            name = f"preset “{settings.preset}”"
        if target is None and self.zone.kind is ZoneKind.DHW:
            return Target(is_on=True), "its week says nothing, so hot water is on"
        if (
            target is None
        ):  # a new house in January is not to go by frost duty until somebody has written weeks
            return self._bounded(Target(celsius=self.plant.unsure_target)), "its week says nothing yet"
        since = holds_since(week, utc, self.time_zone)
        if since is None:
            return target, name
        return (
            target,
            f"{name} since {week_time(since, datetime.fromtimestamp(utc, self.time_zone).weekday())}",
        )

    def _overridden(self, now: Instant, settings: Settings, override: Override) -> Wish:
        target = self._bounded(override.target)
        if override.ends_at is None or override.end is OverrideEnd.PERMANENT:
            return Wish(target, f"set by {override.by} until changed", override)
        after, _ = self._by_week(override.ends_at, settings)
        ends = local_time(override.ends_at, self.time_zone, now.utc)
        source = f"set by {override.by} until {ends}"
        if after is not None:
            source += f", then {target_words(after)}"
        return Wish(target, source, override, override.ends_at, after, override.ends_at)

    def _bounded(self, target: Target | None) -> Target | None:
        """Return the target within the zone's bounds, which may have been drawn closer since it was set."""
        zone = self.zone
        if target is None or (target.celsius is None) is (zone.kind is ZoneKind.ROOM):
            return None
        if target.celsius is None or zone.lowest <= target.celsius <= zone.highest:
            return target
        return Target(celsius=min(max(target.celsius, zone.lowest), zone.highest))
