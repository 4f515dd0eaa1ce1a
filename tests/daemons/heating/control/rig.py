"""A house of plain numbers in which the control is tried: what a test says of it is so, and time goes by in steps."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from attrs import define, evolve, field

from daemons.heating.control import Control
from daemons.heating.plant import BurnerPlan, Plant, SensorPlan, ZoneKind, ZonePlan
from daemons.heating.settings import Mode, Settings, Target, ZoneSettings
from daemons.heating.state import Alarm, Decision, Fault, HeatEvent, Inputs, Instant, Reading, ZoneState

__all__ = ["BERLIN", "NOON", "Rig", "at_local", "manual", "plain_plant", "plant_of", "zone"]

BERLIN = "Europe/Berlin"


def at_local(text: str, zone: str = BERLIN) -> float:
    """Return the UTC second of a local time as in "2026-01-14 12:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


NOON = at_local("2026-01-14 12:00")


def zone(id_: str, **fields: object) -> ZonePlan:
    """Return a room with a sensor of its own, whose relays need no time."""
    plain: dict[str, object] = {
        "id": id_, "title": id_.title(), "output": f"{id_}-valve", "room": f"{id_}-room", "valve_s": 0.0,
        "min_on_s": 0.0, "min_off_s": 0.0, "exercise_s": 0.0,
    }  # fmt: skip
    if fields.get("kind") is ZoneKind.DHW:
        plain["room"] = None
    return ZonePlan(**{**plain, **fields})  # type: ignore[arg-type]


def plant_of(*zones: ZonePlan, burner: BurnerPlan | None = None, **fields: object) -> Plant:
    """Return a house of these zones; without a burner of ours unless one is given."""
    return Plant(
        house="test", time_zone=BERLIN, zones=zones, burner=burner or BurnerPlan(exercise_s=0.0), **fields
    )  # type: ignore[arg-type]


def plain_plant(**fields: object) -> Plant:
    """Return a house of one room, "living"."""
    return plant_of(zone("living", **fields))


def manual(celsius: float, *zones: str, **fields: object) -> Settings:
    """Return settings in which these rooms are to be as warm as that."""
    target = ZoneSettings(mode=Mode.MANUAL, manual=Target(celsius=celsius))
    return Settings(version=1, zones=dict.fromkeys(zones or ("living",), target), **fields)  # type: ignore[arg-type]


@define
class Rig:
    """The control of `plant` and all that it sees. `temps`: what each sensor says; a Fault for one; missing: nothing."""

    plant: Plant
    settings: Settings = field(factory=Settings)
    mono: float = 1000.0
    utc: float = NOON
    boot: str = "one"
    is_sure: bool = True
    tick: float = 10.0
    temps: dict[str, float | Fault] = field(factory=dict)
    contacts: dict[str, bool | None] = field(factory=dict)
    events: list[HeatEvent] = field(factory=list)
    memory: Mapping[str, object] | None = None
    control: Control = field(init=False)
    last: Decision = field(init=False)
    control_made: int = 0

    def __attrs_post_init__(self) -> None:
        self.control = Control(self.plant, self.memory)

    @property
    def now(self) -> Instant:
        return Instant(self.mono, self.utc, self.boot, self.is_sure)

    def step(self) -> Decision:
        """Ask the control once; no time goes by."""
        readings = {
            id_: Reading(self.mono, fault=said) if isinstance(said, Fault) else Reading(self.mono, said)
            for id_, said in self.temps.items()
        }
        self.last = self.control.step(self.now, Inputs(readings, dict(self.contacts)), self.settings)
        self.events.extend(self.last.events)
        if self.last.memory is not None:
            self.memory = self.last.memory
        return self.last

    def run(self, seconds: float) -> Decision:
        """Let that much time go by, a step each tick; return the last decision."""
        end = self.mono + seconds
        while self.mono < end - 1e-6:
            self.pass_(min(self.tick, end - self.mono))
            self.step()
        return self.last

    def pass_(self, seconds: float) -> None:
        """Let time go by with no step."""
        self.mono += seconds
        self.utc += seconds

    def restart(
        self, *, off_s: float = 0.0, boot: str | None = None, is_sure: bool | None = None
    ) -> Decision:
        """Start the control anew from its memory, after `off_s`; in another boot its monotonic clock begins at 5 s."""
        self.pass_(off_s)
        if boot is not None:
            self.boot, self.mono = boot, 5.0
        if is_sure is not None:
            self.is_sure = is_sure
        self.control = Control(self.plant, self.memory)
        return self.step()

    def zone(self, id_: str = "living") -> ZoneState:
        return next(zone for zone in self.last.state.zones if zone.id == id_)

    def is_on(self, id_: str = "living") -> bool:
        return self.last.outputs[self.plant.zone(id_).output]

    @property
    def burns(self) -> bool:
        assert self.plant.burner.output is not None
        return self.last.outputs[self.plant.burner.output]

    def alarm(self, code: str) -> Alarm | None:
        return next((alarm for alarm in self.last.state.alarms if alarm.code == code), None)

    def told(self, source: str) -> list[tuple[str, str]]:
        """Return what happened to that source: kinds and causes."""
        return [(event.kind.value, event.cause) for event in self.events if event.source == source]

    def adjust(self, **sensor: object) -> None:
        """Have other rules for all sensors of rooms, before the first step."""
        sensors = {id_: SensorPlan(id=id_, **sensor) for zone_ in self.plant.zones if (id_ := zone_.room)}  # type: ignore[arg-type]
        self.plant = evolve(self.plant, sensors={**self.plant.sensors, **sensors})
        self.control = Control(self.plant, self.memory)
