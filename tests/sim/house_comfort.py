"""People are neither cold nor roasted, as the rooms truly are: frost never, and within half a kelvin of what they want."""

from collections.abc import Mapping

from attrs import define, field

from daemons.heating.plant import Plant, ZoneKind
from daemons.heating.settings import Mode
from tests.sim.house_step import Broken, Step, Wanted, broken_rule

__all__ = ["Comfort"]

FROST = 4.0
BAND = 0.5
_REACHED = 0.25
"""So near it has been reached, and is to stay within the band."""
_WARMS_K_PER_H = 0.25
"""A room that is to be warmer gets so by this much an hour, after the first hour, in any weather."""
_COOLS_S = 900.0
_WATER_S = 2.5 * 3600
"""A tank that is to be warm, and says that it is not, has that long to become so."""


@define(eq=False)
class _Room:
    id: str
    index: int
    target: float | None = None
    due: float = 0.0
    """From then on (`at_s`) it must be within the band."""
    roasts_since: float | None = None


@define(eq=False)
class Comfort:
    """Looked at once a minute. `worst`: how far a room was below its target when it had to be within the band; `judged`:
    how many minutes of rooms were."""

    plant: Plant
    wanted: Wanted
    broken: Broken
    worst: float = 0.0
    judged: int = 0
    excused: int = 0
    coldest: float = 99.0
    tank_s: float = 0.0
    """How long the tank was not warm at the most."""
    _rooms: list[_Room] = field(init=False)
    _tank_since: float | None = None

    def __attrs_post_init__(self) -> None:
        self._rooms = [
            _Room(zone.id, i) for i, zone in enumerate(self.plant.zones) if zone.kind is ZoneKind.ROOM
        ]

    def step(self, step: Step) -> None:
        """Judge. Raises BrokenRule."""
        targets = self.wanted.targets(step.now, step.settings)
        house, at = step.house, step.at_s
        all_excused = (
            at < self.broken.house or bool(step.decision.state.boiler.locked_out) or house.is_cut_off
        )
        self._water(step, targets, all_excused)
        # Whoever ran for as long as he may has to rest; that he did, the judge of alarms sees to.
        rests = {alarm.of for alarm in step.decision.state.alarms if alarm.code == "max-run"}
        all_excused = all_excused or "burner" in rests
        for room in self._rooms:
            warm = house.rooms[room.index]
            self.coldest = min(self.coldest, warm)
            excused = all_excused or room.id in rests or at < self.broken.zones.get(room.id, 0.0)
            if warm < FROST and not excused:
                raise broken_rule(step, f"frost in {room.id}: {warm:.1f} °C, and nothing of it is broken")
            target = targets[room.id]
            if (
                target is None
                or isinstance(target, bool)
                or step.settings.of(room.id).mode is Mode.THERMOSTAT
            ):
                room.target = None
                continue
            if excused or target != room.target:
                room.target = target
                room.due = at + 3600 + max(0.0, target - warm) / _WARMS_K_PER_H * 3600
                self.excused += excused
            elif warm >= target - _REACHED:
                room.due = min(room.due, at)
            if at >= room.due:
                self.judged += 1
                self.worst = max(self.worst, target - warm)
                if warm < target - BAND:
                    raise broken_rule(step, f"{room.id} is at {warm:.2f} °C, wanted are {target:.1f}")
            self._roast(step, room, warm, target, excused)

    def _water(self, step: Step, targets: Mapping[str, float | bool | None], excused: bool) -> None:
        """The tank is to be warm when somebody wants it."""
        tank, at = self.plant.zones[-1], step.at_s
        excused = excused or at < self.broken.zones.get(tank.id, 0.0)
        # For fear of a valve that does not close: but only while a room is as hot as it may be, in truth.
        is_hot = any(
            step.house.rooms[room.index] > self.plant.zone(room.id).highest - 1 for room in self._rooms
        )
        excused = excused or (is_hot and step.decision.state.boiler.state == "withheld")
        is_warm = step.house.tank > step.house.plan.tank_on + 2 or not step.house.calls[-1]
        if excused or targets[tank.id] is not True or is_warm:
            self._tank_since = None
        elif self._tank_since is None:
            self._tank_since = at
        else:
            self.tank_s = max(self.tank_s, at - self._tank_since)
            if at - self._tank_since > _WATER_S:
                raise broken_rule(
                    step,
                    f"the tank is at {step.house.tank:.1f} °C and has called for {at - self._tank_since:.0f} s",
                )

    def _roast(self, step: Step, room: _Room, warm: float, target: float, excused: bool) -> None:
        """The sun may warm a room beyond what is wanted; water that is let in may not."""
        house = step.house
        heats = house.is_pumping and house.valves[room.index] > 0.5 and house.flow > warm + 5
        if excused or warm <= target + BAND or not heats:
            room.roasts_since = None
        elif room.roasts_since is None:
            room.roasts_since = step.at_s
        elif step.at_s - room.roasts_since > _COOLS_S:
            raise broken_rule(step, f"{room.id} is heated at {warm:.2f} °C, wanted are {target:.1f}")
