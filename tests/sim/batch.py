"""Many runs on all cores: one process a core, one run after the other in it, each judged by itself."""

import collections
import contextlib
import logging
import multiprocessing
import os
import random
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

import trio
from attrs import evolve, frozen

from chaos.simnet import World, check_happened, run_world
from daemons.ops.logs import LogLevel, configure_logs
from tests.sim import world_link, world_whole
from tests.sim.figures import Figures
from tests.sim.script import Script
from tests.sim.storm import Storm

T = TypeVar("T")

HOURS_A_RUN = {"link": 4.0, "whole": 0.5}
"""A run is long enough for what needs a history, and short enough to be replayed."""

ENOUGH_HOURS = {"link": 100.0, "whole": 5.0}
"""So much must have met everything that MUST_HAPPEN names."""

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
    file: str = ""
    """Where the script is from."""

    @property
    def replay(self) -> str:
        """The command that runs it again."""
        said = f" --scenario {self.file}" if self.file else ""
        return (
            f"pitlink chaos sim{said} --what {self.what} --seeds {self.seed} --hours {self.hours!r} --jobs 1"
        )


def fresh_seed() -> int:
    """Return a seed nobody has run."""
    return random.SystemRandom().getrandbits(32)


def run_job(job: Job) -> Figures:
    """Run one in this process, whatever becomes of it: what went wrong is in `failure`, with how to replay it."""

    storm: Storm | None = None
    ended_at_s = 0.0

    async def main(world: World) -> Figures:
        nonlocal storm, ended_at_s
        run, hosts = _WORLDS[job.what]
        storm = Storm(world, hosts, job.script)
        try:
            with _telling(world.clock.current_time):
                return await run(world, job.hours, storm)
        finally:
            ended_at_s = trio.current_time()

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
            failed.failed_at_s = ended_at_s
            failed.hours = ended_at_s / 3600
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


class Pool:
    """Processes that run jobs, a core each; with one job at once it is this process that runs them.

    `virtual_s` is what all of them have simulated so far, those that are under way too.
    """

    def __init__(self, processes: int | None = None, *, log: LogLevel = LogLevel.ERROR) -> None:
        self.at_once = processes or os.cpu_count() or 1
        self._context = multiprocessing.get_context("spawn")
        self._hands: ProcessPoolExecutor | None = None
        self._log = log
        self._simulated = self._context.Value("d", 0.0)

    def __enter__(self) -> "Pool":
        if self.at_once > 1:
            self._hands = ProcessPoolExecutor(
                self.at_once, self._context, initializer=_begin, initargs=(self._log, self._simulated)
            )
        else:
            configure_logs(self._log)
        return self

    def __exit__(self, kind: type[BaseException] | None, *args: object) -> None:
        if self._hands is None:
            return
        if kind is not None:  # somebody interrupted it: what is under way is not waited for
            for process in list((self._hands._processes or {}).values()):
                process.terminate()
        self._hands.shutdown(cancel_futures=True)
        self._hands = None

    @property
    def virtual_s(self) -> float:
        return self._simulated.value

    def each(
        self,
        jobs: Iterable[Job],
        *,
        others: Iterable[Callable[[], T]] = (),
        beat: Callable[[], None] | None = None,
        beat_s: float = 5.0,
    ) -> Iterator[Figures | T]:
        """Yield the figures of each as it ends; call `beat` meanwhile, every `beat_s` or so.

        `others`: what else is to be done in the same processes, and first; yielded is what each returns. A module's own
        function, or `partial` of one; what it raises is raised here.
        """
        if self._hands is None:
            for other in others:
                yield other()
            for job in jobs:
                yield self._run_here(job)
                if beat is not None:
                    beat()
            return
        left: set[Future[Figures | T]] = {self._hands.submit(other) for other in others}
        left |= {self._hands.submit(run_job, job) for job in jobs}
        while left:
            done, left = wait(left, beat_s, FIRST_COMPLETED)
            for future in done:
                yield future.result()
            if beat is not None and not done:
                beat()

    def all(self, jobs: Iterable[Job]) -> Iterable[Figures]:
        """Return the figures of all, in the order of the jobs."""
        return map(self._run_here, jobs) if self._hands is None else self._hands.map(run_job, jobs)

    def _run_here(self, job: Job) -> Figures:
        figures = run_job(job)
        self._simulated.value += figures.hours * 3600
        return figures


_simulated: Any = None
"""In a process of a pool: the sum of what all of them have simulated, in virtual seconds."""


def _begin(log: LogLevel, simulated: Any) -> None:
    global _simulated
    _simulated = simulated
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that waits for us ends us
    configure_logs(log)


@contextlib.contextmanager
def _telling(now: Callable[[], float]) -> Iterator[None]:
    """Add to the sum of all processes what this one simulates, once a second: a thread that touches nothing else."""
    if _simulated is None:
        yield
        return
    told = 0.0
    is_over = threading.Event()

    def tell() -> None:
        nonlocal told
        more, told = now() - told, now()
        with _simulated.get_lock():
            _simulated.value += more

    def go_on() -> None:
        while not is_over.wait(1.0):
            tell()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        tell()


def run_batch(
    jobs: Iterable[Job], *, others: Iterable[Callable[[], T]] = (), processes: int | None = None
) -> Iterator[Figures | T]:
    """Run `jobs`, and before them `others` (see `Pool.each`), on `processes` (all cores); yield what came of each as it
    ends."""
    with Pool(processes) as pool:
        yield from pool.each(jobs, others=others)


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
