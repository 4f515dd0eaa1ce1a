"""The simulated house by hand: four weeks or a whole year of any seeds, on all cores.

python -m tests.sim.house                           # seed 1: both changes of clocks, a frost week, one more
python -m tests.sim.house --seed 17 --week frost    # exactly that week, in this process
python -m tests.sim.house --seed 17 --week any --loop   # under the daemon's loop and store, with kills in commits
python -m tests.sim.house --seed 1 --year           # from September to September; says every ten days how far it is
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from attrs import evolve, frozen

from chaos.doubles.house import Weather
from tests.sim.house_loop import run_in_loop
from tests.sim.house_storm import DECK, HOWS
from tests.sim.house_world import ControlAlone, HouseRun, HouseWorld

__all__ = [
    "WEEKS",
    "Failed",
    "Job",
    "Outcome",
    "four_weeks",
    "require_weeks",
    "run_job",
    "run_jobs",
    "summary",
]

DAY_S = 86_400.0
SPRING = 1_772_694_000.0  # Thursday before Sunday 8 March 2026, 02:00, America/Denver
AUTUMN = 1_793_253_600.0  # Thursday before Sunday 1 November 2026, 02:00
YEAR = 1_788_242_400.0  # 1 September 2026
WEEKS = ("spring", "autumn", "frost", "any")
CONTROL_S = {"spring": 30.0, "autumn": 45.0, "frost": 15.0, "any": 20.0}
READ_S = {"frost": 30.0, "any": 40.0}
"""As a house's file may ask: how often control decides, and how often sensors are read where that is less often; the year
has both at the default of 10 s."""


@frozen
class Job:
    """One run: a week by name, or the whole "year"."""

    seed: int
    name: str
    is_loop: bool = False
    """Under the daemon's own loop and store, on a virtual clock; else control alone."""

    @property
    def replay(self) -> str:
        """The command that runs it again."""
        which = "--year" if self.name == "year" else f"--week {self.name}"
        return f"python -m tests.sim.house --seed {self.seed} {which}{' --loop' if self.is_loop else ''}"

    def world(self) -> HouseWorld:
        """Return it, not begun."""
        if self.name == "year":
            return HouseWorld(self.seed, "year", YEAR, 365.0, None)
        rng = random.Random(f"{self.seed}/weeks")
        anywhere = YEAR + rng.uniform(0, 358) * DAY_S
        frost = Weather(self.seed).frost_weeks(YEAR)[rng.randrange(2)] + rng.uniform(-1, 1) * DAY_S
        began = {"spring": SPRING, "autumn": AUTUMN, "frost": frost, "any": anywhere}[self.name]
        # With nobody there for days and -25 °C outdoors frost duty has work; with people there the weather curve has.
        is_away = self.name == "frost" and self.seed % 2 == 1
        return HouseWorld(
            self.seed,
            self.name,
            began,
            7.0,
            WEEKS.index(self.name),
            CONTROL_S[self.name],
            READ_S.get(self.name, 0.0),
            is_away,
        )


@frozen
class Failed:
    """A run that broke a rule, and how to see it again."""

    job: Job
    words: str


Outcome = HouseRun | Failed


def four_weeks(seed: int) -> list[Job]:
    """Return the four weeks of a seed, the longest first; that of autumn, the shortest, in the daemon's own loop."""
    return [Job(seed, name, name == "autumn") for name in sorted(WEEKS, key=lambda name: CONTROL_S[name])]


def run_job(job: Job) -> Outcome:
    """Run one in this process, whatever becomes of it."""
    world = job.world()
    world.tell = _progress
    try:
        if not job.is_loop:
            return world.run(ControlAlone(world.plant))
        scratch = "/dev/shm" if os.path.isdir("/dev/shm") else None
        with tempfile.TemporaryDirectory(prefix="pitlink-house-", dir=scratch) as folder:
            return run_in_loop(world, Path(folder))
    except Exception as error:
        words = "".join(traceback.format_exception(error))
        return Failed(job, f"seed {job.seed}, {job.name}: {error}\nreplay: {job.replay}\n{words}")


def _progress(world: HouseWorld) -> None:
    """Say how far a long run has come."""
    comfort, limits = world.oracle.comfort, world.oracle.limits
    print(
        f"seed {world.seed} {world.name}: day {world.at / 86_400:.0f} of {world.days:.0f},"
        f" {datetime.fromtimestamp(world.house.utc, UTC):%d %b}: {len(limits.starts)} starts,"
        f" {sum(world.happened.values())} things befell, {comfort.worst:.2f} K below at worst, coldest {comfort.coldest:.1f} °C;"
        f" {time.process_time():.0f} s of a core",
        file=sys.stderr,
        flush=True,
    )


def run_jobs(jobs: Iterable[Job], processes: int | None = None) -> Iterator[Outcome]:
    """Yield what comes of each as it ends; on so many processes, a core each."""
    if processes == 1:
        yield from map(run_job, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, context) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run_job, job) for job in jobs]):
            yield future.result()


def require_weeks(runs: Iterable[Outcome]) -> None:
    """Print the four weeks of a seed, or of more. Raises AssertionError for every run that failed, and when something that
    is to go wrong never came about."""
    befell: Counter[str] = Counter()
    judged, failures = 0, []
    for run in runs:
        if isinstance(run, Failed):
            failures.append(run.words)
            continue
        print(summary(run), file=sys.stderr)
        befell += run.happened
        judged += run.judged
    assert not failures, "\n\n".join(failures)
    assert judged > 30_000  # minutes at which a room had to be where somebody wanted it
    missing = {f"{what.split('.')[0].split(' ')[0]} {kind}" for what, kind, _, _ in DECK} - set(befell)
    missing |= {f"down {how}" for how in HOWS} - set(befell)
    assert not missing, f"never happened: {sorted(missing)}"


def summary(run: HouseRun) -> str:
    """Return a run in a line or two."""
    told = ", ".join(f"{kind} {after / 60:.0f}" for kind, after in sorted(run.told.items()))
    befell = ", ".join(f"{what} {count}" for what, count in sorted(run.happened.items()))
    where = " in the loop" if run.happened["rounds"] else ""
    return (
        f"seed {run.seed} {run.name}{where}: {run.days:.0f} days in {run.cpu_s:.1f} s of a core, {run.steps} steps,"
        f" {run.starts} starts; {run.worst_k:.2f} K below at worst in {run.judged} minutes of rooms, coldest"
        f" {run.coldest:.1f} °C\n  befell: {befell}\n  named within minutes: {told}; not to be seen: {dict(run.untold)}"
    )


def main() -> int:
    """Parse and run. Ends with 1 when a rule was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim.house",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from --seed on")
    parser.add_argument("--week", choices=WEEKS, help="one week alone")
    parser.add_argument(
        "--year", action="store_true", help="a whole year at ten seconds: twenty minutes of a core"
    )
    parser.add_argument("--loop", action="store_true", help="under the daemon's own loop and store")
    parser.add_argument("--jobs", type=int, help="processes (all cores)")
    args = parser.parse_args()
    seeds = range(args.seed, args.seed + args.seeds)
    if args.year:
        jobs = [Job(seed, "year") for seed in seeds]
    elif args.week:
        jobs = [Job(seed, args.week) for seed in seeds]
    else:
        jobs = [job for seed in seeds for job in four_weeks(seed)]
    jobs = [evolve(job, is_loop=job.is_loop or args.loop) for job in jobs]
    began, failed = time.perf_counter(), 0
    for run in run_jobs(jobs, 1 if len(jobs) == 1 else args.jobs):
        failed += isinstance(run, Failed)
        print(run.words if isinstance(run, Failed) else summary(run), flush=True)
    print(f"{len(jobs)} runs, {failed} failed, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
