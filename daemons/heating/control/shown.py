"""The state of the house as screens show it. What did not change is the same value as in the step before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemons.heating.control.calendar import preset_holds
from daemons.heating.control.causes import wait_words
from daemons.heating.control.scene import Scene
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.settings import Settings
from daemons.heating.state import BoilerState, HouseState, Instant, Sense, ZoneState

if TYPE_CHECKING:
    from daemons.heating.control.core import Control

__all__ = ["Shown"]

_STATES = {
    "locked": "locked out", "fire": "firing", "min-on": "firing", "min-off": "waits", "rest": "rests",
    "max-run": "rests", "starts": "waits", "valves": "waits", "few": "waits", "withheld": "withheld",
    "warm": "warm", "close": "off", "shut": "off", "off": "off", "stuck": "off", "calls": "called", "fires": "firing",
}  # fmt: skip


class Shown:
    """Makes the state of each step."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._zones: dict[str, tuple[tuple[Any, ...], ZoneState]] = {}
        self._boiler: tuple[tuple[Any, ...], BoilerState] | None = None

    def state(self, now: Instant, settings: Settings) -> HouseState:
        """Return the house as of `now`."""
        control, scene = self._control, self._control.scene
        outdoor = control.outdoor
        read_at = None if outdoor is None or outdoor.read_at is None else outdoor.read_at + scene.offset
        holds = not now.is_sure or preset_holds(settings, now.utc)
        return HouseState(
            house=control.plant.house,
            at=now.utc,
            zones=tuple([self._zone(run, scene) for run in control.runs]),
            boiler=self._boiler_state(scene),
            outdoor=scene.cold_out,
            outdoor_read_at=read_at,
            alarms=control.book.alarms,
            settings_version=settings.version,
            is_on=settings.is_on,
            preset=settings.preset if holds else "",
            preset_until=settings.preset_until if holds else None,
            clock_sure=now.is_sure,
            boot=now.boot,
        )

    def cause_burner(self, scene: Scene) -> None:
        """Word why the burner is as it is, if that is news."""
        burner = self._control.burner
        if burner.key != burner.told_key:
            burner.told_key = burner.key
            waits = burner.key[0] in ("rest", "min-off", "starts")
            burner.cause = wait_words(burner.key, scene) if waits else burner.words()

    def _zone(self, run: ZoneRun, scene: Scene) -> ZoneState:
        wish, room, offset = run.wish, run.room, scene.offset
        read_at, sense, fault = None, Sense.NONE, ""
        if room is not None:
            sense = room.sense
            read_at = None if room.read_at is None else room.read_at + offset
            fault = "" if room.fault is None else room.fault.value
        row = (
            run.plan.id, run.celsius, None if run.supply is None else run.supply.celsius, wish.target, wish.mode,
            run.is_on, run.call, sense, fault, read_at, run.cause, run.since + offset, wish.override, wish.next_at,
            wish.next_target,
        )  # fmt: skip
        known = self._zones.get(run.plan.id)
        if known is not None and known[0] == row:
            return known[1]
        state = ZoneState(*row)
        self._zones[run.plan.id] = (row, state)
        return state

    def _boiler_state(self, scene: Scene) -> BoilerState:
        control, burner = self._control, self._control.burner
        self.cause_burner(scene)
        name = _STATES[str(burner.key[0])]
        if burner.lock is not None:
            name = "locked out"
        elif name == "off" and control.pump.is_on and burner.plan.output is not None:
            name = "overrun"
        burning = control.firing if burner.plan.firing is not None else None
        if burner.plan.firing is None and burner.plan.output is not None:
            burning = burner.is_on
        back = None if control.back is None else control.back.celsius
        starts = burner.starts.count
        since = burner.since + scene.offset if burner.plan.output is not None else None
        row = (
            name, burning, control.pump.is_on, burner.cause, since, burner.celsius, back, burner.target, starts,
            burner.lock,
        )  # fmt: skip
        if self._boiler is not None and self._boiler[0] == row:
            return self._boiler[1]
        state = BoilerState(
            state=name, is_burning=burning, pump_on=control.pump.is_on, cause=burner.cause, since=since,
            flow=burner.celsius, back=back, target=burner.target, starts=starts,
            locked_out="" if burner.lock is None else burner.lock.words,
        )  # fmt: skip
        self._boiler = (row, state)
        return state
