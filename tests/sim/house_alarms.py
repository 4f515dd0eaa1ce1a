"""Every fault is named within its bound, and nothing is called broken that is whole."""

from attrs import define, field

from chaos.doubles.house import Fault
from daemons.heating.plant import Plant
from daemons.heating.state import Alarm
from tests.sim.house_step import Broken, Step, broken_rule

__all__ = ["Alarms"]

_SILENT = ("spikes", "drift", "offset")
"""Nobody can tell from one sensor alone."""
_LOST_S = 420.0
_SLOW_S = 1300.0
_FROZEN_S = 7.5 * 3600
_PIPE_S = 780.0
_BURNER_S = 420.0
_AFTERWARDS_S = 3600.0
"""An alarm may outlive its fault so long; but "starts", of which there are so many a day, and a lock-out that somebody
has to reset."""
_KEPT_S = 150.0
"""After a restart alarms of before stand for two minutes, whatever they are."""
_STARTS_S = 12 * 3600.0
_PROVED_S = 180.0
"""A verdict on a valve or the pump stands until they were used, and did as they are told, for so long."""


@define(eq=False)
class _Case:
    """`evidence_s`: for how long it could have been seen."""

    fault: Fault
    since: float
    stood: set[tuple[str, str]]
    """Alarms that stood already: of a broken boiler many tell, and they tell of something else."""
    told_after_s: float | None = None
    evidence_s: float = 0.0


@define(eq=False)
class Alarms:
    """`told`: of each kind of fault, after how many seconds it was named at the latest; `untold`: kinds that came and went
    without a chance of being seen."""

    plant: Plant
    told: dict[str, float] = field(factory=dict)
    untold: dict[str, int] = field(factory=dict)
    _cases: dict[tuple[str, str], _Case] = field(factory=dict)
    _names: dict[str, float] = field(factory=dict)
    """What an alarm may be of, until when."""
    _proved: dict[str, float] = field(factory=dict)
    """For how long a valve has been seen to do as it is told since something of it was broken."""
    _begun_at: float = 0.0
    """When this life of the program began."""
    _stood: set[tuple[str, str]] = field(factory=set)
    """Alarms as of the step before."""
    _last_at: float = 0.0
    _changed: dict[str, tuple[bool, float]] = field(factory=dict)
    _ran: dict[str, float] = field(factory=dict)
    """How long each relay was on when it was last."""

    def step(self, step: Step) -> None:
        """Judge. Raises BrokenRule."""
        at = step.at_s
        if step.is_first:
            self._begun_at = at
        passed, self._last_at = min(60.0, at - self._last_at), at
        for relay, is_on in step.decision.outputs.items():
            if relay not in self._changed or self._changed[relay][0] is not is_on:
                if not is_on and relay in self._changed:
                    self._ran[relay] = at - self._changed[relay][1]
                self._changed[relay] = (is_on, at)
        alarms = step.decision.state.alarms
        if not self._cases and not step.house.faults.any and not alarms:
            self._stood = set()
            return
        now = {(fault.of, fault.id): fault for fault in step.house.faults}
        for key in [key for key, case in self._cases.items() if now.get(key) is not case.fault]:
            self._close(self._cases.pop(key))
        stood, stand = self._stood, {(alarm.code, alarm.of) for alarm in alarms}
        self._stood = stand
        for key, fault in now.items():
            case = self._cases.get(key)
            if case is None:
                case = self._cases[key] = _Case(fault, at, set(stood))
            names = self._names_of(fault)
            for name in names:
                self._names[name] = at
                self._proved[name] = 0.0
            if case.told_after_s is None:
                self._judge(case, names, stand, step, passed)
        for alarm in alarms:
            if (
                alarm.of not in ("clock", "house")
                and step.now.is_sure
                and not self._may_stand(alarm, step, passed)
            ):
                raise broken_rule(step, f"alarm {alarm.code} of {alarm.of}, which is whole: {alarm.words!r}")

    def _may_stand(self, alarm: Alarm, step: Step, passed: float) -> bool:
        """Is it so, or was it until lately, or can nobody know yet that it is not any more?"""
        zone, code, house = alarm.of, alarm.code, step.house
        if step.at_s - self._begun_at < _KEPT_S:
            return True
        if code == "max-run" and self._ran_long(zone, step):
            return True
        if code in ("too-hot", "frost"):
            plan = self.plant.zone(zone)
            warm = house.rooms[house.zones.index(zone)]
            if warm > plan.highest + 0.5 if code == "too-hot" else warm < plan.frost - 0.2:
                return True  # by the sun, or with the power gone: it is so, whatever is broken
        broken_at = self._names.get(zone)
        if broken_at is None:
            return False
        if code in ("stuck", "welded", "no-flow") and zone != "burner":
            return self._unproved(code, zone, step, passed)
        if code == "overheat":
            return True
        return step.at_s - broken_at <= (_STARTS_S if code == "starts" else _AFTERWARDS_S)

    def _unproved(self, code: str, zone: str, step: Step, passed: float) -> bool:
        """Has the valve (for the pump: none of those that are open) not been seen yet to do as it is told?"""
        house, room = step.house, 20.0
        zones = [zone] if code != "no-flow" else [one.id for one in self.plant.zones]
        for one in zones:
            is_told, since = self._changed[one]
            since = max(since, self._begun_at)  # for how long it was shut before, nobody may know
            i = house.zones.index(one)
            room = house.rooms[i] if i < len(house.rooms) else 20.0
            blind = house.faults.are_sensors_gone or house.faults.sensors.keys() & {
                "flow",
                f"pipe.{one}",
                f"room.{one}",
            }
            if blind or not house.is_pumping or house.flow < room + 17 or is_told is (code == "welded"):
                continue
            share = (house.pipes[i] - room) / (house.flow - room)
            if step.at_s - since > (1810 if code == "welded" else 370) and (
                share < 0.33 if code == "welded" else share > 0.6
            ):
                self._proved[zone] += passed
                break
        return self._proved[zone] < _PROVED_S

    def _ran_long(self, zone: str, step: Step) -> bool:
        """Has it just been on for as long as it may, in truth? Then saying so calls nothing broken."""
        is_on, since = self._changed[zone]
        for_s = step.at_s - since
        if is_on:
            return for_s > 5 * 3600
        # Who does not know for how long it has rested has it rest anew.
        rests = for_s < 4000 or step.at_s - self._begun_at < 2000
        return rests and self._ran.get(zone, 0.0) > 5 * 3600

    def _judge(
        self, case: _Case, names: set[str], stand: set[tuple[str, str]], step: Step, passed: float
    ) -> None:
        case.stood &= stand
        new = stand if len(names) < 4 else stand - case.stood
        if any(of in names for _, of in new):
            case.told_after_s = step.at_s - case.since
            return
        bound = self._look(case, step, passed)
        if bound is not None and case.evidence_s > bound:
            fault = case.fault
            raise broken_rule(
                step,
                f"{fault.of} {fault.id} is {fault.kind} and could be seen for {case.evidence_s:.0f} s: no alarm",
            )

    def _close(self, case: _Case) -> None:
        kind = f"{case.fault.of} {case.fault.kind}"
        if case.told_after_s is None:
            self.untold[kind] = self.untold.get(kind, 0) + 1
        else:
            self.told[kind] = max(self.told.get(kind, 0.0), case.told_after_s)

    def _look(self, case: _Case, step: Step, passed: float) -> float | None:
        """Add to the evidence; return how much of it there may be without an alarm, None: no matter how much."""
        fault = case.fault
        match fault.of, fault.kind:
            case "sensor", kind if kind in _SILENT:
                return None
            case "sensor", kind:
                if kind == "frozen" and step.is_first:
                    case.evidence_s = (
                        0.0  # for how long it has said the same, nobody knows who has just begun
                    )
                case.evidence_s += passed
                return {"slow": _SLOW_S, "frozen": _FROZEN_S}.get(kind, _LOST_S)
            case "sensors", _:
                case.evidence_s += passed
                return _LOST_S
            case (("valve" | "relay"), _) if fault.id not in ("burner", "pump"):
                self._pipe(case, step, passed)
                return _PIPE_S
            case (("relay" | "burner"), kind):
                is_told, since = self._changed["burner"]
                wrong = step.house.is_firing if kind == "welded" else is_told and not step.house.is_firing
                if wrong and is_told is (kind != "welded") and step.at_s - since > 180:
                    case.evidence_s += passed
                else:
                    case.evidence_s = 0.0
                return _BURNER_S
        return None

    def _pipe(self, case: _Case, step: Step, passed: float) -> None:
        """A pipe tells only while hot water is pumped past its valve, and long enough after that was last moved."""
        house, zone = step.house, case.fault.id
        is_told, since = self._changed[zone]
        i = house.zones.index(zone)
        is_shut = house.valves[i] < 0.05
        sensors = house.faults.sensors
        if house.faults.are_sensors_gone or sensors.keys() & {"flow", f"pipe.{zone}", f"room.{zone}"}:
            case.evidence_s = 0.0
            return
        if is_told is not is_shut or step.is_first:  # who has just begun begins his ten minutes anew
            case.evidence_s = 0.0
            return
        room = house.rooms[i] if i < len(house.rooms) else 20.0
        if step.at_s - since < (370 if is_told else 1810):
            case.evidence_s = 0.0
        elif house.is_pumping and house.flow > room + 17:
            share = (house.pipes[i] - room) / (
                house.flow - room
            )  # a pipe that was hot takes its time to cool
            if share < 0.2 if is_told else share > 0.65:
                case.evidence_s += passed

    def _names_of(self, fault: Fault) -> set[str]:
        zone = Broken.zone_of(fault)
        if fault.of in ("sensor", "contact"):
            return {fault.id, zone or "boiler", *(("boiler", "burner") if zone is None else ())}
        if zone:
            return {zone, f"pipe.{zone}"}
        every = {zone.id for zone in self.plant.zones}
        if fault.of == "sensors":
            return every | {
                "boiler",
                "sensors",
                "outdoor",
                *(f"room.{id_}" for id_ in every),
                *(f"pipe.{id_}" for id_ in every),
            }
        return every | {"boiler", "burner", "pump", "firing", "flow"}
