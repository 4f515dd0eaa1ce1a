"""What goes beyond a single zone: hot water first, enough valves open, valves moved now and then."""

from collections.abc import Iterable, Sequence

from attrs import define

from daemons.heating.control.burner import Burner
from daemons.heating.control.scene import Scene
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.plant import Plant, ZoneKind

__all__ = ["WaterFirst", "choose_exercise", "choose_extras", "exercise_s", "lift_k", "surplus_k"]

_EXTRA_K = 1.0
"""A room that is opened only for the flow may be this much above what is wanted of it."""
_LIFT_K = 10.0
"""Reached after three hours."""
_LATE_S = 3 * 86_400.0
"""An exercise that found no hour with a cold boiler for so long is done beside a warm one."""


@define
class WaterFirst:
    """Rooms wait while the tank calls, but those on frost duty, and not for longer than they may. Waiting is counted up,
    and down again while the tank is warm: a contact that flaps does not begin it anew. `waits`: rooms do now."""

    plant: Plant
    rooms: Sequence[ZoneRun]
    tanks: Sequence[ZoneRun]
    waits: bool = False
    _waited_s: float = 0.0
    _is_over: bool = False

    def step(self, mono: float, passed: float) -> None:
        """Have rooms wait, if they are to."""
        calls = any(_is_served(run, mono) for run in self.tanks)
        if self.waits:
            self._waited_s += passed
        elif not calls:
            self._waited_s = max(0.0, self._waited_s - passed)
        if self._waited_s >= self.plant.dhw_first_s:
            self._is_over = True
        elif self._waited_s <= 0:
            self._is_over = False
        self.waits = self.plant.dhw_first and calls and not self._is_over
        if not self.waits:
            return
        # Rooms that are open stay so until the tank's valve is: else the burner would go off, and wait for minutes.
        is_open = any(run.heat and run.is_ready(mono) for run in self.tanks)
        for run in self.rooms:
            if run.heat and not run.is_frost and (is_open or not run.is_on):
                run.heat = False
                run.key = ("wait-water",)


def _is_served(tank: ZoneRun, mono: float) -> bool:
    """Does a tank want heat, and can it have it? One that waits out its own minimum off time keeps no room waiting."""
    return tank.heat and not tank.resting and (tank.is_on or mono - tank.since >= tank.plan.min_off_s)


def lift_k(ready: Iterable[ZoneRun], mono: float) -> float:
    """Return by how many K the water is to be warmer than the weather says: a room that has been open for an hour and is
    not warm would otherwise run into its longest run."""
    return max((_lift(run, mono) for run in ready), default=0.0)


def _lift(run: ZoneRun, mono: float) -> float:
    hours = (mono - run.since) / 3600
    if hours < 1 or run.plan.kind is not ZoneKind.ROOM or -surplus_k(run) < run.plan.below:
        return 0.0
    return min(_LIFT_K, _LIFT_K * (hours - 1) / 2)


def choose_extras(runs: Sequence[ZoneRun], need: int, mono: float) -> None:
    """Have other zones open, where too few are for the boiler; the ones that are open first, then the coolest."""
    for run in runs:
        run.extra = False
    asking = [run for run in runs if run.is_on and run.asks]
    # Where a valve seems stuck, another one is opened for the flow only if somebody else wants heat, too.
    counted = sum(1 for run in asking if not run.stuck) or len(asking)
    if counted >= need or not asking:
        return
    able = [run for run in runs if not run.heat and _may_help(run, mono)]
    able.sort(key=lambda run: (not run.is_on, surplus_k(run)))
    for run in able[: need - counted]:
        run.extra = True
        run.key = ("extra",)


def _may_help(run: ZoneRun, mono: float) -> bool:
    plan, celsius, for_s = run.plan, run.celsius, mono - run.since
    if run.forced or run.stuck or run.cycling or run.resting or plan.kind is ZoneKind.DHW or celsius is None:
        return False
    if (for_s >= run.limit_s) if run.is_on else (for_s < plan.min_off_s):
        return False
    return celsius < plan.highest - 0.5 and surplus_k(run) <= _EXTRA_K


def surplus_k(run: ZoneRun) -> float:
    """Return by how much a room is warmer than it is to be."""
    target = run.wish.target
    celsius = run.plan.lowest if target is None or target.celsius is None else target.celsius
    return (run.celsius or 0.0) - celsius


def exercise_s(run: ZoneRun) -> float:
    """Return how long a valve is opened to move it: the pump may have to be moved with it, once it is open."""
    return max(run.plan.valve_s + 60.0, run.plan.min_on_s)


def choose_exercise(
    runs: Sequence[ZoneRun], burner: Burner, scene: Scene, hour: int, is_quiet: bool
) -> ZoneRun | None:
    """Return a zone whose valve is to be moved now: one at a time, at its hour, while the boiler is cold."""
    if not scene.is_sure or burner.lock is not None or scene.hour != hour:
        return None
    if any(run.exercising for run in runs):
        return None
    due = [
        run
        for run in runs
        if run.plan.exercise_s and not run.is_on and not run.forced and not run.resting and not run.heat
        and scene.mono - run.moved_at >= run.plan.exercise_s and scene.mono - run.since >= run.plan.min_off_s
    ]  # fmt: skip
    if not due:
        return None
    run = min(due, key=lambda run: run.moved_at)
    late = scene.mono - run.moved_at >= run.plan.exercise_s + _LATE_S
    return run if is_quiet or late else None
