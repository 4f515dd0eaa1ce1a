"""Which valves close: those that nobody needs, but not the last ones while the boiler burns or is hot."""

from collections.abc import Iterable, Sequence

from daemons.heating.control.burner import Burner
from daemons.heating.control.plumbing import surplus_k
from daemons.heating.control.zonerun import ZoneRun

__all__ = ["closing"]


def closing(on: Sequence[ZoneRun], burner: Burner, mono: float) -> list[ZoneRun]:
    """Return what is to be closed now, of the zones that are on; the others' `key` says why they stay open. To be asked
    after the boiler was told what to do."""
    idle = []
    for run in on:
        if run.heat or run.extra or run.exercising or run.shed:
            continue
        if mono - run.since < run.plan.min_on_s:
            run.key = ("min-on", run.since + run.plan.min_on_s)
        else:
            idle.append(run)
    if idle:
        _hold_open(idle, on, burner, mono)
    return [run for run in idle if not run.extra]


def _hold_open(idle: Iterable[ZoneRun], on: Sequence[ZoneRun], burner: Burner, mono: float) -> None:
    """Make the coolest rooms of what is idle extra, as many as the boiler needs."""
    if burner.plan.output is None:
        return
    overrun = mono - burner.residual_at < burner.plan.overrun_s
    if not (burner.is_on or overrun):
        return
    stays = sum(1 for run in on if run.is_ready(mono) and not run.stuck and not _closes(run))
    for run in sorted(idle, key=surplus_k):
        if stays >= burner.need:
            return
        if not run.forced and mono - run.since < run.plan.max_run_s and run.is_ready(mono):
            run.key = ("burning",) if burner.is_on else ("overrun",)
            run.extra = True
            stays += 1


def _closes(run: ZoneRun) -> bool:
    return not (run.heat or run.extra or run.exercising or run.shed) or run.forced
