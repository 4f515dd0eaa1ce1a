"""All cars of a session from the car arrays: sector times, bests, stops, gaps. Pure; what is fed decides how exact it is.

Between two samples a car is taken to move evenly: at 5 Hz, with speeds that change by 20 % a second, a crossing is wrong by
some milliseconds.
"""

import numpy as np
import numpy.typing as npt
from attrs import define, field, frozen

__all__ = ["CarField", "CarTimes"]

JUMP = 0.2
"""Further in one sample, or backwards by more than `BACK`, a car was not driven: towed, reset, or not seen for long."""
BACK = 0.01
SILENT_S = 5.0

Floats = npt.NDArray[np.float64]


@frozen(kw_only=True)
class CarTimes:
    """Of one car. `sectors`: of the lap it is on, then, until those are driven, of the lap before; None: not known.
    `best`: its own best of each. `stops`: times that it came into the pits since it was first seen."""

    sectors: tuple[float | None, ...]
    best: tuple[float | None, ...]
    stops: int


@define(eq=False)
class _Car:
    last: list[float | None]
    best: list[float | None]
    sector: int | None = None  # the one it is in, once its beginning was seen; None before
    entered_s: float = 0.0
    stops: int = 0
    is_in_pits: bool | None = None


@define(eq=False)
class CarField:
    """`starts`: track positions at which sectors begin, ascending, the first 0. Feed samples in order of time."""

    starts: tuple[float, ...]
    _cars: dict[int, _Car] = field(factory=dict, init=False)
    _before: Floats | None = field(default=None, init=False)
    _before_s: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        if (
            not self.starts
            or self.starts[0] != 0.0
            or any(a >= b for a, b in zip(self.starts, self.starts[1:], strict=False))
        ):
            self.starts = (0.0, *sorted({s for s in self.starts if 0.0 < s < 1.0}))

    def take(
        self, time_s: float, where: npt.NDArray[np.floating], in_pits: npt.NDArray[np.generic] | None = None
    ) -> None:
        """Take one sample: the session's time, each car's LapDistPct (below 0: not there), and whether it is on pit road."""
        now = np.asarray(where, np.float64)
        if in_pits is not None:
            self._stops(np.asarray(in_pits).astype(bool), now)
        before, before_s = self._before, self._before_s
        self._before, self._before_s = now, time_s
        if before is None or before.shape != now.shape or not 0.0 < time_s - before_s <= SILENT_S:
            self._forget()
            return
        known = (before >= 0.0) & (now >= 0.0) & np.isfinite(before) & np.isfinite(now)
        moved = now - before
        moved = np.where(moved < -0.5, moved + 1.0, moved)
        for index in np.nonzero(known & ((moved > JUMP) | (moved < -BACK)))[0].tolist():
            if (car := self._cars.get(index)) is not None:
                car.sector = None
        starts = np.asarray(self.starts)
        crossed = np.searchsorted(starts, before, "right") != np.searchsorted(starts, now, "right")
        crossed |= now < before - 0.5
        for index in np.nonzero(known & crossed & (moved > 0.0) & (moved <= JUMP))[0].tolist():
            self._cross(index, float(before[index]), float(moved[index]), before_s, time_s - before_s)

    def times(self, index: int) -> CarTimes:
        """Return what is known of the car at this place of the arrays."""
        unknown = (None,) * len(self.starts)
        car = self._cars.get(index)
        if car is None:
            return CarTimes(sectors=unknown, best=unknown, stops=0)
        return CarTimes(sectors=tuple(car.last), best=tuple(car.best), stops=car.stops)

    def _car(self, index: int) -> _Car:
        if index not in self._cars:
            self._cars[index] = _Car([None] * len(self.starts), [None] * len(self.starts))
        return self._cars[index]

    def _cross(self, index: int, where: float, moved: float, at_s: float, took_s: float) -> None:
        """Note each beginning of a sector between `where` and `where + moved`."""
        car = self._car(index)
        beyond = [(lap + start, sector) for lap in (0.0, 1.0) for sector, start in enumerate(self.starts)]
        for start, sector in beyond:
            if not where < start <= where + moved:
                continue
            crossed_s = at_s + took_s * (start - where) / moved
            ended = (sector - 1) % len(self.starts)
            if car.sector == ended and not car.is_in_pits:
                self._drove(car, ended, crossed_s - car.entered_s)
            elif car.sector is not None:
                car.last[ended] = None
            car.sector, car.entered_s = sector, crossed_s

    def _drove(self, car: _Car, sector: int, time_s: float) -> None:
        car.last[sector] = time_s
        best = car.best[sector]
        car.best[sector] = time_s if best is None else min(best, time_s)

    def _stops(self, in_pits: npt.NDArray[np.bool_], where: Floats) -> None:
        for index in range(min(len(in_pits), len(where))):
            is_in = bool(in_pits[index])
            car = self._cars.get(index)
            if car is None:
                if is_in and where[index] >= 0.0:
                    self._car(index).is_in_pits = True
                continue
            if is_in and car.is_in_pits is False:
                car.stops += 1
            car.is_in_pits = is_in

    def _forget(self) -> None:
        """Nobody's crossing can be told over a gap."""
        for car in self._cars.values():
            car.sector = None
