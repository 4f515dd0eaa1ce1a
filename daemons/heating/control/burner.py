"""The boiler: when it may fire, for how long, how warm its water is to be, and when it is locked.

It fires only for a zone that wants heat and whose valve is open, with as many valves open as the water needs. Safety
comes before its minimum times, and says so.
"""

from attrs import define, field, frozen

from daemons.heating.control.scene import Scene
from daemons.heating.control.senses import Sensor
from daemons.heating.control.starts import Starts
from daemons.heating.control.words import degrees, span
from daemons.heating.control.zonerun import Key
from daemons.heating.plant import BurnerPlan

__all__ = ["Burner", "Demand", "Lock"]

_CLOSE_K = 5.0
"""So far below the lock-out it goes off at once."""


@frozen
class Lock:
    """`count`: how often a lock-out had been reset by hand when this one began."""

    words: str
    count: int


@frozen
class Demand:
    """What the zones ask of the boiler. `asked`: somebody wants heat; `ready`: and his valve is open. `open_count`: valves
    that are open, `kept_count`: of them those that would be without the boiler, too. `is_stuck`: if nobody asks,
    somebody would whose valve does not open."""

    asked: bool
    ready: bool
    is_frost: bool
    open_count: int
    kept_count: int
    is_stuck: bool = False
    withheld: str = ""


@define(eq=False)
class Burner:
    """Moments are of the monotonic clock. `residual_at`: when there was last heat of it to be taken away."""

    plan: BurnerPlan
    flow: Sensor | None
    starts: Starts
    is_on: bool = False
    since: float = 0.0
    resting: bool = False
    lock: Lock | None = None
    target: float = 0.0
    residual_at: float = -1e9
    lit_at: float = -1e9
    """When it was last told to fire. However short it then burnt: on and off together never take less than both least
    times."""
    welded: bool = False
    key: Key = ("off",)
    told_key: Key = ()
    cause: str = ""
    changed: bool = field(default=False)

    @property
    def need(self) -> int:
        """Valves that must be open while it burns or is hot."""
        return max(1, self.plan.min_open)

    @property
    def celsius(self) -> float | None:
        """The flow's temperature, if it is known."""
        return None if self.flow is None else self.flow.celsius

    def aim(self, outdoor: float | None, *, for_water: bool, lift: float = 0.0) -> None:
        """Set how warm the flow is to be: by the weather, `lift` K above that, for hot water what that needs."""
        curve = self.plan.curve
        wanted = lift + (curve.unknown if outdoor is None else curve.at_zero - curve.slope * outdoor)
        # In half degrees: a target that creeps with the weather is news for every screen.
        by_weather = round(2 * min(max(wanted, curve.lowest), curve.highest)) / 2
        self.target = max(by_weather, self.plan.dhw_flow) if for_water else by_weather

    def guard(self, scene: Scene) -> None:
        """Lock at the overheat limit; unlock when somebody has reset it since."""
        count = scene.settings.unlocked.get("boiler", 0)
        if self.lock is not None and count != self.lock.count:
            # Fewer resets than then: the settings are those of a backup. Nobody has reset anything.
            self.lock = None if count > self.lock.count else Lock(self.lock.words, count)
            self.changed = True
        flow = self.celsius
        if self.lock is None and flow is not None and flow >= self.plan.overheat:
            self.lock = Lock(f"flow at {degrees(flow)}, the limit is {degrees(self.plan.overheat)}", count)
            self.changed = True

    def too_hot(self) -> bool:
        """Is its water so hot that it should be spread?"""
        flow = self.celsius
        if flow is None:
            return False
        if self.lock is not None:
            return flow >= self.plan.overheat - 20
        return self.welded and flow >= max(self.plan.curve.highest, self.plan.dhw_flow)

    def decide(self, scene: Scene, demand: Demand) -> bool | None:
        """Return True to fire now, False to stop now, None to leave it; `key` says why."""
        for_s = scene.mono - self.since
        if self.is_on:
            return False if self._stops(demand, for_s) else None
        return True if self._fires(scene, demand, for_s) else None

    def _stops(self, demand: Demand, for_s: float) -> bool:
        flow, plan = self.celsius, self.plan
        if self.lock is not None:
            self.key = ("locked", self.lock.words)
        elif flow is not None and flow >= plan.overheat - _CLOSE_K:
            self.key = ("close", flow)
        elif demand.withheld:
            self.key = ("withheld", demand.withheld)
        elif demand.open_count < self.need:
            self.key = ("shut",)
        elif for_s >= plan.max_run_s:
            self.resting = True
            self.key = ("max-run",)
        elif not demand.ready or demand.kept_count < self.need or self._is_warm(for_s):
            if for_s < plan.min_on_s:
                self.key = ("min-on",)
                return False
            if not demand.ready:
                self.key = ("off",)
            else:
                few = demand.kept_count < self.need
                self.key = ("few", demand.kept_count) if few else ("warm", self.target)
        else:
            self.key = ("fire", self.target)
            return False
        return True

    def _fires(self, scene: Scene, demand: Demand, for_s: float) -> bool:
        plan, mono = self.plan, scene.mono
        if self.resting and for_s >= plan.rest_s:
            self.resting = False
        if self.lock is not None:
            self.key = ("locked", self.lock.words)
        elif not demand.asked:
            self.key = ("stuck",) if demand.is_stuck else ("off",)
        elif demand.withheld:
            self.key = ("withheld", demand.withheld)
        elif not demand.ready or demand.kept_count < self.need:
            self.key = ("valves",) if not demand.ready else ("few", demand.kept_count)
        elif self.resting:
            self.key = ("rest", self.since + plan.rest_s)
        elif mono < (end := max(self.since + plan.min_off_s, self.lit_at + plan.min_on_s + plan.min_off_s)):
            self.key = ("min-off", end)
        elif self._is_warm(for_s):
            self.key = ("warm", self.target)
        elif not demand.is_frost and self.starts.must_wait(mono):
            if self.key[0] != "starts":
                self.key = ("starts", mono + self.starts.wait_s(mono))
        else:
            self.key = ("fire", self.target)
            return True
        return False

    def _is_warm(self, for_s: float) -> bool:
        """Is its water as warm as it is to be? Without a flow temperature: has it burnt for as long as it may unseen?"""
        half, flow = self.plan.hysteresis / 2, self.celsius
        if flow is not None:
            return flow >= self.target + half if self.is_on else flow > self.target - half
        return self.flow is not None and self.is_on and for_s >= self.plan.blind_run_s

    def turn(self, on: bool, mono: float) -> None:
        """Note that its relay is switched."""
        self.is_on, self.since, self.changed = on, mono, True
        if on:
            self.lit_at = mono
            self.starts.spend(mono)

    def words(self) -> str:
        """Return the cause that `key` stands for; waits are worded with the zones'."""
        name = self.key[0]
        if name == "fire":
            return f"fires: zones want heat, flow to be {degrees(self.target)}"
        if name in ("locked", "withheld"):
            return f"off: {self.key[1]}"
        if name == "close":
            return f"off at once: flow is close to the limit of {degrees(self.plan.overheat)}"
        if name == "few":
            return f"waits: {self.key[1]} of at least {self.need} valves can be open"
        if name == "max-run":
            return f"off for {span(self.plan.rest_s)}: has burnt for {span(self.plan.max_run_s)}, the longest it may"
        return {
            "off": "no zone wants heat", "stuck": "off: heat is wanted only where valves seem stuck",
            "min-on": "burns on: its minimum on time", "valves": "waits for valves to open",
            "shut": "off at once: too few valves are open", "warm": "the water is warm enough",
            "calls": "a zone calls", "fires": "it fires by itself",
        }[str(name)]  # fmt: skip
