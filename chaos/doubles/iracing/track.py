"""A made-up track: a closed line with corners, how fast a car goes along it, and its pit lane.

The line is r(θ) = 1 + Σ a_k cos(kθ + φ_k), walked once round and scaled until the nominal lap takes the time asked for.
Its speed is what grip (a_lat = v²κ), engine and brakes allow, found by a pass forwards and one backwards, then smoothed.
All tables have `POINTS` + 1 entries, evenly spaced along the lap from start/finish, the last one being the first again.
"""

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from .layouts import Car

__all__ = ["POINTS", "SECTORS", "PitLane", "Track", "lay_track"]

POINTS: Final = 4096
SECTORS: Final = {
    3: (0.0, 0.318204, 0.671935),
    5: (0.0, 0.149821, 0.327406, 0.541093, 0.774218),
    7: (0.0, 0.130617, 0.285912, 0.431175, 0.562840, 0.703329, 0.868114),
}
"""Where sectors begin, by how many there are: fractions of the lap."""

SLIP: Final = 0.0022
"""How far the nose points into the corner for each m/s² of lateral acceleration, rad."""

_COARSE: Final = 512
_STALL, _PIT_IN, _PIT_OUT = 0.978, 0.94, 1.035
_PIT_SPEED_KPH: Final = 72.0

Floats = npt.NDArray[np.float64]


@frozen(eq=False, kw_only=True)
class PitLane:
    """A drive through the pit lane with a stop at the stall, as time from the moment that it leaves the racing speed.

    `time`, `lap`, `speed`, `acceleration` are tables: seconds, laps from the start of the lap that it begins in (so it
    ends above 1), m/s, m/s². `before_s`: until it stands still. `stall`, `entry`, `exit`: laps. `limit`: m/s."""

    time: Floats
    lap: Floats
    speed: Floats
    acceleration: Floats
    before_s: float
    stall: float
    entry: float
    exit: float
    limit: float

    @property
    def first(self) -> float:
        """Where it leaves the racing speed, laps."""
        return float(self.lap[0])

    @property
    def last(self) -> float:
        """Where it is back at racing speed, laps; above 1."""
        return float(self.lap[-1])

    @property
    def moving_s(self) -> float:
        """How long it takes without the stop itself."""
        return float(self.time[-1])


@frozen(eq=False, kw_only=True)
class Track:
    """Metres, seconds, radians. `heading` is counter-clockwise from east and not wrapped: it grows or falls by 2π a lap.
    `curvature` and what follows from it is positive to the left. `slip`: nose minus heading."""

    length: float
    lap_s: float
    sectors: tuple[float, ...]
    time: Floats
    speed: Floats
    acceleration: Floats
    curvature: Floats
    heading: Floats
    slip: Floats
    east: Floats
    north: Floats
    by_time: Floats
    """Laps by time: `POINTS` + 1 entries evenly spaced over `lap_s`."""
    pits: PitLane

    def time_at(self, lap: Any) -> Any:
        """Return the seconds from the start of lap 0 to a place in laps, at nominal speed."""
        whole = np.floor(lap)
        return whole * self.lap_s + at(self.time, lap - whole)

    def lap_at(self, time: Any) -> Any:
        """Return the place in laps for a nominal time in seconds."""
        whole = np.floor(time / self.lap_s)
        return whole + at(self.by_time, time / self.lap_s - whole)


def at(table: Floats, fraction: Any) -> Any:
    """Read tables between their entries. `fraction` 0 to 1, of any shape; `table` (..., POINTS + 1)."""
    place = fraction * POINTS
    index = np.minimum(place.astype(np.intp), POINTS - 1)
    part = place - index
    return table[..., index] * (1 - part) + table[..., index + 1] * part


@cache
def lay_track(seed: int, car: Car, lap_s: float, sectors: int = 3) -> Track:
    """Make the track of a seed that this car goes round in `lap_s` seconds."""
    rng = np.random.default_rng((seed, 1))
    orders = np.arange(2, 8 + min(8, int(lap_s / 16)))  # a longer track has more corners
    sizes = rng.uniform(0.5, 1.0, len(orders)) * 0.30 / orders**0.8
    phases = rng.uniform(0, 2 * np.pi, len(orders))
    clockwise = bool(rng.random() < 0.5)
    low, high = 0.02 * lap_s, 20.0 * lap_s
    for _ in range(14):
        scale = (low * high) ** 0.5
        line = _line(sizes, phases, scale, clockwise, _COARSE)
        low, high = (scale, high) if _lap_time(car, line) < lap_s else (low, scale)
    return _measured(car, _line(sizes, phases, scale, clockwise, POINTS), lap_s, SECTORS[sectors])


def _line(sizes: Floats, phases: Floats, scale: float, clockwise: bool, points: int) -> Floats:
    """Return the rows east, north of `points` places that are evenly spaced along the line."""
    angle = np.linspace(0, 2 * np.pi, 8 * points, endpoint=False)
    orders = np.arange(2, 2 + len(sizes))[:, None]
    radius = scale * (1 + (sizes[:, None] * np.cos(orders * angle + phases[:, None])).sum(0))
    east, north = radius * np.cos(angle), radius * np.sin(angle) * (-1 if clockwise else 1)
    steps = np.hypot(np.diff(east, append=east[0]), np.diff(north, append=north[0]))
    walked = np.concatenate(([0.0], np.cumsum(steps)))
    even = np.linspace(0, walked[-1], points, endpoint=False)
    return np.stack([np.interp(even, walked, np.append(line, line[0])) for line in (east, north)])


def _bend(line: Floats) -> tuple[float, Floats, Floats]:
    """Return a line's length, its heading at each place (not wrapped) and its curvature, smoothed."""
    ahead = np.roll(line, -1, 1) - line
    step = np.hypot(*ahead)
    heading = np.unwrap(np.arctan2(ahead[1], ahead[0]))
    turn = (np.diff(heading, append=heading[0]) + np.pi) % (2 * np.pi) - np.pi
    curvature = _smooth(turn / step.mean(), max(1, len(step) // 512))
    return float(step.sum()), heading, curvature


def _smooth(values: Floats, half: int) -> Floats:
    """Return the mean of each value and `half` neighbours on both sides, round the lap."""
    kernel = np.hanning(2 * half + 3)[1:-1]
    wide = np.concatenate((values[-half:], values, values[:half]))
    return np.convolve(wide, kernel / kernel.sum(), "valid")


def _speeds(car: Car, length: float, curvature: Floats) -> Floats:
    step = length / len(curvature)
    limit = np.minimum(car.top * 0.985, np.sqrt(car.grip / np.maximum(np.abs(curvature), 1e-6)))
    speed = limit.tolist()
    count = len(speed)
    for place in range(2 * count):  # twice round: the second time it begins with what the first ended with
        now, after = place % count, (place + 1) % count
        push = car.drive * (1 - (speed[now] / car.top) ** 2)
        speed[after] = min(speed[after], (speed[now] ** 2 + 2 * push * step) ** 0.5)
    for place in range(2 * count, 0, -1):
        now, before = place % count, (place - 1) % count
        speed[before] = min(speed[before], (speed[now] ** 2 + 2 * car.brake * step) ** 0.5)
    return _smooth(np.array(speed), max(1, count // 340))


def _lap_time(car: Car, line: Floats) -> float:
    length, _, curvature = _bend(line)
    return float((length / len(curvature) / _speeds(car, length, curvature)).sum())


def _measured(car: Car, line: Floats, lap_s: float, sectors: tuple[float, ...]) -> Track:
    length, _, curvature = _bend(line)
    coarse = _speeds(car, length, curvature[:: POINTS // _COARSE])
    start = int(_smooth(coarse, _COARSE // 16).argmax()) * (POINTS // _COARSE)  # on the fastest stretch
    line = np.roll(line, -start, 1)
    length, heading, curvature = _bend(line)
    speed = _speeds(car, length, curvature)
    step = length / POINTS
    pace = (
        2 * step / (speed + np.roll(speed, -1))
    ).sum() / lap_s  # the coarse search leaves a little to scale
    speed = speed * pace
    time = np.concatenate(([0.0], np.cumsum(2 * step / (speed + np.roll(speed, -1)))))
    time *= lap_s / time[-1]
    acceleration = speed * (np.roll(speed, -1) - np.roll(speed, 1)) / (2 * step)
    slip = SLIP * _smooth(speed**2 * curvature, 8)
    places = np.linspace(0, 1, POINTS + 1)
    turned = heading - heading[0]
    end = round(float(turned[-1] + curvature[-1] * step) / (2 * np.pi)) * 2 * np.pi
    closed = [_closed(table) for table in (speed, acceleration, curvature, slip, line[0], line[1])]
    return Track(
        length=length, lap_s=lap_s, sectors=sectors, time=time, speed=closed[0], acceleration=closed[1],
        curvature=closed[2], heading=np.append(heading, heading[0] + end), slip=closed[3], east=closed[4], north=closed[5],
        by_time=np.interp(np.linspace(0, lap_s, POINTS + 1), time, places), pits=_pit_lane(car, length, closed[0]),
    )  # fmt: skip


def _closed(table: Floats) -> Floats:
    return np.append(table, table[0])


def _pit_lane(car: Car, length: float, speed: Floats) -> PitLane:
    limit = min(_PIT_SPEED_KPH / 3.6, 0.8 * float(speed.min()))
    brake, drive = 0.7 * car.brake, 0.7 * car.drive
    lap = np.unique(np.concatenate((np.linspace(0.55, 1.6, 12_000), _STALL + np.linspace(0, 0.004, 60) ** 2)))
    racing = at(speed, lap % 1.0)
    slow = np.where((lap >= _PIT_IN) & (lap <= _PIT_OUT), limit, np.inf)
    to_entry, from_exit = np.maximum(_PIT_IN - lap, 0) * length, np.maximum(lap - _PIT_OUT, 0) * length
    to_stall = (lap - _STALL) * length
    by_brake = np.sqrt(np.where(lap < _PIT_IN, limit**2 + 2 * brake * to_entry, np.inf))
    by_drive = np.sqrt(np.where(lap > _PIT_OUT, limit**2 + 2 * drive * from_exit, np.inf))
    standing = np.sqrt(2 * np.where(to_stall < 0, brake / 2 * -to_stall, drive / 2 * to_stall))
    through = np.minimum.reduce([slow, by_brake, by_drive, standing])
    free = np.flatnonzero(through >= racing)
    first, last = int(free[lap[free] < _PIT_IN][-1]), int(free[lap[free] > _PIT_OUT][0])
    lap, through = lap[first : last + 1], np.minimum(through, racing)[first : last + 1]
    time = np.concatenate(([0.0], np.cumsum(2 * np.diff(lap) * length / (through[1:] + through[:-1]))))
    stall = int(through.argmin())
    return PitLane(
        time=time, lap=lap, speed=through, acceleration=np.gradient(through, time),
        before_s=float(time[stall]), stall=float(lap[stall]),
        entry=_PIT_IN, exit=_PIT_OUT, limit=limit,
    )  # fmt: skip
