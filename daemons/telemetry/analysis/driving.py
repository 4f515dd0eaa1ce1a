"""How a lap was driven corner by corner, and what that cost against another lap. Pure.

In each corner's stretch of the lap: speed where the bend begins, where the car is slowest and where the bend ends; where the
brake was pressed and how hard; where the throttle was picked up and where it was full. Positions are 0 to 1 of the lap,
crossings of a threshold lie between the grid's points. What did not happen is None; so is a corner in which the lap has
a hole.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from attrs import frozen

from daemons.telemetry.analysis.corners import Corner
from daemons.telemetry.analysis.positions import Floats, Placed

__all__ = ["BRAKE_ON", "THROTTLE_FULL", "THROTTLE_ON", "Driven", "driven", "lost_s", "stretch_s"]

BRAKE_ON: Final = 0.05
"""Of full pressure: less is a foot that rests."""
THROTTLE_ON: Final = 0.05
THROTTLE_FULL: Final = 0.98


@frozen(kw_only=True)
class Driven:
    """A corner as it was driven. Speeds in m/s, pedals 0 to 1, `time_s` for the corner's stretch of the lap.

    `brake_at`: where the brake came on, of the braking that was hardest before the slowest point (None when the lap begins
    with it); `brake_peak`: its highest pressure; `brake_off_at`: where it was off again. `throttle_at`: where the throttle
    came back (before the slowest point too); None when it was never off. `full_at`: where it was full from then on.
    """

    corner: int
    entry_speed: float
    apex_speed: float
    apex_at: float
    exit_speed: float
    time_s: float
    brake_at: float | None = None
    brake_peak: float | None = None
    brake_off_at: float | None = None
    throttle_at: float | None = None
    full_at: float | None = None


def driven(lap: Placed, corners: Sequence[Corner]) -> list[Driven | None]:
    """Return how each corner was driven in a lap with Speed (m/s), Throttle and Brake (0 to 1)."""
    before = [0.0, *(corner.end for corner in corners)]
    return [_corner(lap, corner, end) for corner, end in zip(corners, before, strict=False)]


def stretch_s(lap: Placed, corners: Sequence[Corner]) -> Floats:
    """Return what each corner's stretch of the lap took, in seconds; NaN where the lap has a hole at an end of it."""
    ends = _times(lap, [corner.last for corner in corners])
    return ends - _times(lap, [corner.first for corner in corners])


def lost_s(lap: Placed, reference: Placed, corners: Sequence[Corner]) -> Floats:
    """Return what a lap lost (positive) or won in each corner's stretch; together what it lost in all."""
    return stretch_s(lap, corners) - stretch_s(reference, corners)


def _times(lap: Placed, at: Sequence[float]) -> Floats:
    return np.interp(np.asarray(at, np.float64), lap.positions, lap.time_s)


def _corner(lap: Placed, corner: Corner, before: float) -> Driven | None:
    """`before`: where the bend before it ends. Who brakes early does so before the stretch begins."""
    free, first, start, end, last = (
        int(np.searchsorted(lap.positions, at - 1e-12))
        for at in (before, corner.first, corner.start, corner.end, corner.last)
    )
    last = min(last, len(lap.positions) - 1)
    speed, brake, throttle = (lap.columns[name] for name in ("Speed", "Brake", "Throttle"))
    inside = slice(min(free, first), last + 1)
    if not all(np.isfinite(values[inside]).all() for values in (lap.time_s, speed, brake, throttle)):
        return None
    apex = start + int(np.argmin(speed[start : end + 1]))
    on, peak, off = _braking(lap, brake, min(free, first), apex, last)
    back, full = _throttle(lap, throttle, first, apex, last)
    return Driven(
        corner=corner.number,
        entry_speed=float(np.interp(corner.start, lap.positions, speed)),
        apex_speed=float(speed[apex]),
        apex_at=float(lap.positions[apex]),
        exit_speed=float(np.interp(corner.end, lap.positions, speed)),
        time_s=float(stretch_s(lap, [corner])[0]),
        brake_at=on, brake_peak=peak, brake_off_at=off, throttle_at=back, full_at=full,
    )  # fmt: skip


def _braking(
    lap: Placed, brake: Floats, first: int, apex: int, last: int
) -> tuple[float | None, float | None, float | None]:
    hardest = first + int(np.argmax(brake[first : apex + 1]))
    if brake[hardest] < BRAKE_ON:
        return None, None, None
    on = hardest
    while on > 0 and brake[on - 1] >= BRAKE_ON:  # into the bend before, when it was never off
        on -= 1
    off = hardest
    while off < last and brake[off + 1] >= BRAKE_ON:
        off += 1
    is_known = on > 0 and np.isfinite(brake[on - 1])
    begun = _crossing(lap, brake, on - 1, BRAKE_ON) if is_known else None
    ended = None if off == last else _crossing(lap, brake, off, BRAKE_ON)
    return begun, float(brake[on : off + 1].max()), ended


def _throttle(
    lap: Placed, throttle: Floats, first: int, apex: int, last: int
) -> tuple[float | None, float | None]:
    if (throttle[first : last + 1] >= THROTTLE_ON).all():
        return None, None
    at = apex
    if throttle[at] >= THROTTLE_ON:
        while at > first and throttle[at - 1] >= THROTTLE_ON:
            at -= 1
        if at == first:  # it was off behind the slowest point only
            return None, None
    else:
        while at <= last and throttle[at] < THROTTLE_ON:
            at += 1
        if at > last:
            return None, None
    back = _crossing(lap, throttle, at - 1, THROTTLE_ON)
    while at <= last and throttle[at] < THROTTLE_FULL:
        at += 1
    return back, None if at > last else _crossing(lap, throttle, at - 1, THROTTLE_FULL)


def _crossing(lap: Placed, values: Floats, index: int, level: float) -> float:
    """Return where a straight line from `index` to the point after it has this level."""
    before, after = values[index], values[index + 1]
    if before == after:
        return float(lap.positions[index + 1])
    share = min(max((level - before) / (after - before), 0.0), 1.0)
    return float(lap.positions[index] + share * (lap.positions[index + 1] - lap.positions[index]))
