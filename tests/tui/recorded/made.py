"""Makes a recording of a race, a house and a team's day: python -m tests.tui.recorded.made FILE [SECONDS].

`pitlink tui --replay FILE` shows it, on pages 3, 4 and 6.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from attrs import define

from tests.tui.recorded import UTC, recorded
from tests.tui.recorded.crew import Crew
from tests.tui.recorded.house import House
from tests.tui.recorded.race import Race
from tui.model import Model
from tui.record import Recorder

__all__ = ["made", "services"]

BEGAN = 1000.0
HUB = "backend"
HOUSE_BEGINS_S, CREW_BEGINS_S = 20 * 3600.0, 17_450.0
HZ = 10


@define(eq=False)
class _Clock:
    now: float = BEGAN

    def __call__(self) -> float:
        return self.now


def services(seconds: float, clock: Callable[[float], None], model: Model, seed: int = 3) -> None:
    """Tell a model so many seconds of all three; `clock` is told each moment first."""
    race, house, crew = Race(seed, lossy=True), House(seed), Crew(seed)
    clock(BEGAN)
    model.watch(HUB, BEGAN)
    model.told(HUB, recorded("cloud"), BEGAN, UTC)
    model.measured(HUB, "telemetry", race.begin(), BEGAN)
    for step in range(int(seconds * HZ)):
        at = step / HZ
        clock(BEGAN + at)
        model.measured(HUB, "telemetry", race.advance(at), BEGAN + at)
        if step % (2 * HZ) == 0:
            model.told(HUB, recorded("cloud"), BEGAN + at, UTC + at)
            model.measured(HUB, "heating", house.at(HOUSE_BEGINS_S + at), BEGAN + at)
            model.measured(HUB, "team", crew.at(CREW_BEGINS_S + at), BEGAN + at)


def made(path: Path, seconds: float = 120.0, *, keyframe_bytes: int | None = None) -> Model:
    """Make a recording; return the model as it was at its end. Raises RecordingError when there is such a file."""
    clock = _Clock()
    options = {} if keyframe_bytes is None else {"keyframe_bytes": keyframe_bytes}
    with Recorder(path, clock, lambda: UTC + clock.now - BEGAN, **options) as recorder:
        services(seconds, lambda now: setattr(clock, "now", now), recorder.model)
        return recorder.model


if __name__ == "__main__":
    made(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 120.0)
