"""Many runs on all cores: one process a core, one run after the other in it, each judged by itself."""

import collections
import logging
import math
import multiprocessing
import os
import random
import re
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial

from attrs import evolve, frozen

from chaos.simnet import World, check_happened, run_world
from daemons.ops.logs import LogLevel, configure_logs
from tests.sim import world_link, world_whole
from tests.sim.figures import Figures
from tests.sim.script import Script
from tests.sim.storm import Storm

HOURS_A_RUN = {"link": 4.0, "whole": 0.5}
"""A run is long enough for what needs a history, and short enough to be replayed."""

MUST_HAPPEN = {"link": world_link.MUST_HAPPEN, "whole": world_whole.MUST_HAPPEN}
_WORLDS = {
    "link": (world_link.run_link, world_link.HOSTS),
    "whole": (world_whole.run_whole, world_whole.HOSTS),
}


@frozen
class Job:
    """One run. The longer of two runs of one seed begins like the shorter. `script`: what befalls it, instead of what the
    seed says."""

    what: str
    seed: int
    hours: float
    script: Script | None = None

    @property
    def replay(self) -> str:
        """The command that runs it again."""
        return f"pitlink chaos sim --what {self.what} --seeds {self.seed} --hours {self.hours:g} --jobs 1"


def jobs_for(what: str, hours: float, seed: int) -> list[Job]:
    """Return the runs that make up `hours`, with seeds that follow from `seed`."""
    each = HOURS_A_RUN[what]
    return [Job(what, seed + number, each) for number in range(math.ceil(hours / each))]


def fresh_seed() -> int:
    """Return a seed nobody has run."""
    return random.SystemRandom().getrandbits(32)


def run_job(job: Job) -> Figures:
    """Run one in this process, whatever becomes of it: what went wrong is in `failure`, with how to replay it."""

    storm: Storm | None = None

    async def main(world: World) -> Figures:
        nonlocal storm
        run, hosts = _WORLDS[job.what]
        storm = Storm(world, hosts, job.script)
        return await run(world, job.hours, storm)

    errors = _ErrorLines()
    logging.getLogger().addHandler(errors)
    began = time.perf_counter()
    try:
        run = run_world(job.seed, main)
        assert not errors.lines, f"ERROR logged: {errors.lines[:5]}"
        return evolve(run.value, wall_s=run.wall_s, fingerprint=run.fingerprint, happened=run.happened)
    except Exception as error:
        failed = Figures(job.what, job.seed, wall_s=time.perf_counter() - began, failed_as=_in_short(error))
        if storm is not None:
            failed.failed_at_s = storm.world.clock.current_time()
            failed.hours = failed.failed_at_s / 3600
            failed.fingerprint = storm.world.net.trace.hexdigest()
            failed.script = (
                storm.recorded(f"{job.what}, seed {job.seed}") if job.script is None else job.script
            )
        words = "".join(traceback.format_exception(error))
        failed.failure = f"seed {job.seed} failed; replay: {job.replay}\n{words}"
        return failed
    finally:
        logging.getLogger().removeHandler(errors)


def _in_short(error: BaseException) -> str:
    """Return the kind and the first words of the innermost error, without the figures in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {re.sub(r'0x[0-9a-f]+|[0-9][0-9.]*', '#', first)[:100]}"


def run_batch(jobs: Iterable[Job], *, processes: int | None = None) -> Iterator[Figures]:
    """Run `jobs` on `processes` (all cores) and yield the figures of each as it ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes or os.cpu_count() or 1, context, initializer=partial(configure_logs, LogLevel.ERROR)
    ) as pool:
        for future in as_completed([pool.submit(run_job, job) for job in jobs]):
            yield future.result()


def require(what: str, all_figures: list[Figures]) -> Figures:
    """Return the sum. Raises AssertionError for every run that failed, and when something never happened at all."""
    failures = [figures.failure for figures in all_figures if figures.failure]
    total = Figures(what, None)
    for figures in all_figures:
        total.add(figures)
    print(total, file=sys.stderr)
    assert not failures, "\n\n".join(failures)
    check_happened(collections.Counter(total.happened), MUST_HAPPEN[what])
    return total


class _ErrorLines(logging.Handler):
    """Collects what was logged as ERROR: an operator would have had to act."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
