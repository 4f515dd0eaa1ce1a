"""Times that no wish stretches: the longest run, the shortest cycle of the burner, also over restarts and power cuts."""

from attrs import define, field

from daemons.heating.plant import Plant
from tests.sim.house_step import Step, broken_rule

__all__ = ["CYCLE_S", "Limits"]

CYCLE_S = 600.0
"""On and off of the burner together: 40 to 60 s of each cycle it only ignites."""


@define(eq=False)
class _Run:
    is_on: bool = False
    since: float = -1e9
    began: float = -1e9
    """When it was last switched on."""


@define(eq=False)
class Limits:
    """By the relays as they were driven: a program that died has let them go."""

    plant: Plant
    control_s: float
    late_s: float
    _runs: dict[str, _Run] = field(factory=dict)
    starts: list[float] = field(factory=list)
    longest_s: float = 0.0

    def dark(self, at_s: float) -> None:
        """All relays are off."""
        for run in self._runs.values():
            if run.is_on:
                run.is_on, run.since = False, at_s

    def step(self, step: Step) -> None:
        """Judge. Raises BrokenRule."""
        burner = self.plant.burner
        at = step.at_s
        for relay, is_on in step.decision.outputs.items():
            run = self._runs.get(relay)
            if run is None:
                run = self._runs[relay] = _Run()
            if is_on is not run.is_on:
                if relay == burner.output:
                    self._turned(step, run, is_on)
                run.is_on, run.since = is_on, at
                if is_on:
                    run.began = at
        if burner.output is not None:
            self._longest(step, burner.output, burner.max_run_s)
        for zone in self.plant.zones:
            self._longest(step, zone.output, zone.max_run_s)

    def _longest(self, step: Step, relay: str, most_s: float) -> None:
        run = self._runs[relay]
        if run.is_on and step.at_s - run.since > most_s + 1.5 * self.control_s:
            raise broken_rule(
                step, f"{relay} has been on for {step.at_s - run.since:.0f} s, {most_s:.0f} at most"
            )

    def _turned(self, step: Step, run: _Run, is_on: bool) -> None:
        burner, at = self.plant.burner, step.at_s
        for_s = at - run.since
        if is_on:
            if for_s < burner.min_off_s - self.late_s:
                raise broken_rule(
                    step, f"the burner fires after {for_s:.0f} s off, {burner.min_off_s:.0f} at least"
                )
            if at - run.began < CYCLE_S - self.late_s:
                raise broken_rule(
                    step, f"the burner fires {at - run.began:.0f} s after it did, {CYCLE_S:.0f} at least"
                )
            self.starts.append(at)
            day = sum(1 for start in self.starts[-100:] if start > at - 86_400)
            if day > burner.starts_a_day + burner.starts_a_day // 4 + 1:
                raise broken_rule(step, f"the burner's {day}th start in 24 hours")
        elif for_s < burner.min_on_s - self.late_s and not self._is_safety(step):
            raise broken_rule(step, f"the burner is off after {for_s:.0f} s, {burner.min_on_s:.0f} at least")

    def _is_safety(self, step: Step) -> bool:
        """Safety comes before the minimum: too hot, locked, or nothing is open."""
        burner = self.plant.burner
        is_locked = bool(step.decision.state.boiler.locked_out)
        return is_locked or step.house.flow > burner.overheat - 7 or any(step.house.faults)
