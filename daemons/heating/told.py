"""A house as the terminal is told of it: a part "heating" of a daemon's status."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daemons.heating.look import STALE_AFTER_S, HouseLook
from daemons.heating.plant import Plant
from daemons.heating.settings import Target
from daemons.heating.state import Alarm, BoilerState, HouseState, Sense, ZoneState

__all__ = ["heating_told"]

_Age = Callable[[float | None], float | None]


def heating_told(look: HouseLook) -> dict[str, Any]:
    """Return how a house stands, whole. Ages are seconds of the house, as of now; None: not known."""
    state, plan, settings = look.state(), look.plan(), look.settings()
    age_s, now = look.age_s(), look.house_now()
    told: dict[str, Any] = {
        "site": look.name,
        "house": plan.house if plan is not None and plan.house else look.name,
        "now": now,
        "utc_offset_s": _offset_s(plan, now),
        "age_s": age_s,
        "offline": age_s is None or age_s > STALE_AFTER_S,
        "version": 0 if settings is None else settings.version,
        "standing": look.standing(),
    }
    if state is None:
        return told

    def age_of(at: float | None) -> float | None:
        if at is None or age_s is None:
            return None
        return round(max(0.0, state.at - at) + age_s * look.speed, 1)

    return {
        **told,
        **_house(state, age_of),
        "boiler": _boiler(state.boiler, age_of),
        "zones": [_zone(zone, _titles(plan), age_of) for zone in state.zones],
        "alarms": [_alarm(alarm, age_of) for alarm in state.alarms],
    }


def _house(state: HouseState, age_of: _Age) -> dict[str, Any]:
    return {
        "outdoor": state.outdoor,
        "outdoor_age_s": age_of(state.outdoor_read_at),
        "on": state.is_on,
        "preset": state.preset,
        "preset_until": state.preset_until,
        "clock_sure": state.clock_sure,
    }


def _boiler(boiler: BoilerState, age_of: _Age) -> dict[str, Any]:
    return {
        "state": boiler.state,
        "burning": boiler.is_burning,
        "pump": boiler.pump_on,
        "cause": boiler.locked_out or boiler.cause,
        "for_s": age_of(boiler.since),
        "flow": boiler.flow,
        "return": boiler.back,
        "target": boiler.target,
        "starts": boiler.starts,
        "locked_out": bool(boiler.locked_out),
    }


def _zone(zone: ZoneState, titles: Mapping[str, str], age_of: _Age) -> dict[str, Any]:
    override = zone.override
    return {
        "id": zone.id,
        "name": titles.get(zone.id, zone.id),
        "celsius": zone.celsius,
        "setpoint": _celsius(zone.target),
        "wants_on": None if zone.target is None else zone.target.is_on,
        "supply": zone.supply,
        "calling": zone.is_on,
        "cause": zone.cause,
        "mode": str(zone.mode),
        # A zone that nothing measures, and is not to, is no fault.
        "sensor": str(Sense.GOOD if zone.sense is Sense.NONE else zone.sense),
        "fault": zone.fault,
        "age_s": None if zone.sense is Sense.NONE else age_of(zone.read_at),
        "for_s": age_of(zone.since),
        "override": None
        if override is None
        else {
            "setpoint": _celsius(override.target),
            "on": override.target.is_on,
            "by": override.by,
            "ends": override.ends_at,
            "end": str(override.end),
        },
        "next_at": zone.next_at,
        "next_setpoint": _celsius(zone.next_target),
    }


def _alarm(alarm: Alarm, age_of: _Age) -> dict[str, Any]:
    return {
        "code": alarm.code,
        "of": alarm.of,
        "severity": str(alarm.severity),
        "words": alarm.words,
        "for_s": age_of(alarm.since),
    }


def _celsius(target: Target | None) -> float | None:
    return None if target is None else target.celsius


def _titles(plan: Plant | None) -> dict[str, str]:
    return {} if plan is None else {zone.id: zone.title for zone in plan.zones}


def _offset_s(plan: Plant | None, now: float | None) -> float:
    """Return how far the house's clocks are ahead of UTC; 0 while that is not known."""
    if plan is None or now is None:
        return 0.0
    try:
        offset = datetime.fromtimestamp(now, ZoneInfo(plan.time_zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OverflowError, OSError):
        return 0.0
    return 0.0 if offset is None else offset.total_seconds()
