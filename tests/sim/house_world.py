"""A house, its Pi and its people over weeks: every ten seconds control decides, the relays follow, the oracle judges."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import define, evolve, field, frozen

from chaos.doubles.house import House, colorado
from daemons.heating.control import Control
from daemons.heating.plant import Plant
from daemons.heating.settings import Settings
from daemons.heating.state import Decision, Inputs, Instant, Reading
from daemons.heating.state import Fault as Said
from tests.sim.house_oracle import HouseOracle
from tests.sim.house_people import change, reset_boiler
from tests.sim.house_plant import family_settings, plant_of
from tests.sim.house_step import Step
from tests.sim.house_storm import Befalls, Down, Fault, storm

__all__ = ["ControlAlone", "HouseRun", "HouseWorld", "Pi", "inputs_of"]

_TELL_S = 10 * 86_400.0
_SAID = {
    "lost": Said.LOST,
    "hangs": Said.LOST,
    "crc": Said.CRC,
    "power-on": Said.POWER_ON,
    "range": Said.RANGE,
    "open": Said.OPEN,
    "short": Said.SHORT,
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
    """One run. `began_utc`: where in time; `quarter`: see `storm`; `control_s`: from one step of control to the next;
    `read_s`: from one reading of the sensors to the next, where control is alone (0: each step)."""

    seed: int
    name: str
    began_utc: float
    days: float
    quarter: int | None = None
    control_s: float = 10.0
    read_s: float = 0.0
    is_away: bool = False
    befalls: Befalls | None = None
    tell: Callable[["HouseWorld"], None] | None = None
    """Called every ten days of a long run."""
    house: House = field(init=False)
    plant: Plant = field(init=False)
    settings: Settings = field(init=False)
    oracle: HouseOracle = field(init=False)
    pi: Pi = field(init=False)
    happened: Counter[str] = field(factory=Counter, init=False)
    at: float = field(default=0.0, init=False)
    kept: dict[str, Reading] = field(factory=dict, init=False)
    _said: Mapping[str, float | str] = field(factory=dict, init=False)
    _read_at: float = field(default=-1e9, init=False)
    _waiting: list[Fault] = field(init=False)
    _broken: list[tuple[float, str]] = field(factory=list, init=False)
    _outputs: Mapping[str, bool] = field(factory=dict, init=False)
    _locked_since: float | None = field(default=None, init=False)
    _rng: random.Random = field(init=False)
    _began: float = field(factory=time.process_time, init=False)

    def __attrs_post_init__(self) -> None:
        plan = colorado()
        self._rng = random.Random(f"{self.seed}/people/{self.name}")
        self.house = House(self.seed, self.began_utc, plan)
        self.plant = plant_of(plan)
        self.settings = family_settings(plan, random.Random(f"{self.seed}/family"))
        self.oracle = HouseOracle(self.plant, self.control_s)
        self.pi = Pi(self.began_utc)
        if self.befalls is None:
            self.befalls = storm(
                self.seed, self.name, self.days, plan, quarter=self.quarter, is_away=self.is_away
            )
        self._waiting = list(reversed(self.befalls.faults))

    def run(self, driver: Driver) -> HouseRun:
        """Live all of it. Raises AssertionError for every broken rule."""
        assert self.befalls is not None
        downs, people = list(reversed(self.befalls.downs)), list(reversed(self.befalls.people))
        is_first, steps = True, 0
        tell_at = _TELL_S
        while self.at < self.days * 86_400:
            if self.at >= tell_at and self.tell is not None:
                tell_at += _TELL_S
                self.tell(self)
            self.befall(self.at)
            while people and people[-1] <= self.at:
                people.pop()
                now = self.pi.instant(self.at)
                if now.is_sure and not self.is_nobody_there:
                    self.settings = change(self.plant, self.settings, now.utc, self._rng)
                    self.happened["people"] += 1
            if self.settings.is_on is self.is_nobody_there and self._goes():
                self.settings = evolve(
                    self.settings, version=self.settings.version + 1, is_on=not self.settings.is_on
                )
            if downs and downs[-1].at <= self.at:
                self._be_down(downs.pop(), driver)
                is_first = True
                continue
            self._decide(driver, is_first)
            is_first = False
            self.house.advance(self.control_s, self._outputs)
            self.at += self.control_s
            steps += 1
        return self.figures(steps)

    @property
    def is_nobody_there(self) -> bool:
        """Is heating switched off because nobody is there?"""
        away = None if self.befalls is None else self.befalls.away
        return away is not None and away[0] <= self.at < away[1]

    def _goes(self) -> bool:
        """Does somebody leave, or come back, with this step?"""
        away = None if self.befalls is None else self.befalls.away
        return away is not None and (self.is_nobody_there or 0 <= self.at - away[1] < 2 * self.control_s)

    def befall(self, at_s: float) -> None:
        """Break and mend what is to be broken and mended by now."""
        while self._waiting and self._waiting[-1].at <= at_s:
            fault = self._waiting.pop()
            self.house.faults.add(fault.what, fault.kind, fault.value)
            self._broken.append((fault.until, fault.what))
            self.happened[f"{fault.what.split('.')[0].split(' ')[0]} {fault.kind}"] += 1
        for one in [one for one in self._broken if one[0] <= at_s]:
            self._broken.remove(one)
            self.house.faults.take(one[1])

    def figures(self, steps: int) -> HouseRun:
        """Return what came of it."""
        oracle = self.oracle
        return HouseRun(
            name=self.name,
            seed=self.seed,
            days=self.days,
            cpu_s=time.process_time() - self._began,
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
        at, house = self.at, self.house
        now = self.pi.instant(at)
        contacts = house.contacts()
        if at - self._read_at >= self.read_s:
            self._read_at, self._said = at, house.readings()
            inputs = inputs_of(now.mono, self._said, contacts, self.kept)
        else:
            inputs = Inputs(self.kept, contacts)
        decision = driver.step(now, inputs, self.settings)
        self._outputs = decision.outputs
        self.oracle.step(
            Step(at, now, self.plant, house, self._said, contacts, self.settings, decision, is_first)
        )
        if self.look_after(decision):
            self.settings = reset_boiler(self.settings)

    def _be_down(self, down: Down, driver: Driver) -> None:
        self.happened[f"down {down.how}"] += 1
        if down.how == "hang":  # nothing is decided; the relays stay until the watchdog ends it
            self.house.advance(down.until - down.at, self._outputs)
            self.at += down.until - down.at
            self.oracle.dark(self.at, self.at)
            down_s = 2.0
        else:
            self.oracle.dark(self.at, down.until)
            down_s = down.until - down.at
        self._outputs = {}
        self.house.advance(down_s, self._outputs)
        self.at += down_s
        if down.how == "power":
            self.house.cut_power()
            self.pi.power(down)
            self.kept.clear()
            self._read_at = -1e9
        driver.restart(is_power=down.how == "power")

    def look_after(self, decision: Decision) -> bool:
        """Let somebody come within the hour when the boiler is locked, and press the button of its own stat when nothing is
        broken any more; return whether control's lock is to be reset, too."""
        is_locked = bool(decision.state.boiler.locked_out) or self.house.is_cut_off
        if not is_locked or self.house.faults.any:
            self._locked_since = None
        elif self._locked_since is None:
            self._locked_since = self.at
        elif self.at - self._locked_since > 1800:
            self._locked_since = None
            self.happened["boiler reset"] += 1
            self.house.reset_boiler()
            return bool(decision.state.boiler.locked_out)
        return False
