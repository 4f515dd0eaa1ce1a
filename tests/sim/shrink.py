"""Makes a failure small: fewer faults, and less time, that fail in the same way.

What befell the run that failed is played again as a timeline; then delta debugging (Zeller's ddmin): half of the events,
a quarter, … without each, until none can be missed; then shorter pauses between them. Every try is a whole run, several
at once; of those that fail in the same way the first holds, so that the result does not depend on how many run at once.
A try begins on the same seed, but what it is like behind a fault that is missing is another run: it fails in the same
way, or it does not.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from attrs import define, evolve, field, frozen

from chaos.scenario import Step
from tests.sim.batch import Job
from tests.sim.figures import Figures
from tests.sim.script import Script

RunAll = Callable[[Sequence[Job]], Iterable[Figures]]
"""Runs jobs, and returns their figures in the same order; those behind the first that is wanted need not be run."""

MARGIN_S = 1.0
FIRST_MARGIN_S = 300.0
PAUSES_S = (2.0, 10.0, 60.0, 300.0)
"""Tried in this order: no longer a pause between two events than so."""
SETTLE_S = (1.0, 60.0, 600.0)
"""Likewise: so long behind the last event, when it fails behind the healing."""

_Event = tuple[Step, ...]


@frozen
class Shrunk:
    """`job`: with the script that is left. `tries`: runs that were made. `is_least`: no event can be missed."""

    job: Job
    fails: str
    events_before: int
    hours_before: float
    tries: int
    is_least: bool

    def __str__(self) -> str:
        assert self.job.script is not None
        left = len(self.job.script.events)
        unsure = "" if self.is_least else ", and time ran out: perhaps not the least"
        return (
            f"{left} of {self.events_before} faults, {self.job.hours * 3600:.0f} of {self.hours_before * 3600:.0f} s "
            f"({self.tries} tries{unsure})"
        )


@define
class _Shrinker:
    run_all: RunAll
    fails: str
    job: Job
    ends_at: float
    at_once: int
    say: Callable[[str], None]
    tries: int = field(default=0, init=False)

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self.ends_at

    def first_that_fails(self, jobs: Iterable[Job]) -> Job | None:
        """Return the first that fails in the same way, cut off where it failed."""
        waiting = list(jobs)
        while waiting and not self.is_late:
            wave, waiting = waiting[: self.at_once], waiting[self.at_once :]
            self.tries += len(wave)
            for job, figures in zip(wave, self.run_all(wave), strict=True):
                if figures.failed_as == self.fails:
                    return evolve(job, hours=min(job.hours, (figures.failed_at_s + MARGIN_S) / 3600))
        return None

    def without(self, events: Sequence[_Event]) -> Job:
        assert self.job.script is not None
        return evolve(self.job, script=self.job.script.with_events(events))

    def take(self, job: Job) -> None:
        assert job.script is not None
        script = job.script.with_events(
            [event for event in job.script.events if event[0].at_s <= job.hours * 3600]
        )
        self.job = evolve(job, script=script)
        self.say(f"{len(script.events)} faults, {job.hours * 3600:.0f} s")

    def drop_events(self) -> bool:
        """Leave out what can be missed; say whether nothing is left that can."""
        assert self.job.script is not None
        if found := self.first_that_fails([self.without([])]):
            self.take(found)
            return True
        parts = 2
        while not self.is_late:
            assert self.job.script is not None
            events = self.job.script.events
            if len(events) < 2:
                return True
            parts = min(parts, len(events))
            bounds = [len(events) * part // parts for part in range(parts + 1)]
            cuts = list(pairwise(bounds))
            alone = [self.without(events[a:b]) for a, b in cuts] if parts == 2 else []
            rest = [self.without([*events[:a], *events[b:]]) for a, b in cuts] if parts > 2 else []
            found = self.first_that_fails([*alone, *rest])
            if found is not None:
                self.take(found)
                parts = max(2, parts - 1)
            elif parts == len(events):
                return not self.is_late
            else:
                parts = min(len(events), parts * 2)
        return False

    def shorten(self) -> None:
        """Make pauses shorter, and the time behind the last event."""
        assert self.job.script is not None
        if not self.job.script.events:
            return
        found = self.first_that_fails(
            evolve(self.job, script=_with_pauses(self.job.script, pause_s)) for pause_s in PAUSES_S
        )
        if found is not None:
            self.take(found)
        assert self.job.script is not None
        ends_at_s = self.job.script.ends_at_s
        shorter = [(ends_at_s + more_s) / 3600 for more_s in SETTLE_S]
        found = self.first_that_fails(
            evolve(self.job, hours=hours) for hours in shorter if hours < self.job.hours
        )
        if found is not None:
            self.take(found)


def shrink(
    job: Job, failed: Figures, run_all: RunAll, *, at_once: int, most_s: float, say: Callable[[str], None]
) -> Shrunk | None:
    """Return the least of what befell `job` that makes it fail as it did; None: as a timeline it does not fail so.

    `most_s`: wall time, past which what was found holds. `say` hears of each step.
    """
    if failed.script is None:
        return None
    whole = evolve(job, script=failed.script)
    worker = _Shrinker(run_all, failed.failed_as, whole, time.monotonic() + most_s, at_once, say)
    # Played, it is not the same to the last bit: other tasks take turns. It may fail a little later.
    soon = min(job.hours, (failed.failed_at_s + FIRST_MARGIN_S) / 3600)
    found = worker.first_that_fails(evolve(whole, hours=hours) for hours in sorted({soon, job.hours}))
    if found is None:
        return None
    worker.take(found)
    worker.shorten()  # first, and again: what is short is quickly tried
    is_least = worker.drop_events()
    worker.shorten()
    return Shrunk(
        worker.job,
        failed.failed_as,
        len(failed.script.events),
        failed.failed_at_s / 3600,
        worker.tries,
        is_least,
    )


def _with_pauses(script: Script, pause_s: float) -> Script:
    return script.with_events(list(_closer(script.events, pause_s)))


def _closer(events: Sequence[_Event], pause_s: float) -> Iterator[_Event]:
    """Move events to each other: at most `pause_s` from the beginning of one to that of the next."""
    before_s = at_s = 0.0
    for event in events:
        now_s = event[0].at_s
        at_s += min(now_s - before_s, pause_s)
        before_s = now_s
        yield tuple(evolve(step, at_s=at_s) for step in event)
