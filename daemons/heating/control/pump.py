"""The pump: it turns while water is to flow through an open valve, a while longer to carry heat away, and now and then so
that it does not seize."""

from collections.abc import Sequence

from attrs import define, frozen

from daemons.heating.control.burner import Burner
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.plant import BurnerPlan

__all__ = ["Pump", "Turned"]


@frozen
class Turned:
    """The pump was switched. `ran_s`: how long it was on, when it goes off."""

    is_on: bool
    cause: str
    ran_s: float | None


@define(eq=False)
class Pump:
    """Moments are of the monotonic clock. Without a pump of ours it never turns."""

    plan: BurnerPlan
    is_on: bool = False
    since: float = 0.0
    moved_at: float = 0.0
    _exercising: bool = False

    def step(self, burner: Burner, on: Sequence[ZoneRun], mono: float) -> Turned | None:
        """Decide, with the zones that are on; return what was switched."""
        plan = self.plan
        if plan.pump is None:
            return None
        open_ = [run for run in on if run.is_ready(mono)]
        residual = plan.output is not None and mono - burner.residual_at < plan.overrun_s
        wanted = burner.is_on or (bool(open_) and (residual or burner.too_hot()))
        wanted = wanted or any(run.asks or run.shed for run in open_)
        cause = "water is to flow" if wanted else "off: no water is to flow"
        due = self._exercising or (plan.exercise_s > 0 and mono - self.moved_at >= plan.exercise_s)
        self._exercising = not wanted and due and any(run.exercising for run in open_)
        if self._exercising:
            cause = "moved, so that it does not seize"
        is_on = wanted or self._exercising
        if is_on is self.is_on:
            return None
        ran_s = mono - self.since
        self.is_on, self.since, self.moved_at = is_on, mono, mono
        return Turned(is_on, cause, None if is_on else ran_s)
