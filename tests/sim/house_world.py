"""A house, its Pi and its people over weeks: every ten seconds control decides, the relays follow, the oracle judges."""

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from attrs import define, field, frozen

from chaos.doubles.house import House, colorado
from daemons.heating.control import Control
from daemons.heating.plant import Plant
from daemons.heating.settings import Settings
from daemons.heating.state import Decision, Fault, Inputs, Instant, Reading
from tests.sim.house_oracle import HouseOracle
from tests.sim.house_people import change, reset_boiler
from tests.sim.house_plant import family_settings, plant_of
from tests.sim.house_step import Step
from tests.sim.house_storm import Befalls, Down, storm

__all__ = ["ControlAlone", "HouseRun", "HouseWorld", "Pi", "inputs_of"]

_SAID = {
    "lost": Fault.LOST,
    "hangs": Fault.LOST,
    "crc": Fault.CRC,
    "power-on": Fault.POWER_ON,
    "range": Fault.RANGE,
    "open": Fault.OPEN,
    "short": Fault.SHORT,
}


@define
class Pi:
    """A computer without a clock of its own: what it believes of the time. Seconds; `ahead_s`: UTC less the run's."""

    began_utc: float
    boot: int = 1
    booted_at: float = -100.0
    wrong_s: float = 0.0
    unsure_until: float = -1.0

    def instant(self, at_s: float) -> Instant:
        """Return what the program on it takes for now."""
        is_sure = at_s >= self.unsure_until
        utc = self.began_utc + at_s - (0.0 if is_sure else self.wrong_s)
        return Instant(at_s - self.booted_at, utc, f"boot-{self.boot}", is_sure)

    def power(self, down: Down) -> None:
        """The power is back at the end of `down`."""
        self.boot += 1
        self.booted_at = down.until - 20
        self.wrong_s, self.unsure_until = down.lost_s, down.until + down.unsure_s


def inputs_of(
    mono: float, said: Mapping[str, float | str], contacts: Mapping[str, bool], kept: dict[str, Reading]
) -> Inputs:
    """Return readings as hardware would; `kept`: those of before, which a sensor that says nothing new still has."""
    for name, value in said.items():
        kept[name] = Reading(mono, value) if isinstance(value, float) else Reading(mono, None, _SAID[value])
    return Inputs(dict(kept), contacts)


class Driver(Protocol):
    """Whoever decides: control alone, or the daemon's loop around it."""

    def step(self, now: Instant, inputs: Inputs, settings: Settings) -> Decision: ...

    def restart(self, *, is_power: bool) -> None: ...


class ControlAlone:
    """Control, and a memory that survives as text, as in a file."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._memory: str | None = None
        self._control = Control(plant, None)

    def step(self, now: Instant, inputs: Inputs, settings: Settings) -> Decision:
        """Decide, and keep what must be kept."""
        decision = self._control.step(now, inputs, settings)
        if decision.memory is not None:
            self._memory = json.dumps(decision.memory)
        return decision

    def restart(self, *, is_power: bool) -> None:
        """Begin anew with what was kept."""
        self._control = Control(self._plant, None if self._memory is None else json.loads(self._memory))


@frozen(kw_only=True)
class HouseRun:
    """What came of a run. `happened`: what befell, how often; `told`: of each kind of fault, the seconds after which it was
    named at the latest; `worst_k`: how much a room was under its target when it had to be within the band."""

    name: str
    seed: int
    days: float
    cpu_s: float
    steps: int
    happened: Counter[str]
    told: dict[str, float]
    untold: dict[str, int]
    events: int
    starts: int
    worst_k: float
    coldest: float
    judged: int


@define(eq=False)
class HouseWorld:
    """One run. `began_utc`: where in time; `quarter`: see `storm`; `control_s`: from one step of control to the next."""

    seed: int
    name: str
    began_utc: float
    days: float
    quarter: int | None = None
    control_s: float = 10.0
    befalls: Befalls | None = None
    house: House = field(init=False)
    plant: Plant = field(init=False)
    settings: Settings = field(init=False)
    oracle: HouseOracle = field(init=False)
    pi: Pi = field(init=False)
    happened: Counter[str] = field(factory=Counter, init=False)
    _at: float = field(default=0.0, init=False)
    _kept: dict[str, Reading] = field(factory=dict, init=False)
    _outputs: Mapping[str, bool] = field(factory=dict, init=False)
    _locked_since: float | None = field(default=None, init=False)
    _rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        plan = colorado()
        self._rng = random.Random(f"{self.seed}/people/{self.name}")
        self.house = House(self.seed, self.began_utc, plan)
        self.plant = plant_of(plan)
        self.settings = family_settings(plan, random.Random(f"{self.seed}/family"))
        self.oracle = HouseOracle(self.plant, self.control_s)
        self.pi = Pi(self.began_utc)
        if self.befalls is None:
            self.befalls = storm(self.seed, self.name, self.days, plan, quarter=self.quarter)

    def run(self, driver: Driver) -> HouseRun:
        """Live all of it. Raises AssertionError for every broken rule."""
        began = time.process_time()
        assert self.befalls is not None
        whole_s = self.days * 86_400
        faults, downs, people = list(self.befalls.faults), list(self.befalls.downs), list(self.befalls.people)
        faults.reverse()
        downs.reverse()
        people.reverse()
        broken: list[tuple[float, str]] = []
        is_first, steps = True, 0
        while self._at < whole_s:
            at = self._at
            while faults and faults[-1].at <= at:
                fault = faults.pop()
                self.house.faults.add(fault.what, fault.kind, fault.value)
                broken.append((fault.until, fault.what))
                self.happened[f"{fault.what.split('.')[0].split(' ')[0]} {fault.kind}"] += 1
            for one in [one for one in broken if one[0] <= at]:
                broken.remove(one)
                self.house.faults.take(one[1])
            while people and people[-1] <= at:
                people.pop()
                if self.pi.instant(at).is_sure:
                    self.settings = change(self.plant, self.settings, self.pi.instant(at).utc, self._rng)
                    self.happened["people"] += 1
            if downs and downs[-1].at <= at:
                self._be_down(downs.pop(), driver)
                is_first = True
                continue
            self._decide(driver, is_first)
            is_first = False
            self.house.advance(self.control_s, self._outputs)
            self._at += self.control_s
            steps += 1
        oracle = self.oracle
        return HouseRun(
            name=self.name,
            seed=self.seed,
            days=self.days,
            cpu_s=time.process_time() - began,
            steps=steps,
            happened=self.happened,
            told=oracle.alarms.told,
            untold=oracle.alarms.untold,
            events=oracle.events.count,
            starts=len(oracle.limits.starts),
            worst_k=oracle.comfort.worst,
            coldest=oracle.comfort.coldest,
            judged=oracle.comfort.judged,
        )

    def _decide(self, driver: Driver, is_first: bool) -> None:
        at, house = self._at, self.house
        now = self.pi.instant(at)
        said, contacts = house.readings(), house.contacts()
        inputs = inputs_of(now.mono, said, contacts, self._kept)
        decision = driver.step(now, inputs, self.settings)
        self._outputs = decision.outputs
        self.oracle.step(Step(at, now, self.plant, house, said, contacts, self.settings, decision, is_first))
        self._reset(decision)

    def _be_down(self, down: Down, driver: Driver) -> None:
        self.happened[f"down {down.how}"] += 1
        if down.how == "hang":  # nothing is decided; the relays stay until the watchdog ends it
            self.house.advance(down.until - down.at, self._outputs)
            self._at += down.until - down.at
            self.oracle.dark(self._at, self._at)
            down_s = 2.0
        else:
            self.oracle.dark(self._at, down.until)
            down_s = down.until - down.at
        self._outputs = {}
        self.house.advance(down_s, self._outputs)
        self._at += down_s
        if down.how == "power":
            self.house.cut_power()
            self.pi.power(down)
            self._kept.clear()
        driver.restart(is_power=down.how == "power")

    def _reset(self, decision: Decision) -> None:
        """Somebody comes within the hour, looks, and resets what is locked when nothing is broken any more."""
        is_locked = bool(decision.state.boiler.locked_out) or self.house.is_cut_off
        if not is_locked or self.house.faults.any:
            self._locked_since = None
        elif self._locked_since is None:
            self._locked_since = self._at
        elif self._at - self._locked_since > 1800:
            self._locked_since = None
            self.happened["boiler reset"] += 1
            self.house.reset_boiler()
            if decision.state.boiler.locked_out:
                self.settings = reset_boiler(self.settings)
