"""What the zones ask of the boiler, in one look at those that are on."""

from collections.abc import Iterable, Sequence

from daemons.heating.control.burner import Burner, Demand
from daemons.heating.control.plumbing import lift_k
from daemons.heating.control.scene import Scene
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.plant import ZoneKind

__all__ = ["demand_of"]


def demand_of(
    runs: Iterable[ZoneRun], on: Sequence[ZoneRun], burner: Burner, scene: Scene, *, waits: bool
) -> Demand:
    """Return it, and set how warm the water is to be. `waits`: rooms wait for hot water."""
    mono = scene.mono
    ready: list[ZoneRun] = []
    asked = is_frost = is_stuck = rooms = water = False
    open_count = kept_count = 0
    for run in on:
        asks, is_open, is_room = run.asks, run.is_ready(mono), run.plan.kind is ZoneKind.ROOM
        asked, rooms, is_stuck = asked or asks, rooms or is_room, is_stuck or run.heat
        is_frost = is_frost or (asks and run.is_frost)
        if is_open:
            open_count += 1
            kept_count += asks or run.extra or run.exercising or run.shed
            if asks:
                ready.append(run)
                water = water or not is_room
    # While rooms still close for the tank's sake their water is not made that hot.
    burner.aim(scene.cold_out, for_water=water and not (waits and rooms), lift=lift_k(ready, mono))
    withheld = "" if is_frost else _withheld(runs)
    return Demand(asked, bool(ready), is_frost, open_count, kept_count, is_stuck, withheld)


def _withheld(runs: Iterable[ZoneRun]) -> str:
    """Return why the boiler must not fire for fear of a valve that does not close; frost comes before that."""
    for run in runs:
        if run.welded and run.celsius is not None and run.celsius >= run.plan.highest - 0.5:
            return f"“{run.plan.title}” is at {run.celsius:.1f} and its valve does not close"
    return ""
