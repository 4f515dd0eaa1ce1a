"""Where all cars are at many moments, with numpy: the pieces of their ways laid out side by side."""

import itertools
from bisect import bisect_left
from typing import Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from .schedule import GONE, PITS, Route
from .track import Track, at

__all__ = ["Motion", "Timetable"]

_CAR_APART: Final = 1e7
"""More seconds than a race has: what keeps one car's pieces from the next one's in one sorted list."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@frozen(eq=False)
class Motion:
    """For each car and moment: `place` in laps (NaN: not there any more), m/s, m/s², the kind of piece, and whether it
    stands at its stall."""

    place: Floats
    speed: Floats
    acceleration: Floats
    kind: Ints
    standing: npt.NDArray[np.bool_]


class Timetable:
    """The pieces of all cars from one moment to another, laid out for numpy."""

    def __init__(self, track: Track, routes: list[Route], from_s: float, until_s: float) -> None:
        self._track = track
        rows: list[tuple[float, ...]] = []
        for number, route in enumerate(routes):
            route.reach(until_s + 1)
            first = bisect_left(route.pieces, from_s - 1, key=lambda piece: piece.end_s)
            for piece in itertools.islice(route.pieces, first, None):
                if piece.takes_over_s > until_s + 1:
                    break
                rows.append(
                    (number * _CAR_APART + piece.takes_over_s, piece.kind, piece.start_s, piece.end_s,
                     piece.nominal_0, piece.nominal_1, piece.rate_0, piece.rate_1)
                )  # fmt: skip
        table = np.array(rows)
        self._keys, self._kind = table[:, 0].copy(), table[:, 1].astype(np.intp)
        self._of = table[:, 2:].T.copy()
        self._cars = np.arange(len(routes))[:, None] * _CAR_APART

    def at(self, moments: Floats, only: int | None = None) -> Motion:
        """Return where all cars are, (cars, moments); or `only` one."""
        cars = self._cars if only is None else self._cars[only : only + 1]
        index = np.searchsorted(self._keys, (cars + moments).ravel(), "right") - 1
        index = np.maximum(index, 0).reshape(len(cars), len(moments))
        kind = self._kind[index]
        start, end, nominal_0, nominal_1, rate_0, rate_1 = (column[index] for column in self._of)
        place, speed, acceleration = self._racing(moments, start, end, nominal_0, nominal_1, rate_0, rate_1)
        standing = np.zeros(kind.shape, np.bool_)
        in_pits = kind == PITS
        if in_pits.any():
            since = (np.broadcast_to(moments, kind.shape) - start)[in_pits]
            pits, stays = self._track.pits, nominal_1[in_pits]
            moving = np.where(since > pits.before_s, np.maximum(pits.before_s, since - stays), since)
            place[in_pits] = nominal_0[in_pits] + np.interp(moving, pits.time, pits.lap)
            speed[in_pits] = np.interp(moving, pits.time, pits.speed)
            acceleration[in_pits] = np.interp(moving, pits.time, pits.acceleration)
            standing[in_pits] = (since > pits.before_s) & (since < pits.before_s + stays)
            speed[standing] = acceleration[standing] = 0.0
        gone = kind == GONE
        if gone.any():
            place[gone] = np.nan
            speed[gone] = acceleration[gone] = 0.0
        return Motion(place, speed, acceleration, kind, standing)

    def _racing(
        self, moments: Floats, start: Floats, end: Floats, nominal_0: Floats, nominal_1: Floats, rate_0: Floats, rate_1: Floats
    ) -> tuple[Floats, Floats, Floats]:  # fmt: skip
        track = self._track
        lasts = np.where(np.isfinite(end), end - start, 1.0)
        part = np.clip((moments - start) / lasts, 0.0, 1.0)
        gain, bend_0, bend_1 = nominal_1 - nominal_0, lasts * rate_0, lasts * rate_1
        cube, square = bend_0 + bend_1 - 2 * gain, 3 * gain - 2 * bend_0 - bend_1
        nominal = nominal_0 + part * (bend_0 + part * (square + part * cube))
        rate = (bend_0 + part * (2 * square + part * 3 * cube)) / lasts
        change = (2 * square + 6 * cube * part) / lasts**2
        place = track.lap_at(nominal)
        within = place - np.floor(place)
        nominal_speed = at(track.speed, within)
        speed = nominal_speed * rate
        return place, speed, at(track.acceleration, within) * rate**2 + nominal_speed * change
