"""All sensors of a house, and how much of what must move each of them has happened: one that does not feel it is frozen."""

from collections.abc import Mapping, Sequence

from attrs import define, field

from daemons.heating.control.senses import Sensor
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.plant import Plant
from daemons.heating.state import Reading

__all__ = ["Instruments"]


@define(eq=False)
class Instruments:
    """One sensor an id, whoever it serves. `burnt_s`: for how long there was heat in all."""

    plant: Plant
    sensors: dict[str, Sensor] = field(factory=dict)
    outdoor: Sensor | None = field(init=False)
    flow: Sensor | None = field(init=False)
    back: Sensor | None = field(init=False)
    burnt_s: float = 0.0

    def __attrs_post_init__(self) -> None:
        burner = self.plant.burner
        self.outdoor = self.sensor(self.plant.outdoor, is_pipe=False)
        self.flow, self.back = self.sensor(burner.flow, is_pipe=True), self.sensor(burner.back, is_pipe=True)

    def sensor(self, id_: str | None, *, is_pipe: bool) -> Sensor | None:
        """Return the sensor of that id; None where there is to be none."""
        if id_ is None:
            return None
        if id_ not in self.sensors:
            self.sensors[id_] = Sensor(self.plant.sensor(id_), is_pipe)
        return self.sensors[id_]

    def begin(self, mono: float) -> None:
        """Take all for good until now: nothing was asked of them before."""
        for sensor in self.sensors.values():
            sensor.good_at = mono

    def heated(self, runs: Sequence[ZoneRun], passed: float) -> None:
        """Count time for which there was heat, for all that were open to it."""
        self.burnt_s += passed
        for run in runs:
            if run.is_on and not run.stuck:
                run.ran_s += passed

    def sense(self, runs: Sequence[ZoneRun], readings: Mapping[str, Reading], mono: float) -> None:
        """Take what every sensor says."""
        outdoor = self.outdoor
        weather = 0.0 if outdoor is None else outdoor.path / 10
        rooms = 0.0
        for run in runs:
            worked, room, supply = run.ran_s / 1800, run.room, run.supply
            if room is not None:
                room.step(mono, readings.get(room.plan.id), worked + weather)
                run.celsius = room.celsius
                rooms += room.path
            if supply is not None:
                supply.step(mono, readings.get(supply.plan.id), worked)
        for sensor in (self.flow, self.back):
            if sensor is not None:
                sensor.step(mono, readings.get(sensor.plan.id), self.burnt_s / 1800)
        if outdoor is not None:
            outdoor.step(mono, readings.get(outdoor.plan.id), rooms / 20)
