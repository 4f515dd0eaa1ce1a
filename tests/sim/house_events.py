"""What the events tell is what the relays did: each change once, in order, with how long it ran."""

from attrs import define, field

from daemons.heating.plant import Plant
from daemons.heating.state import EventKind, HeatEvent
from tests.sim.house_step import Step, broken_rule

__all__ = ["Events"]


@define(eq=False)
class Events:
    """Over all lives of the program. `count`: events told."""

    plant: Plant
    count: int = 0
    _sources: dict[str, str] = field(init=False)
    """Relay → what its events are of."""
    _told: dict[str, bool] = field(factory=dict)
    """As the events have it."""
    _on_since: dict[str, float] = field(factory=dict)
    """By the monotonic clock of this life."""

    def __attrs_post_init__(self) -> None:
        burner = self.plant.burner
        self._sources = {zone.output: zone.id for zone in self.plant.zones}
        if burner.output is not None:
            self._sources[burner.output] = "burner"
        if burner.pump is not None:
            self._sources[burner.pump] = "pump"

    def step(self, step: Step) -> None:
        """Judge. Raises BrokenRule."""
        if step.is_first:
            self._on_since.clear()
        for event in step.decision.events:
            self.count += 1
            if abs(event.at - step.now.utc) > 1:
                raise broken_rule(
                    step, f"an event of {event.source} is dated {event.at - step.now.utc:+.0f} s"
                )
            if event.kind in (EventKind.ON, EventKind.OFF):
                self._turned(step, event)
        if not step.decision.events and not step.is_first:
            outputs = step.decision.outputs
            for relay, source in self._sources.items():
                if outputs[relay] is not self._told.get(source, False):
                    break
            else:
                return
        for relay, source in self._sources.items():
            if step.decision.outputs[relay] is not self._told.get(source, False):
                raise broken_rule(step, f"{relay} is {step.decision.outputs[relay]} and no event says so")

    def _turned(self, step: Step, event: HeatEvent) -> None:
        source, is_on = event.source, event.kind is EventKind.ON
        if self._told.get(source, False) is is_on:
            raise broken_rule(step, f"{event.kind} of {source}, which was that already: {event.cause!r}")
        self._told[source] = is_on
        if not event.cause:
            raise broken_rule(step, f"{event.kind} of {source} without a cause")
        if is_on:
            self._on_since[source] = step.now.mono
            return
        since = self._on_since.pop(source, None)
        if since is not None and (event.ran_s is None or abs(event.ran_s - (step.now.mono - since)) > 0.5):
            raise broken_rule(
                step, f"{source} ran {step.now.mono - since:.0f} s, its event says {event.ran_s}"
            )
