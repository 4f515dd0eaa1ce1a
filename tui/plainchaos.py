"""Faults and drills as JSON and as lines: see `tui/plain.py`."""

from collections.abc import Iterator
from typing import Any

from attrs import define, field

from tui.model import DaemonView, Model
from tui.model.chaos_values import DrillView, FaultView
from tui.model.chaos_words import drill_words, fault_words
from tui.model.words import printable

__all__ = ["ChaosChanges", "called", "chaos_snapshot", "drill_lines", "drills_snapshot", "fault_lines"]


def called(view: DaemonView | None, name: str) -> str:
    """Return what a daemon is called in lines."""
    return name if view is None else f"{view.kind} {view.called}"


def chaos_snapshot(model: Model, daemon: str, now: float) -> dict[str, Any]:
    """Return the faults of a daemon; null for those that it has not told one by one."""
    view, count = model.chaos.views.get(daemon), model.chaos.faults_on(daemon)
    if view is None:
        return {"on": count, "allowed": None, "faults": None}
    return {"on": count, "allowed": view.is_allowed, "faults": [_fault(fault, now) for fault in view.faults]}


def _fault(fault: FaultView, now: float) -> dict[str, Any]:
    return {
        "name": fault.name,
        "type": fault.kind,
        "words": fault.words,
        "for_s": fault.on_now(now),
        "left_s": fault.left_now(now),
        "met": fault.touched,
    }


def drills_snapshot(model: Model, now: float) -> list[dict[str, Any]]:
    """Return the drills that run and those that are over."""
    return [
        {
            "drill": run.drill,
            "run": run.run,
            "against": run.against,
            "running": run.is_running(now),
            "phase": run.phase,
            "words": drill_words(run, now),
            "for_s": run.ran_s(now),
            "recovering_s": run.clock_now(now),
            "verdict": run.verdict or None,
            "why": run.why or None,
        }
        for run in model.chaos.runs.values()
    ]


def fault_lines(model: Model, daemon: str, now: float) -> Iterator[str]:
    """Yield the faults of a daemon."""
    view, at = model.chaos.views.get(daemon), called(model.daemons.get(daemon), daemon)
    for fault in model.chaos.faults_of(daemon):
        yield printable(f"  fault at {at}: {fault_words(fault, now)}")
    if view is None and (count := model.chaos.faults_on(daemon)):
        yield printable(f"  faults at {at}: {count} on")


def drill_lines(model: Model, now: float) -> Iterator[str]:
    """Yield the drills that run and those that are over."""
    return (_drill_line(run, now) for run in model.chaos.runs.values())


def _drill_line(run: DrillView, now: float) -> str:
    return printable(f"DRILL {run.drill}: {drill_words(run, now)}")


@define(eq=False)
class ChaosChanges:
    """The lines to print as faults and drills come and go."""

    _faults: dict[tuple[str, str], str] = field(factory=dict, init=False)
    _drills: dict[str, tuple[object, ...]] = field(factory=dict, init=False)

    def take(self, model: Model, now: float) -> list[str]:
        """Return the lines that are due: faults that began or ended, drills that came to another phase or fault, or to their
        end. How leases and clocks run is left to count."""
        return [*self._fault_changes(model, now), *self._drill_changes(model, now)]

    def _fault_changes(self, model: Model, now: float) -> Iterator[str]:
        found = {}
        for fault in model.chaos.faults():
            at = called(model.daemons.get(fault.daemon), fault.daemon)
            found[fault.daemon, fault.name] = line = (
                f"{at}: {fault.name}: {fault.kind} {fault.words}".rstrip()
            )
            if self._faults.get((fault.daemon, fault.name)) != line:
                yield printable(f"CHAOS {at}: {fault_words(fault, now)}")
        for key, line in self._faults.items():
            if key not in found:
                yield printable(f"over: CHAOS {line}")
        self._faults = found

    def _drill_changes(self, model: Model, now: float) -> Iterator[str]:
        for key, run in model.chaos.runs.items():
            turn = (run.phase, run.on, run.clock is None, run.verdict, run.is_running(now), run.broken_guards)
            if self._drills.get(key) != turn:
                self._drills[key] = turn
                yield _drill_line(run, now)
