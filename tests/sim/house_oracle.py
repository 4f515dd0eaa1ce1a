"""All judges of the simulated house together: what they are asked at each step, and what befell in between."""

from attrs import define, field

from daemons.heating.plant import Plant
from tests.sim.house_alarms import Alarms
from tests.sim.house_comfort import Comfort
from tests.sim.house_events import Events
from tests.sim.house_limits import Limits
from tests.sim.house_reasons import Reasons
from tests.sim.house_step import Broken, Step, Wanted

__all__ = ["HouseOracle"]

_AFTER_DOWN_S = 1800.0
"""After a restart burner and valves wait out their minimum times, and rooms may be that much cooler."""


@define(eq=False)
class HouseOracle:
    """Knows the truth of one house. `step` raises AssertionError for the first rule that is broken."""

    plant: Plant
    control_s: float
    late_s: float = 1.0
    """By how much a relay may be driven later than was decided: on waits for the disk, off does not."""
    watches_events: bool = True
    reasons: Reasons = field(init=False)
    limits: Limits = field(init=False)
    comfort: Comfort = field(init=False)
    alarms: Alarms = field(init=False)
    events: Events = field(init=False)
    broken: Broken = field(init=False)
    _looked_at: float = field(default=-1e9, init=False)

    def __attrs_post_init__(self) -> None:
        wanted = Wanted(self.plant)
        self.broken = Broken(self.plant)
        self.reasons = Reasons(self.plant, wanted, self.control_s)
        self.limits = Limits(self.plant, self.control_s, self.late_s)
        self.comfort = Comfort(self.plant, wanted, self.broken)
        self.alarms = Alarms(self.plant)
        self.events = Events(self.plant)

    def step(self, step: Step) -> None:
        """Judge a decision that the relays now follow."""
        self.limits.step(step)
        self.reasons.step(step)
        if self.watches_events:
            self.events.step(step)
        self.alarms.step(step)
        if step.at_s - self._looked_at >= 60:
            self._looked_at = step.at_s
            self.broken.step(step)
            self.comfort.step(step)

    def dark(self, at_s: float, until_s: float) -> None:
        """Nobody controls: all relays are off from `at_s` on."""
        self.reasons.dark(at_s)
        self.limits.dark(at_s)
        self.broken.excuse_all(until_s + _AFTER_DOWN_S)
