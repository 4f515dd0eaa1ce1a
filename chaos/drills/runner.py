"""Runs a drill: steady before, faults in time under guards, recoveries, and a heal on every way out."""

import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import trio
from attrs import define, evolve, field

from chaos.carrier import CarrierError, NotBack
from chaos.drills.drill import Bound, Drill
from chaos.drills.ground import Ground
from chaos.drills.herald import Herald
from chaos.drills.judge import GuardWatch, bound_check, judge, ran_spells, recovered, recovery_checks
from chaos.drills.player import HEAL_S, Player, heal
from chaos.drills.record import Check, Kind, Record, Sample, Verdict
from chaos.drills.recovery import Spell, has_recovered, recovery_of
from chaos.drills.show import Show, clock_words
from chaos.drills.standing import RecoveryClock, standing_of, standing_of_record
from chaos.drills.watch import Reading, Watcher
from daemons.ops.client import AdminError, Unreachable
from daemons.ops.groups import leaves

__all__ = ["Runner"]

READINGS_MAX: Final = 20_000
SAMPLES_MAX: Final = 5_000
SAMPLE_LEAST_S: Final = 0.5
CLOCK_READINGS: Final = 12
"""Before a spell's end, for the clock that is shown."""

LEAVE_S: Final = 15.0
"""Beyond the heal and the wait for the steady state: never reached."""

LIVE: Final = "live"
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def _never(left: Sequence[str]) -> bool:
    return False


@define(eq=False)
class Runner:
    """One run of a drill. `replay`: the command that does it again; `may_race`: a race that is on is no reason to stop.

    `may_heal(left)`: asked whether to end what an earlier drill left; `herald`: tells others how it stands.
    """

    drill: Drill
    ground: Ground
    seed: int
    show: Show = field(factory=Show)
    replay: str = ""
    may_race: bool = False
    may_heal: Callable[[Sequence[str]], Awaitable[bool]] = _never
    herald: Herald | None = None
    player: Player = field(init=False)
    _began_at: float = field(factory=trio.current_time, init=False)
    _readings: list[Reading] = field(factory=list, init=False)
    _reasons: list[tuple[Verdict, str]] = field(factory=list, init=False)
    _checks: list[Check] = field(factory=list, init=False)
    _guards: list[GuardWatch] = field(init=False)
    _notes: list[str] = field(factory=list, init=False)
    _scenario_at_s: float | None = field(default=None, init=False)
    _started_utc: str = field(default="", init=False)
    _phase: str = field(default="steady before", init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _verifying: trio.CancelScope = field(factory=lambda: trio.CancelScope(shield=True), init=False)
    _watcher: Watcher = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.show.now = self._now
        self.player = Player(self.ground.carrier, self._now, self.show.line)
        self._guards = [GuardWatch(bound) for bound in self.drill.guards]
        self._watcher = Watcher(self.ground, self.drill.probes, self._now)
        if self.herald is not None:
            self.herald.on_unread = lambda: self._end(Verdict.ABORTED, "nobody reads any more how it stands")

    def _now(self) -> float:
        return trio.current_time() - self._began_at

    async def run(self) -> Record:
        """Run it, and return what was seen. SIGINT, SIGTERM and SIGHUP end it, after the heal; so does cancelling."""
        self._started_utc = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        async with trio.open_nursery() as nursery:
            await nursery.start(self._obey_signals)
            if self.herald is not None:
                nursery.start_soon(self.herald.run)
            try:
                with self._scope:
                    await self._guarded()
            finally:
                with trio.move_on_after(HEAL_S + self.drill.settle_s + LEAVE_S, shield=True):
                    await self._leave()
                self.show.close()
            nursery.cancel_scope.cancel(reason="the drill is over")
        record = self._record(self._started_utc)
        if self.herald is not None:
            await self.herald.end(standing_of_record(record))
        return record

    async def _obey_signals(self, *, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC114
        with trio.open_signal_receiver(*SIGNALS) as signals:
            task_status.started()
            async for number in signals:
                name = signal.Signals(number).name
                if any(verdict is Verdict.ABORTED for verdict, _ in self._reasons):
                    self._verifying.cancel(reason=f"a second {name}")
                self._end(Verdict.ABORTED, f"ended by {name}")

    def _end(self, verdict: Verdict, why: str) -> None:
        self._because(verdict, why)
        self._scope.cancel(reason=why)

    def _because(self, verdict: Verdict, why: str) -> None:
        self._reasons.append((verdict, why))
        self.show.line(f"{verdict}: {why}")

    async def _guarded(self) -> None:
        try:
            await self._phases()
        except* NotBack as group:
            self._checks += [
                Check("machines come back", Kind.RECOVERY, "at most 0", 1, "", False, str(exc))
                for exc in leaves(group)
            ]
        except* (CarrierError, AdminError, Unreachable) as group:
            for exc in leaves(group):
                self._because(Verdict.INVALID, str(exc))

    # --- phases ----------------------------------------------------------------------------------------------------

    async def _phases(self) -> None:
        if not await self._is_clean() or not await self._is_steady():
            return
        self._scenario_at_s = round(self._now(), 3)
        self._phase = "faults"
        self.show.line(f"steady; {len(self.drill.scenario.timeline)} faults, seed {self.seed}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            await self.player.play(self.drill.scenario)
            await self._settle()
            nursery.cancel_scope.cancel(reason="the drill is over")
        self._readings.append(await self._watcher.look())
        self._checks += [
            bound_check(self.drill, bound, Kind.CONVERGENCE, self._readings[-1].figure(bound.probe))
            for bound in self.drill.converge
        ]
        for run in self.player.runs.values():
            if not run.touched:
                self._because(Verdict.INVALID, f"{run.step} never met anything: it shows nothing")

    async def _is_clean(self) -> bool:
        """Whether no faults are left of an earlier drill, or are gone now."""
        left = await self.ground.carrier.left_over()
        if not left:
            return True
        self.show.line(f"left by an earlier drill: {'; '.join(left)}")
        if not await self.may_heal(left):
            self._because(Verdict.INVALID, f"faults are there already: {'; '.join(left)}")
            return False
        still = await heal(self.ground.carrier)
        if still:
            self._because(Verdict.NOT_RESTORED, f"what an earlier drill left stays: {'; '.join(still)}")
        else:
            self._notes.append(f"healed at the start: {'; '.join(left)}")
        return not still

    async def _is_steady(self) -> bool:
        """Whether the steady state holds for as long as it must, within the time it has."""
        last = await self._wait_steady(self.drill.steady_within_s)
        self._checks += [
            bound_check(self.drill, bound, Kind.BEFORE, last.figure(bound.probe))
            for bound in self.drill.steady
        ]
        broken = _broken(self.drill.steady, last)
        if broken:
            self._because(Verdict.INVALID, f"not steady before: {', '.join(broken)}")
        elif not self._has_been_steady():
            self._because(Verdict.INVALID, f"not steady for {self.drill.steady_for_s:g} s before")
        elif last.phase == LIVE and not self.may_race:
            self._because(Verdict.INVALID, "a race is on, and the drill was not armed for that")
        else:
            return True
        return False

    async def _wait_steady(self, within_s: float) -> Reading:
        """Look until it has been steady for long enough, or the time is over; return the last look."""
        ends_s = self._now() + within_s
        since_s: float | None = None
        while True:
            last = await self._look()
            if _broken(self.drill.steady, last):
                since_s = None
            elif since_s is None:
                since_s = last.t_s
            is_long = since_s is not None and last.t_s - since_s >= self.drill.steady_for_s
            if is_long or self._now() >= ends_s:
                return last
            await trio.sleep(self._period_s)

    def _has_been_steady(self) -> bool:
        since_s = self._readings[-1].t_s - self.drill.steady_for_s
        return not any(
            _broken(self.drill.steady, one) for one in self._readings if one.t_s >= max(since_s, 0.0)
        )

    async def _settle(self) -> None:
        """Wait for the last recovery, and for what must hold in the end; one more look proves it."""
        self._phase = "recovering"
        ends_s = self._now() + self.drill.settle_s
        while self._now() < ends_s:
            await trio.sleep(self._period_s)
            last = self._readings[-1]
            is_well = self._recovering() is None and not _broken(self.drill.converge, last)
            if is_well and last.is_whole and last.t_s > self._last_until_s:
                return

    @property
    def _last_until_s(self) -> float:
        return max((run.until_s or 0.0 for run in self.player.runs.values()), default=0.0)

    # --- looking ---------------------------------------------------------------------------------------------------

    @property
    def _period_s(self) -> float:
        return max(self.drill.sample_s, self.drill.scenario.length_s / READINGS_MAX)

    async def _look(self) -> Reading:
        reading = await self._watcher.look()
        self._readings.append(reading)
        on = self.player.active
        clock = self._recovering()
        words = f"on: {', '.join(on)}" if on else ""
        self.show.standing(reading, words if clock is None else clock_words(clock.since_s, clock.recovery))
        self._tell(clock)
        return reading

    def _tell(self, clock: RecoveryClock | None = None) -> None:
        """Tell how it stands, where there is somebody to tell."""
        if self.herald is None:
            return
        standing = standing_of(
            self.drill,
            seed=self.seed,
            against=self.ground.words,
            started_utc=self._started_utc,
            phase=self._phase,
            now_s=self._now(),
            timeline_at_s=self._scenario_at_s,
            runs=self.player.runs,
            clock=clock,
            last=self._readings[-1] if self._readings else None,
            guards=self._guards,
        )
        self.herald.say(standing)

    async def _watch(self) -> None:
        while True:
            reading = await self._look()
            for guard in self._guards:
                if guard.see(reading):
                    check = guard.check(self.drill)
                    self._end(Verdict.ABORTED, f"guard: {check.name} must be {check.limit}, {check.words}")
                    return
            await trio.sleep(self._period_s)

    def _recovering(self) -> RecoveryClock | None:
        """Return the recovery that is waited for, if any is."""
        spells = ran_spells(self.drill, self.player.runs)
        if not spells or self.player.active:
            return None
        spell = spells[-1]
        near = [one for one in self._readings[-READINGS_MAX:] if one.t_s >= spell.until_s]
        first = len(self._readings) - len(near)
        slice_ = [*self._readings[max(0, first - CLOCK_READINGS) : first], *near]
        recovery = recovery_of(
            Spell(spell.steps, spell.until_s, spell.until_s),
            slice_,
            fresh_s=self.drill.fresh_s,
            late_after_s=self.drill.late_after_s,
        )
        return None if has_recovered(recovery) else RecoveryClock(self._now() - spell.until_s, recovery)

    # --- the way out -----------------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        """Heal and see that it has healed, whatever happened before."""
        if self._scenario_at_s is None:
            return
        self._phase = "healing"
        self._tell()
        left = await heal(self.ground.carrier)
        self.player.note_healed()
        self._checks.append(
            Check("no faults left", Kind.HEAL, "at most 0", len(left), "", not left, "; ".join(left))
        )
        if left:
            self._because(Verdict.NOT_RESTORED, "; ".join(left))
            return
        self.show.line("healed")
        last = self._readings[-1]
        with self._verifying:
            try:
                last = await self._wait_steady(self.drill.settle_s)
            except* AdminError as group:
                why = f"nobody could see whether it is steady again: {leaves(group)[0]}"
                self._because(Verdict.NOT_RESTORED, why)
        self._checks += [
            bound_check(self.drill, bound, Kind.HEAL, last.figure(bound.probe)) for bound in self.drill.steady
        ]
        broken = _broken(self.drill.steady, last)
        if broken:
            self._because(Verdict.NOT_RESTORED, f"not as before: {', '.join(broken)}")

    def _record(self, started_utc: str) -> Record:
        drill = self.drill
        spells = ran_spells(drill, self.player.runs)
        recoveries = recovered(drill, spells, self._readings)
        guards = [guard.check(drill) for guard in self._guards] if self._scenario_at_s is not None else []
        checks = [*self._checks, *guards, *recovery_checks(drill, spells, recoveries)]
        checks.sort(key=lambda check: list(Kind).index(check.kind))
        verdict, why = judge(self._reasons, checks)
        return Record(
            drill=drill.name,
            proves=drill.proves,
            seed=self.seed,
            verdict=verdict,
            why=why,
            versions=dict(self.ground.versions),
            against=self.ground.words,
            started_utc=started_utc,
            took_s=round(self._now(), 3),
            replay=self.replay,
            scenario=drill.scenario,
            scenario_at_s=self._scenario_at_s,
            faults=tuple(self.player.runs.values()),
            checks=tuple(checks),
            recoveries=tuple(
                evolve(
                    recovery, step=step.name, detect_s=recovery.detect_s if spell.begins_with(step) else None
                )
                for spell, recovery in zip(spells, recoveries, strict=True)
                for step in spell.steps
            ),
            samples=tuple(self._samples()),
            notes=tuple(self._notes),
        )

    def _samples(self) -> list[Sample]:
        """Return the readings, thinned out."""
        apart_s = max(SAMPLE_LEAST_S, self._now() / SAMPLES_MAX)
        samples: list[Sample] = []
        for reading in self._readings:
            if not samples or reading.t_s >= samples[-1].t_s + apart_s - 0.05:
                samples.append(reading.sample())
        return samples


def _broken(bounds: Sequence[Bound], reading: Reading) -> list[str]:
    """Return the bounds that do not hold, in words."""
    found = []
    for bound in bounds:
        value = reading.figure(bound.probe)
        if not bound.holds(value):
            shown = "not known" if value is None else f"{value:g}"
            found.append(f"{bound.probe} is {shown}, and must be {bound.words}")
    return found
