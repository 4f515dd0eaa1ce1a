"""What is known of a house that is heated, as a daemon with heating tells it.

Temperatures are degrees Celsius, durations seconds. None: not known, never zero, never the last value.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import frozen

from tui.model.checked import choice, flag, maps, moment, number, part, text, whole
from tui.model.moments import ByOwnClocks, utc_ahead
from tui.model.passing import grown

__all__ = ["BoilerView", "HeatingView", "Override", "Sensor", "ZoneView", "read_heating"]

ZONES_MAX = 256
ALARMS_MAX = 256


class Sensor(StrEnum):
    """How it is with what measures a zone."""

    GOOD = "good"
    STALE = "stale"
    LOST = "lost"
    FAULTY = "faulty"


@frozen(kw_only=True)
class Override:
    """Somebody's own set-point over what is scheduled, of hot water `is_on`. `ends_utc` None: until it is taken back."""

    setpoint: float | None
    is_on: bool | None = None
    by: str = ""
    ends_utc: float | None = None


@frozen(kw_only=True)
class ZoneView:
    """A zone. `wants_on`: of hot water, which has no set-point. `age_s`: of its temperature, when it was told. `cause`: why
    it calls for heat or does not, in words. `next_utc`, `next_setpoint`: what the schedule does next."""

    id: str
    name: str
    celsius: float | None = None
    setpoint: float | None = None
    wants_on: bool | None = None
    supply: float | None = None
    is_calling: bool = False
    cause: str = ""
    mode: str = ""
    sensor: Sensor = Sensor.GOOD
    age_s: float | None = None
    override: Override | None = None
    next_utc: float | None = None
    next_setpoint: float | None = None


@frozen(kw_only=True)
class BoilerView:
    """The boiler. `state` and `cause` in words; `for_s`: for how long it has been so; `starts`: today's."""

    state: str
    is_burning: bool = False
    cause: str = ""
    for_s: float | None = None
    flow: float | None = None
    back: float | None = None
    target: float | None = None
    starts: int | None = None
    is_locked_out: bool = False


@frozen(kw_only=True)
class HeatingView(ByOwnClocks):
    """One house. `site`: what its daemon calls it in commands; `heard_s`: for how long nothing was heard of it, when that
    was told; `version`: of its settings; `alarms`: in words, the worst first; `is_on`: heating is not off for the summer."""

    house: str
    site: str = ""
    version: int = 0
    heard_s: float | None = None
    is_offline: bool = False
    alarms: tuple[str, ...] = ()
    is_on: bool = True
    preset: str = ""
    zones: tuple[ZoneView, ...] = ()
    boiler: BoilerView | None = None
    outdoor: float | None = None
    outdoor_age_s: float | None = None

    def age_now(self, age_s: float | None, now: float) -> float | None:
        """Return how old something is now that was so old when it was told."""
        return grown(age_s, self.at, now)


def read_heating(before: HeatingView | None, daemon: str, told: Mapping[str, Any], now: float) -> HeatingView:
    """Return a house as it was told: whole each time. Raises ValueError for what cannot be."""
    boiler = part(told, "boiler")
    return HeatingView(
        daemon=daemon,
        house=text(told, "house"),
        site=text(told, "site"),
        version=whole(told, "version") or 0,
        heard_s=number(told, "age_s"),
        is_offline=flag(told, "offline"),
        alarms=tuple(text(one, "words") for one in maps(told, "alarms", ALARMS_MAX)),
        is_on=flag(told, "on") if "on" in told else True,
        preset=text(told, "preset"),
        at=now,
        utc_ahead_s=utc_ahead(told, now),
        offset_s=number(told, "utc_offset_s") or 0.0,
        zones=tuple(map(_zone, maps(told, "zones", ZONES_MAX))),
        boiler=None if boiler is None else _boiler(boiler),
        outdoor=number(told, "outdoor"),
        outdoor_age_s=number(told, "outdoor_age_s"),
    )


def _zone(told: Mapping[str, Any]) -> ZoneView:
    override = part(told, "override")
    return ZoneView(
        id=text(told, "id"),
        name=text(told, "name") or text(told, "id"),
        celsius=number(told, "celsius"),
        setpoint=number(told, "setpoint"),
        wants_on=None if told.get("wants_on") is None else flag(told, "wants_on"),
        supply=number(told, "supply"),
        is_calling=flag(told, "calling"),
        cause=text(told, "cause"),
        mode=text(told, "mode"),
        sensor=choice(told, "sensor", Sensor.GOOD),
        age_s=number(told, "age_s"),
        override=None
        if override is None
        else Override(
            setpoint=number(override, "setpoint"),
            is_on=None if override.get("on") is None else flag(override, "on"),
            by=text(override, "by"),
            ends_utc=moment(override, "ends"),
        ),
        next_utc=moment(told, "next_at"),
        next_setpoint=number(told, "next_setpoint"),
    )


def _boiler(told: Mapping[str, Any]) -> BoilerView:
    return BoilerView(
        state=text(told, "state"),
        is_burning=flag(told, "burning"),
        cause=text(told, "cause"),
        for_s=number(told, "for_s"),
        flow=number(told, "flow"),
        back=number(told, "return"),
        target=number(told, "target"),
        starts=whole(told, "starts"),
        is_locked_out=flag(told, "locked_out"),
    )
