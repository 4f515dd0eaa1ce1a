"""One step of the simulated house, as all judges see it, and what they know of the truth."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from attrs import define, field, frozen

from chaos.doubles.house import Fault, House
from daemons.heating.plant import Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Mode, Settings, Week
from daemons.heating.state import Decision, Instant

__all__ = ["Broken", "Step", "Wanted", "broken_rule"]


class BrokenRule(AssertionError):
    """A rule of the house was broken."""


def broken_rule(step: "Step", words: str) -> BrokenRule:
    """Return what to raise, with when it was by the house's own clock."""
    local = datetime.fromtimestamp(step.house.utc, ZoneInfo(step.plant.time_zone))
    faults = ", ".join(f"{fault.of} {fault.id} {fault.kind}" for fault in step.house.faults) or "none"
    return BrokenRule(f"{words} (at {step.at_s:.0f} s, {local:%a %d %b %H:%M:%S}; broken: {faults})")


@frozen(eq=False)
class Step:
    """`at_s`: seconds of the run, which no restart and no step of a clock changes. `outputs`: what the relays were told,
    by whom it was decided in `decision`. `said`, `contacts`: what control was given."""

    at_s: float
    now: Instant
    plant: Plant
    house: House
    said: Mapping[str, float | str]
    contacts: Mapping[str, bool]
    settings: Settings
    decision: Decision
    is_first: bool
    """Of a life of the program."""


@define(eq=False)
class Wanted:
    """What a zone is to be, worked out a second time: slowly, from the week's rows, without anything of control's calendar."""

    plant: Plant
    _key: tuple[object, ...] = ()
    _targets: dict[str, float | bool | None] = field(factory=dict)
    _zone: ZoneInfo = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._zone = ZoneInfo(self.plant.time_zone)

    def targets(self, now: Instant, settings: Settings) -> dict[str, float | bool | None]:
        """Return °C of each room and on or off of the tank; None: nothing but frost duty, or its wall thermostat."""
        key: tuple[object, ...] = (now.utc // 900, now.is_sure, settings.version)
        overs = [one.override.ends_at for one in settings.zones.values() if one.override is not None]
        key += tuple(now.utc < end for end in (*overs, settings.preset_until) if end is not None)
        if key != self._key:
            self._key = key
            self._targets = {zone.id: self._target(zone, now, settings) for zone in self.plant.zones}
        return self._targets

    def _target(self, zone: ZonePlan, now: Instant, settings: Settings) -> float | bool | None:
        own = settings.of(zone.id)
        is_room = zone.kind is ZoneKind.ROOM
        if own.mode is Mode.THERMOSTAT or (is_room and not settings.is_on):
            return None
        if own.mode is Mode.MANUAL:
            manual = own.manual
            return None if manual is None else manual.celsius if is_room else manual.is_on
        over = own.override
        if over is not None and (over.ends_at is None or (now.is_sure and now.utc < over.ends_at)):
            return over.target.celsius if is_room else over.target.is_on
        if not now.is_sure:
            return self.plant.unsure_target if is_room else True
        week = own.week
        until = settings.preset_until
        if settings.preset in settings.presets and (until is None or now.utc < until):
            week = settings.presets[settings.preset].get(zone.id, week)
        return self._by_week(week, now.utc, is_room)

    def _by_week(self, week: Week, utc: float, is_room: bool) -> float | bool | None:
        """Return what the last row says that clocks on a wall have come to: the furthest that they have, when an hour comes
        twice. Rows are at quarters of hours, so clocks are looked at for each quarter of the last hour."""
        if not week:
            return None if is_room else True
        walls = [
            (datetime.fromtimestamp(utc, UTC) - timedelta(minutes=15 * back))
            .astimezone(self._zone)
            .replace(tzinfo=None)
            for back in range(5)
        ]
        wall = max(walls)
        minute = wall.weekday() * 1440 + wall.hour * 60 + wall.minute
        last = week[-1]
        for entry in week:
            if entry.day * 1440 + entry.minute <= minute:
                last = entry
        return last.target.celsius if is_room else last.target.is_on


_KNOWN_S = 900.0
"""A sensor that answers again is believed after ten minutes."""
_TRIED_S = 2 * 3600 + 900.0
"""A valve that stayed stuck, or seemed to with a pump that did not turn, is tried again within two hours."""
_EVERYWHERE = ("burner", "pump")


@define(eq=False)
class Broken:
    """What is broken in truth, and was until lately: what excuses a zone, and what the whole house.

    Each fault excuses what it reaches, until it is mended and for as long as control says that it takes to notice.
    """

    plant: Plant
    zones: dict[str, float] = field(factory=dict)
    """Until when (`at_s`) each is excused."""
    house: float = 0.0

    def step(self, step: Step) -> None:
        """Look at what is broken now."""
        for fault in step.house.faults:
            if fault.of == "contact" and not fault.id.startswith("call."):
                continue  # whether the boiler says that it fires makes no room cold
            if fault.of == "sensor" and fault.id.startswith("pipe."):
                continue  # neither does a pipe
            tries = fault.of in ("valve", "pump") or (fault.of == "relay" and fault.kind == "dead")
            until = step.at_s + (_TRIED_S if tries else _KNOWN_S)
            zone = self.zone_of(fault)
            if zone is None:
                self.house = max(self.house, until)
            elif zone:
                self.zones[zone] = max(until, self.zones.get(zone, 0.0))

    def excuse_all(self, until: float) -> None:
        """Something befell the whole house: no power, nobody who controls."""
        self.house = max(self.house, until)

    @staticmethod
    def zone_of(fault: Fault) -> str | None:
        """Return the zone that a fault is of; None: of the whole house, "": of nothing that comfort hangs on."""
        if fault.of == "valve" or (fault.of == "relay" and fault.id not in _EVERYWHERE):
            return fault.id
        if fault.of == "sensor":
            kind, _, zone = fault.id.partition(".")
            return zone or ("" if kind in ("outdoor", "back") else None)
        if fault.of == "contact" and fault.id.startswith("call."):
            return fault.id.removeprefix("call.")
        return None
