"""What happened in one step, each with its cause: what is switched, what stands, what is over."""

from attrs import define, field

from daemons.heating.control.causes import cause_of
from daemons.heating.control.scene import Scene
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.state import EventKind, HeatEvent

__all__ = ["Journal", "explain"]


def explain(run: ZoneRun, scene: Scene) -> None:
    """Word why a zone is as it is, if that is news."""
    if run.key != run.told_key:
        run.told_key = run.key
        run.cause = cause_of(run, scene)


@define(eq=False)
class Journal:
    """`events` are of this step."""

    events: list[HeatEvent] = field(factory=list)

    def turned(
        self,
        scene: Scene,
        source: str,
        is_on: bool,
        cause: str,
        ran_s: float | None,
        run: ZoneRun | None = None,
    ) -> None:
        """A relay was switched; `ran_s`: how long it was on."""
        self._add(scene, source, EventKind.ON if is_on else EventKind.OFF, cause, ran_s, run)

    def told(self, scene: Scene, of: str, words: str, is_up: bool, run: ZoneRun | None) -> None:
        """An alarm stands, or is over; `run`: the zone that it is of."""
        self._add(scene, of, EventKind.ALARM if is_up else EventKind.CLEAR, words, None, run)

    def _add(
        self, scene: Scene, source: str, kind: EventKind, cause: str, ran_s: float | None, run: ZoneRun | None
    ) -> None:
        self.events.append(
            HeatEvent(
                at=scene.utc,
                source=source,
                kind=kind,
                cause=cause,
                celsius=None if run is None else run.celsius,
                supply=None if run is None or run.supply is None else run.supply.celsius,
                outdoor=scene.cold_out,
                ran_s=ran_s,
            )
        )
