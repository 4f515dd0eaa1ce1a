"""Nothing heats without a reason that holds: worked out again from the truth of the house and what people want.

A zone may go on only for its room, its wall thermostat, frost, its policy when blind, its weekly exercise, or to carry
away heat; it may stay on a while longer for its own and the burner's minimum times and the overrun, and no longer. The
burner fires for an open valve that has such a reason, never otherwise.
"""

from collections import deque

from attrs import define, field

from daemons.heating.plant import OnLoss, Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Mode
from tests.sim.house_step import Step, Wanted, broken_rule

__all__ = ["Reasons"]

_QUANTUM = 0.07
_JUMPS_S = 15.0
"""With the time between two readings before it, a sensor that jumps for so long is not known any more."""
_MOSTLY_BLIND = ("lost", "hangs", "crc", "power-on", "range", "open", "short")


@define(eq=False)
class _Zone:
    plan: ZonePlan
    index: int
    room: str | None
    """Its room's sensor."""
    is_on: bool = False
    since: float = -1e9
    cold_at: float = -1e9
    """When the room was last seen under its target."""
    start_at: float = -1e9
    """When it was last so cold that it may begin."""
    other_at: float = -1e9
    """When another reason held last: frost, contact, policy."""
    jumps_since: float | None = None
    """Since when what its sensor says is far off."""
    blind_since: float | None = None
    whole_since: float = 0.0
    was_on_then: bool = False
    last_on: float = -1e9
    runs: deque[tuple[float, float]] = field(factory=lambda: deque(maxlen=64))
    moved_at: float = 0.0
    with_burner: bool = False
    """It was open when the burner last burnt."""


@define(eq=False)
class Reasons:
    """Step by step. `least_open`: zones that may be open for nothing but flow."""

    plant: Plant
    wanted: Wanted
    control_s: float
    _zones: list[_Zone] = field(init=False)
    _burner_on: bool = False
    _burner_since: float = -1e9
    _burner_off_at: float = -1e9
    _hot_until: float = -1e9
    _is_welded: bool = False
    _recent_s: float = field(init=False)
    _slack_s: float = field(init=False)
    _tail_s: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        # What was so within four cycles may still be acted upon.
        self._recent_s = 4.5 * self.control_s
        self._slack_s = 2 * self.control_s
        # Behind its share a valve may stay open for the burner's minimum on time, and the overrun.
        self._tail_s = self.plant.burner.min_on_s + self.plant.burner.overrun_s + 4 * self.control_s
        self._zones = [_Zone(plan, i, plan.room) for i, plan in enumerate(self.plant.zones)]

    def dark(self, at_s: float) -> None:
        """All relays are off: nobody controls."""
        for zone in self._zones:
            self._turn(zone, False, at_s)
        self._burn(False, at_s)

    def step(self, step: Step) -> None:
        """Judge what was decided. Raises BrokenRule."""
        outputs, at, plan = step.decision.outputs, step.at_s, self.plant.burner
        targets = self.wanted.targets(step.now, step.settings)
        burns = outputs[plan.output] if plan.output is not None else False
        house = step.house
        if not self._burner_on:  # a burner that was welded is taken for that until it is off when told
            self._is_welded = house.relays["burner"] or (self._is_welded and at - self._burner_off_at < 900)
        if house.flow > plan.overheat - 20 or (house.flow > 68 and self._is_welded):
            self._hot_until = at + 600  # heat may be spread
        wants = 0
        is_whole = not (house.faults.sensors or house.faults.are_sensors_gone)
        for zone in self._zones:
            plan = zone.plan
            if is_whole and zone.blind_since is None and zone.room is not None:
                self._look_whole(zone, step, targets[plan.id])
            else:
                self._look(zone, step, targets[plan.id])
            is_on = outputs[plan.output]
            if is_on:
                zone.last_on = at
                wants += self._has_reason(zone, at)
                if zone.is_on:
                    self._may_stay(zone, step)
                else:
                    self._may_begin(zone, step)
            if is_on is not zone.is_on:
                self._turn(zone, is_on, at)
            if is_on and zone.blind_since is not None:
                self._share(zone, step)
        if burns and not self._burner_on:
            self._may_fire(step, targets)
        elif burns and not wants and at - self._burner_since > plan.min_on_s + self._slack_s:
            raise broken_rule(step, "the burner burns and no zone has a reason")
        if burns is not self._burner_on:
            self._burn(burns, at)
        if burns:
            for zone in self._zones:
                zone.with_burner = zone.is_on
        self._pump(step)

    def _turn(self, zone: _Zone, is_on: bool, at: float) -> None:
        if zone.is_on and not is_on:
            zone.runs.append((zone.since, at))
        if zone.is_on is not is_on:
            zone.is_on, zone.since, zone.moved_at = is_on, at, at

    def _burn(self, burns: bool, at: float) -> None:
        if self._burner_on and not burns:
            self._burner_off_at = at
        if self._burner_on is not burns:
            self._burner_on, self._burner_since = burns, at

    # --- what is so in truth

    def _look_whole(self, zone: _Zone, step: Step, target: float | bool | None) -> None:
        """As `_look` in a house whose sensors are whole: of most steps, and quick."""
        at, plan = step.at_s, zone.plan
        said = step.said[zone.room or ""]
        assert isinstance(said, float)
        if target is None:
            is_thermostat = step.settings.of(plan.id).mode is Mode.THERMOSTAT and step.settings.is_on
            if is_thermostat and step.contacts[plan.call or ""]:
                zone.other_at = at
        elif said < target + _QUANTUM:
            zone.cold_at = at
            if said <= target - plan.below + _QUANTUM:
                zone.start_at = at
        if said < plan.frost + 1.1:
            zone.other_at = at

    def _look(self, zone: _Zone, step: Step, target: float | bool | None) -> None:
        at, plan = step.at_s, zone.plan
        if plan.kind is ZoneKind.DHW:
            mode = step.settings.of(plan.id).mode
            if (target is True or mode is Mode.THERMOSTAT) and step.contacts[plan.call or ""]:
                zone.other_at = at
            return
        said = step.said.get(plan.room or "")
        fault = step.house.faults.sensors.get(plan.room or "")
        kind = "" if fault is None else fault.kind
        truth = step.house.rooms[zone.index]
        jumps = kind == "spikes" and isinstance(said, float) and abs(said - truth) > 1
        zone.jumps_since = None if not jumps else at if zone.jumps_since is None else zone.jumps_since
        if kind in ("spikes", "slow") and not isinstance(said, str):
            said = truth - 0.2  # what it says is not to be acted upon; where the room is, control may know
        if (
            isinstance(said, str)
            or kind in ("slow", "frozen")
            or (zone.jumps_since is not None and at - zone.jumps_since >= _JUMPS_S)
        ):
            if zone.blind_since is None:
                zone.blind_since, zone.was_on_then = at, zone.is_on
            zone.whole_since = at
        elif zone.blind_since is not None and at - zone.whole_since > 660:
            zone.blind_since = None
        if isinstance(said, float):
            if target is not None and not isinstance(target, bool):
                if said < target + _QUANTUM:
                    zone.cold_at = at
                if said <= target - plan.below + _QUANTUM:
                    zone.start_at = at
            if said < plan.frost + 1.1:
                zone.other_at = at
        if zone.blind_since is not None:
            self._look_blind(zone, step)
        is_thermostat = step.settings.of(plan.id).mode is Mode.THERMOSTAT and step.settings.is_on
        if is_thermostat and step.contacts[plan.call or ""]:
            zone.other_at = at

    def _look_blind(self, zone: _Zone, step: Step) -> None:
        """Its policy, from the moment at which it may be known that nothing measures it."""
        at, policy, blind_since = step.at_s, zone.plan.on_loss, zone.blind_since
        assert blind_since is not None
        blind_s = at - blind_since
        limit = self.plant.sensor(zone.plan.room or "")
        if blind_s < limit.grace_s + self._slack_s and zone.was_on_then:
            zone.other_at = at
        if policy.kind is OnLoss.OFF:
            return
        if policy.kind is OnLoss.HOLD and blind_s < policy.hold_s + limit.stale_s and zone.was_on_then:
            zone.other_at = at
            return
        outdoor_unknown = "outdoor" in step.house.faults.sensors or step.house.faults.are_sensors_gone
        if outdoor_unknown or step.house.outdoor < policy.below_outdoor + 1.6 or step.is_first:
            zone.other_at = at

    def _has_reason(self, zone: _Zone, at: float) -> bool:
        return at - zone.cold_at <= self._recent_s or at - zone.other_at <= self._recent_s

    # --- what may be

    def _may_begin(self, zone: _Zone, step: Step) -> None:
        at = step.at_s
        if (
            at - zone.start_at <= self._recent_s
            or at - zone.other_at <= self._recent_s
            or at < self._hot_until
        ):
            return
        if self._is_exercise(zone, step) or self._helps(zone, step):
            return
        raise broken_rule(step, f"{zone.plan.id} is opened without a reason: {self._why(zone, step)}")

    def _may_stay(self, zone: _Zone, step: Step) -> None:
        at, burner = step.at_s, self.plant.burner
        if (
            self._has_reason(zone, at)
            or at - zone.since <= zone.plan.min_on_s + self._slack_s
            or at < self._hot_until
        ):
            return
        if self._helps(zone, step):
            return
        if self._burner_on and at - self._burner_since <= burner.min_on_s + self._slack_s:
            return
        if (
            not self._burner_on
            and at - self._burner_off_at <= burner.overrun_s + self._slack_s
            and zone.with_burner
        ):
            return
        raise broken_rule(step, f"{zone.plan.id} stays open without a reason: {self._why(zone, step)}")

    def _is_exercise(self, zone: _Zone, step: Step) -> bool:
        """Once a week at its hour, as far as the house knows the hour."""
        rested_s = step.at_s - zone.moved_at
        return zone.plan.exercise_s > 0 and rested_s >= zone.plan.exercise_s - 3600

    def _helps(self, zone: _Zone, step: Step) -> bool:
        """Another one may be opened for the flow, when one that wants heat lets no water through, as far as can be seen."""
        target = self.wanted.targets(step.now, step.settings)[zone.plan.id]
        if zone.plan.kind is ZoneKind.DHW or isinstance(target, bool):
            return False
        is_mild = step.house.rooms[zone.index] <= (zone.plan.lowest if target is None else target) + 1.2
        stuck = {alarm.of for alarm in step.decision.state.alarms if alarm.code == "stuck"}
        wants = [other for other in self._zones if other.is_on and self._has_reason(other, step.at_s)]
        whole = [other for other in wants if other.plan.id not in stuck]
        return is_mild and bool(wants) and len(whole) < self.plant.burner.min_open

    def _why(self, zone: _Zone, step: Step) -> str:
        state = next(one for one in step.decision.state.zones if one.id == zone.plan.id)
        if zone.plan.kind is ZoneKind.ROOM:
            return f"{step.house.rooms[zone.index]:.2f} °C in truth, {state.cause!r}"
        return f"tank {step.house.tank:.1f} °C, {state.cause!r}"

    def _share(self, zone: _Zone, step: Step) -> None:
        """A blind zone heats a share of each cycle, never more."""
        policy, at = zone.plan.on_loss, step.at_s
        if (
            zone.blind_since is None
            or not zone.is_on
            or at - zone.blind_since < 2 * policy.cycle_s + policy.hold_s
        ):
            return
        said = step.said.get(zone.plan.room or "")
        if said not in _MOSTLY_BLIND or at - zone.other_at > 10:
            return
        if step.settings.of(zone.plan.id).mode is Mode.THERMOSTAT or at < self._hot_until:
            return
        begin = at - policy.cycle_s
        ran_s = (
            at
            - max(zone.since, begin)
            + sum(end - max(start, begin) for start, end in zone.runs if end > begin)
        )
        most_s = policy.share * policy.cycle_s if policy.kind is not OnLoss.OFF else 0.0
        if ran_s > most_s + self._tail_s:
            raise broken_rule(step, f"{zone.plan.id} is blind and ran {ran_s:.0f} s of {policy.cycle_s:.0f}")

    def _may_fire(self, step: Step, targets: dict[str, float | bool | None]) -> None:
        at, burner = step.at_s, self.plant.burner
        ready = [
            zone
            for zone in self._zones
            if zone.is_on and at - zone.since >= zone.plan.valve_s - 1 and self._has_reason(zone, at)
        ]
        if not ready:
            raise broken_rule(step, "the burner fires, and no valve is open that has a reason")
        flow = step.said.get("flow", "lost")
        most = (
            burner.dhw_flow if any(zone.plan.kind is ZoneKind.DHW for zone in ready) else burner.curve.highest
        )
        if isinstance(flow, float) and flow > most:
            raise broken_rule(step, f"the burner fires at a flow of {flow:.0f} °C")

    def _pump(self, step: Step) -> None:
        pump = self.plant.burner.pump
        if pump is None:
            return
        outputs = step.decision.outputs
        if self._burner_on and not outputs[pump]:
            raise broken_rule(step, "the burner burns without its pump")
        if outputs[pump] and not any(zone.is_on for zone in self._zones) and step.at_s >= self._hot_until:
            raise broken_rule(step, "the pump turns against shut valves")
