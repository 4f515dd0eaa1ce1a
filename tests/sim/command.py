"""What `pitlink chaos sim` does: many seeds on all cores, a line for each, and a scenario file for what fails."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from attrs import define, evolve, field, frozen

from chaos.scenario import ScenarioError
from chaos.simnet import NeverHappened, check_happened
from daemons.ops.errors import ConfigError, Problem
from daemons.ops.logs import LogLevel
from tests.sim.batch import ENOUGH_HOURS, HOURS_A_RUN, MUST_HAPPEN, Job, Pool, fresh_seed
from tests.sim.figures import Figures
from tests.sim.script import Script, Setting, read_script, script_to_toml
from tests.sim.shrink import shrink
from tests.sim.storm import unplayable

BEAT_S = 5.0
SCRIPT_MARGIN_S = 60.0


@frozen(kw_only=True)
class Asked:
    """What was asked for. `shrink_s`: wall time for each kind of failure, 0: not at all."""

    what: str | None = None
    hours: float | None = None
    seeds: Sequence[int] | None = None
    jobs: int | None = None
    scenario: Path | None = None
    save: Path = Path()
    shrink_s: float = 300.0
    log: LogLevel = LogLevel.ERROR


def run(asked: Asked) -> int:
    """Run it; return 0 when nothing failed, 1 otherwise. Raises ConfigError."""
    script: Script | None = None
    setting = Setting()
    if asked.scenario is not None:
        try:
            script, setting = read_script(asked.scenario)
            if problems := unplayable(script):
                raise ScenarioError(problems)
        except (OSError, ScenarioError) as exc:
            words = exc.problems if isinstance(exc, ScenarioError) else (str(exc),)
            raise ConfigError([Problem(str(asked.scenario), word) for word in words]) from exc
    what = asked.what or setting.what or ("whole" if script is not None else "link")
    if what not in HOURS_A_RUN:
        raise ConfigError([Problem(what, f"is no world: {', '.join(HOURS_A_RUN)}")])
    hours = asked.hours or setting.hours or HOURS_A_RUN[what]
    if script is not None and asked.hours is None and setting.hours is None:
        hours = (script.scenario.length_s + SCRIPT_MARGIN_S) / 3600
    seeds = asked.seeds or ([setting.seed] if setting.seed is not None else [fresh_seed()])
    jobs = [Job(what, seed, hours, script, str(asked.scenario or "")) for seed in seeds]
    with Pool(min(asked.jobs, len(jobs)) if asked.jobs else None, log=asked.log) as pool:
        return _Batch(pool, asked, what, setting).run(jobs)


@define
class _Batch:
    pool: Pool
    asked: Asked
    what: str
    setting: Setting
    began: float = field(factory=time.monotonic, init=False)
    failed: list[Figures] = field(factory=list, init=False)
    total: Figures = field(init=False)
    done: int = field(default=0, init=False)
    of: int = field(default=0, init=False)

    def run(self, jobs: Sequence[Job]) -> int:
        self.total = Figures(self.what, None)
        print(
            f"{self.what}: {len(jobs)} seeds, {jobs[0].hours:g} h each, {self.pool.at_once} at once",
            flush=True,
        )
        by_seed = {job.seed: job for job in jobs}
        self.of = len(jobs)
        for figures in self.pool.each(jobs, beat=self._tell_progress, beat_s=BEAT_S):
            self.done += 1
            print(figures.line, flush=True)
            self.total.add(figures)
            if figures.failure:
                self.failed.append(figures)
                print(figures.failure, file=sys.stderr, flush=True)
        self.total.wall_s = time.monotonic() - self.began
        print(f"\n{self.total}", flush=True)
        print(f"{len(self.failed)} of {len(jobs)} seeds failed", flush=True)
        is_good = not self.failed and self._met_everything(jobs)
        if self.setting.fails:
            print(self._compare())
        if self.asked.shrink_s > 0:
            soonest = sorted(self.failed, key=lambda figures: figures.failed_at_s, reverse=True)
            kinds = {figures.failed_as: figures for figures in soonest}
            for figures in kinds.values():
                assert figures.seed is not None
                self._shrink(by_seed[figures.seed], figures)
        return 0 if is_good else 1

    def _tell_progress(self) -> None:
        wall_s = time.monotonic() - self.began
        hours = self.pool.virtual_s / 3600
        words = f"{self.done} of {self.of} seeds, {hours:.1f} h in {wall_s:.0f} s, {hours / wall_s:.2f} h/s"
        print(f"  … {words}, {len(self.failed)} failed", file=sys.stderr, flush=True)

    def _met_everything(self, jobs: Sequence[Job]) -> bool:
        """A long storm that never met what matters proves little: say so."""
        if jobs[0].script is not None or self.total.hours < ENOUGH_HOURS[self.what]:
            return True
        try:
            check_happened(Counter(self.total.happened), MUST_HAPPEN[self.what])
        except NeverHappened as exc:
            print(exc)
            return False
        return True

    def _compare(self) -> str:
        kinds = {figures.failed_as for figures in self.failed}
        if not kinds:
            return f"It does not fail any more as it did: {self.setting.fails}"
        if kinds == {self.setting.fails}:
            return "It fails as the file says."
        return f"It fails otherwise than the file says ({self.setting.fails})."

    def _shrink(self, job: Job, figures: Figures) -> None:
        print(f"\nseed {job.seed}: looking for the least that fails as: {figures.failed_as}", flush=True)
        found = shrink(
            job,
            figures,
            self.pool.all,
            at_once=self.pool.at_once,
            most_s=self.asked.shrink_s,
            say=lambda words: print(f"  … {words}", file=sys.stderr, flush=True),
        )
        if found is None:
            print(f"  not as a timeline of its own; the seed it is: {job.replay}")
            return
        assert found.job.script is not None
        path = self.asked.save / f"sim-{job.what}-{job.seed}.toml"
        setting = Setting(job.what, job.seed, found.job.hours, found.fails)
        title = f"{job.what}, seed {job.seed}: {found.fails}"
        script = evolve(found.job.script, scenario=evolve(found.job.script.scenario, name=title))
        path.parent.mkdir(parents=True, exist_ok=True)
        remark = f"{found}\npitlink chaos sim --scenario {path}"
        path.write_text(script_to_toml(script, setting, remark), encoding="utf-8")
        print(f"  {found}\n  again: pitlink chaos sim --scenario {path}", flush=True)
