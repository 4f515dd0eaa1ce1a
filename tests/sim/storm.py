"""What befalls a run: drawn from its seed and written down, or played from a script.

The worlds ask at every moment at which something may happen. In a drawn storm what the seed says holds, and becomes a
step of the record; in a played one the script decides, and the seed's draws are made and thrown away, so that all that
is not a fault stays as it was. A step that belongs to a moment of a program ("crash in the transaction") waits, from
its time on, for the next such moment.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

import trio
from attrs import define, field

from chaos.faults import Placed, Silence
from chaos.scenario import Deed, Scenario, ScenarioError, Step
from chaos.simnet import Kill, Mishap, Program, Strike, World
from chaos.simnet.carrier import SimCarrier, open_carrier
from chaos.simnet.faults import Struck, random_faults
from tests.sim.script import DOWN_LEAST_S, WITH_POWER, Script, kill_step, steps_of, strike_of

SOON_S = 1e-6
"""Virtual times are sums, which round."""
INSTANT_S = 0.001

TURN_GIVEN_EVERY = 8
"""See `SimNetwork.turn_given_every`: of hours."""

_STRIKES = frozenset(mishap.value for mishap in Mishap)
_KILLS = ("crash", "power")
_STOP, _RESTORE, _CLOCK, FROZEN_ORIGIN = "stopped in order", "restored", "clock stepped", "origin froze"


@define(eq=False)
class Storm:
    """`hosts`: which host is the "site", which the "hub"."""

    world: World
    hosts: Mapping[str, str]
    script: Script | None = None
    is_over: bool = field(default=False, init=False)
    """Nothing befalls it any more, and nothing is written down."""
    _steps: list[Step] = field(factory=list, init=False)
    _exactly: dict[str, str] = field(factory=dict, init=False)
    _events: int = field(default=0, init=False)
    _waiting: dict[tuple[str, str], deque[Step]] = field(init=False)
    _targets: dict[str, str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._targets = {host: target for target, host in self.hosts.items()}
        waiting: defaultdict[tuple[str, str], deque[Step]] = defaultdict(deque)
        if self.script is not None:
            for step in self.script.scenario.timeline:
                how = self.script.exactly.get(step.name)
                if how is not None and how not in _STRIKES and how not in _KILLS:
                    moment = _RESTORE if how.startswith(_RESTORE) else how.removesuffix(WITH_POWER)
                    waiting[moment, step.target].append(step)
        self._waiting = dict(waiting)

    @property
    def is_drawn(self) -> bool:
        return self.script is None

    def recorded(self, name: str) -> Script:
        """Return what has befallen it until now, as a script."""
        return Script(Scenario(name, tuple(self._steps)), dict(self._exactly))

    # --- what strikes from outside -------------------------------------------------------------------------------

    def _struck(self, struck: Struck) -> None:
        now = trio.current_time()
        if isinstance(struck, Kill):
            step = kill_step(
                f"{self._number()} {struck.name}", self._targets[struck.host], now, struck.down_s
            )
            self._write(step, struck.name)
            return
        steps = steps_of(struck, self._number(), now, self.hosts["site"])
        self._steps += steps
        self._exactly |= {step.name: struck.name for step in steps}

    async def run(
        self,
        programs: Sequence[Program],
        on_struck: Callable[[Struck], None],
        *,
        faults_an_hour: float,
        kills_an_hour: float,
    ) -> None:
        """Let faults strike the path and the programs, at these mean rates or as the script says, until cancelled."""
        if self.script is not None:
            await self._play({program.host: program for program in programs}, on_struck)
            return

        def write_and_tell(struck: Struck) -> None:
            self._struck(struck)
            on_struck(struck)

        await random_faults(
            self.world.net,
            [(self.hosts["site"], self.hosts["hub"])],
            rate_per_hour=faults_an_hour,
            programs=programs,
            kills_per_hour=kills_an_hour,
            on_fault=write_and_tell,
        )

    async def _play(self, programs: Mapping[str, Program], on_struck: Callable[[Struck], None]) -> None:
        assert self.script is not None
        path = self.world.net.link(self.hosts["site"], self.hosts["hub"])

        async def strike(at_s: float, strike: Strike) -> None:
            await self._sleep_until(at_s)
            on_struck(strike)
            await strike.run(path)

        async def kill(step: Step, power: bool) -> None:
            await self._sleep_until(step.at_s)
            fate = self._kill(step, power)
            on_struck(fate)
            programs[fate.host].kill(power=power, down_s=fate.down_s)

        others = _others(self.script)
        if problems := unplayable(self.script):
            raise ScenarioError(problems)
        uplink = {"field": (self.hosts["site"], self.hosts["hub"])}
        async with AsyncExitStack() as stack:
            if others:
                carrier = await stack.enter_async_context(
                    open_carrier(self.world.net, uplink, seed=str(self.world.seed), proxy="uplink")
                )
            nursery = await stack.enter_async_context(trio.open_nursery())
            for step in others:
                if isinstance(step.fault, Deed):
                    nursery.start_soon(kill, step, False)
                else:
                    nursery.start_soon(self._place, carrier, step, step.fault)
            for steps in self.script.events:
                first = steps[0]
                how = self.script.exactly.get(first.name)
                if how in _STRIKES:
                    drawn = strike_of(steps, how, self.hosts["site"], self.hosts["hub"])
                    nursery.start_soon(strike, first.at_s, drawn)
                elif how in _KILLS:
                    nursery.start_soon(kill, first, how == "power")
            await trio.sleep_forever()

    async def _place(self, carrier: SimCarrier, step: Step, placed: Placed) -> None:
        """Place a fault as a drill does."""
        assert self.script is not None
        await self._sleep_until(step.at_s)
        self.world.sometimes(step.kind)
        await carrier.place(step.name, "uplink", placed, 0.0)
        await self._sleep_until(self.script.scenario.ends_at_s(step))
        await carrier.remove(step.name)

    # --- what a program meets at a moment of its own -------------------------------------------------------------

    def moment(self, name: str, host: str, drawn: Kill | None) -> Kill | None:
        """Return how the program of `host` dies at this moment, or None."""
        if self.is_drawn:
            if drawn is not None and not self.is_over:
                how = name + WITH_POWER * drawn.power
                step = kill_step(
                    f"{self._number()} {name}", self._targets[host], trio.current_time(), drawn.down_s
                )
                self._write(step, how)
            return drawn
        # Of several such moments in one instant it was the one at which the seed says so, too.
        step = self._take(name, host, patience_s=0.0 if drawn is not None else INSTANT_S)
        if step is None:
            return None
        assert self.script is not None
        return self._kill(step, self.script.exactly[step.name].endswith(WITH_POWER))

    async def until_moment(self, name: str, host: str, drawn_s: float) -> None:
        """Wait for `drawn_s`, or until the script has the program of `host` wait for this moment."""
        if self.is_drawn:
            await trio.sleep(drawn_s)
        elif queue := self._waiting.get((name, self._targets[host])):
            await self._sleep_until(queue[0].at_s)
        else:
            await trio.sleep_forever()

    async def until_stopped(self, host: str, drawn_s: float) -> None:
        """Wait until the program of `host` is to be stopped in order."""
        if self.is_drawn:
            await trio.sleep(drawn_s)
            self._write_deed("stop", host, _STOP, {"down_s": DOWN_LEAST_S})
            return
        queue = self._waiting.get((_STOP, self._targets[host]), deque())
        while queue and queue[0].at_s < trio.current_time() - SOON_S:
            queue.popleft()  # it was down then
        if not queue:
            await trio.sleep_forever()
        await self._sleep_until(queue[0].at_s)
        queue.popleft()

    def down_after_stop_s(self, host: str) -> float:
        """Return for how long the program of `host` stays down when it was stopped in order."""
        return 0.0

    def restored(self, host: str, drawn: int | None, backups: int) -> int | None:
        """Return which of its `backups` (0: the oldest) is put back while `host` is down, or None."""
        if self.is_drawn:
            if drawn is not None:
                self._write_deed("restore", host, f"{_RESTORE} {backups - drawn}", {"down_s": DOWN_LEAST_S})
            return drawn
        step = self._take(_RESTORE, host) if backups else None
        if step is None:
            return None
        assert self.script is not None
        age = self.script.exactly[step.name].removeprefix(_RESTORE).strip()
        return backups - min(int(age) if age.isdecimal() else 1, backups)

    def clock_stepped(self, host: str, drawn_s: float | None) -> None:
        """Let the wall clock of `host` be ahead by so much, or as the script says."""
        skew = self.world.skew_s
        if self.is_drawn:
            if drawn_s is not None:
                self._write_deed("clock_step", host, _CLOCK, {"seconds": drawn_s - skew.get(host, 0.0)})
                skew[host] = drawn_s
        elif (step := self._take(_CLOCK, host)) is not None:
            assert isinstance(step.fault, Deed)
            skew[host] = skew.get(host, 0.0) + step.fault.get("seconds")

    async def origin_frozen(
        self, gap_s: float, for_s: float, freeze: Callable[[], None], thaw: Callable[[], None]
    ) -> None:
        """Freeze the origin for `for_s` after a gap, or when the script says so next."""
        if self.is_drawn:
            await trio.sleep(gap_s)
            name = f"{self._number()} {FROZEN_ORIGIN}"
            fault = Placed(name, Silence())
            self._write(Step(trio.current_time(), for_s, name, "origin", fault), FROZEN_ORIGIN)
        else:
            queue = self._waiting.get((FROZEN_ORIGIN, "origin"), deque())
            if not queue:
                await trio.sleep_forever()
            step = queue.popleft()
            await self._sleep_until(step.at_s)
            for_s = step.for_s or 0.0
        freeze()
        self.world.sometimes(FROZEN_ORIGIN)
        await trio.sleep(for_s)
        thaw()

    # --- helpers -------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._events += 1
        return self._events

    def _write(self, step: Step, how: str) -> None:
        self._steps.append(step)
        self._exactly[step.name] = how

    def _write_deed(self, kind: str, host: str, how: str, attributes: Mapping[str, float]) -> None:
        if not self.is_over:
            target = self._targets[host]
            step = Step(
                trio.current_time(), None, f"{self._number()} {how}", target, Deed(kind, target, attributes)
            )
            self._write(step, how)

    def _take(self, how: str, host: str, patience_s: float = 0.0) -> Step | None:
        """Return the step that waits for this, if its time has come; once."""
        queue = self._waiting.get((how, self._targets[host]))
        if not queue or queue[0].at_s + patience_s > trio.current_time() + SOON_S:
            return None
        return queue.popleft()

    def _kill(self, step: Step, power: bool) -> Kill:
        if not isinstance(step.fault, Deed) or step.target not in self.hosts:
            raise ScenarioError([f"{step.name}: must be a kill of site or hub"])
        return Kill(self.hosts[step.target], power, step.fault.get("down_s"))

    async def _sleep_until(self, at_s: float) -> None:
        await self.world.net.timeline.sleep_until(max(at_s, trio.current_time()))


def _others(script: Script) -> list[Step]:
    return [step for step in script.scenario.timeline if step.name not in script.exactly]


def unplayable(script: Script) -> list[str]:
    """Return what no world plays without being told exactly, in words."""
    return [
        f"{step.name}: a simulated world plays faults of the uplink, and kills of site and hub"
        for step in _others(script)
        if (step.kind != "kill" or step.target not in ("site", "hub"))
        and (isinstance(step.fault, Deed) or step.target.partition(":")[0] != "uplink")
    ]
