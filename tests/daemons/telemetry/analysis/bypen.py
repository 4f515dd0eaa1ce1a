"""Laps that can be reckoned with a pen: stretches of constant acceleration, each a length, a speed at its end, a radius and
what the feet do.

The reference, 1,500 m (t = 2 s / (v0 + v1) for each stretch):

    0– 300  straight at 50 m/s                           6.000 s
  300– 400  braking, 50 to 30 (8 m/s²)                   2.500
  400– 500  left, 50 m, at 30 m/s: 2 rad                 3.333
  500– 700  throttle, 30 to 50 (4 m/s²)                  5.000
  700– 900  straight at 50                               4.000
  900– 920  kink, 250 m, at 50: 0.08 rad                 0.400
  920–1000  straight at 50                               1.600
 1000–1090  braking, 50 to 40 (5 m/s²)                   2.000
 1090–1150  right, 60 m, at 40: 1 rad                    1.500
 1150–1240  throttle, 40 to 50 (5 m/s²)                  2.000
 1240–1500  straight at 50                               5.200
                                                  lap   33.533 s
"""

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from daemons.telemetry.analysis import Placed, grid, place

__all__ = ["LENGTH_M", "OTHER", "REFERENCE", "REFERENCE_S", "Stretch", "drive"]

LENGTH_M = 1500.0
REFERENCE_S = 33 + 8 / 15
RAMP_M = 4.0
"""A foot takes so far to get where it goes."""


@frozen
class Stretch:
    """`radius` positive to the left, None straight."""

    metres: float
    speed: float
    radius: float | None = None
    brake: float = 0.0
    throttle: float = 1.0


REFERENCE = (
    Stretch(300, 50), Stretch(100, 30, brake=0.8, throttle=0), Stretch(100, 30, 50, throttle=0.5), Stretch(200, 50),
    Stretch(200, 50), Stretch(20, 50, 250), Stretch(80, 50), Stretch(90, 40, brake=0.6, throttle=0),
    Stretch(60, 40, -60, throttle=0.5), Stretch(90, 50), Stretch(260, 50),
)  # fmt: skip

OTHER = (
    # Brakes 20 m later and harder: 6.4 + 2 s to the first corner, 0.1 s won; then out of it to 50 in 240 m, which takes
    # 6 s: the reference is there in 5 + 0.8, so 0.2 s are lost. 33.633 s.
    Stretch(320, 50), Stretch(80, 30, brake=1.0, throttle=0), Stretch(100, 30, 50, throttle=0), Stretch(240, 50, throttle=0.8),
    Stretch(160, 50), *REFERENCE[5:],
)  # fmt: skip


def drive(
    stretches: Sequence[Stretch], *, hz: float = 60.0, points: int = 1501, first_speed: float = 50.0
) -> Placed:
    """Drive them; return the lap, sampled `hz` times a second, on a grid."""
    speeds = np.array([first_speed, *(each.speed for each in stretches)])
    lengths = np.array([each.metres for each in stretches])
    took = 2 * lengths / (speeds[:-1] + speeds[1:])
    begins, starts = np.concatenate(([0], np.cumsum(took))), np.concatenate(([0], np.cumsum(lengths)))
    times = np.arange(0.004, begins[-1], 1 / hz)
    which = np.searchsorted(begins, times, side="right") - 1
    within = times - begins[which]
    rate = ((speeds[1:] - speeds[:-1]) / took)[which]
    metres = starts[which] + speeds[which] * within + rate * within**2 / 2
    speed = speeds[which] + rate * within
    bent = np.array([0 if each.radius is None else 1 / each.radius for each in stretches])[which]
    pedals = {
        name: _pedal(metres, starts, [getattr(each, name) for each in stretches])
        for name in ("brake", "throttle")
    }
    columns = {
        "Speed": speed,
        "YawRate": speed * bent,
        "Brake": pedals["brake"],
        "Throttle": pedals["throttle"],
    }
    length = lengths.sum()
    return place(metres / length, times, columns, grid(points), lap_s=float(begins[-1]))


def _pedal(metres: np.ndarray, starts: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """From the beginning of a stretch on the foot goes evenly to where it stays."""
    where, what = [0.0], [levels[0]]
    for start, before, level in zip(starts[1:-1], levels, levels[1:], strict=False):
        where += [start, start + RAMP_M]
        what += [before, level]
    return np.interp(metres, where, what)
