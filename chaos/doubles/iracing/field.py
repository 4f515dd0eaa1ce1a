"""What the car arrays of the live memory hold: every car of the race, each going its own way.

Positions and gaps are taken once a second. A lap time is shown `LATE_S` after its line, as scoring comes after the car.
"""

from bisect import bisect_right
from typing import Final

import numpy as np
import numpy.typing as npt
from attrs import define, field

from .layouts import Car
from .schedule import PITS, Route
from .timetable import Motion
from .track import Track, at

__all__ = ["LATE_S", "Field", "Laps", "Standing"]

LATE_S: Final = 0.4
SERVICIBLE: Final = 0x040000
NOT_IN_WORLD, OFF_TRACK, IN_STALL, APPROACHING, ON_TRACK = -1, 0, 1, 2, 3
ASPHALT, GRASS = 2, 16

Floats = npt.NDArray[np.float64]


@define
class Laps:
    """Laps that one car has driven: when each ended, and how long it took; grown as they are driven."""

    ends: list[float] = field(factory=list)
    times: list[float] = field(factory=list)
    _best: list[int] = field(factory=list)
    _coming: float | None = None

    def reach(self, route: Route, until_s: float) -> None:
        """Take in the laps that end by then."""
        while True:
            number = len(self.ends)
            if self._coming is None:
                self._coming = route.when(float(number + 1))
            if self._coming > until_s:
                return
            self.times.append(self._coming - (self.ends[-1] if number else route.when(0.0)))
            self.ends.append(self._coming)
            best = self._best[-1] if number else 0
            self._best.append(number if self.times[number] < self.times[best] else best)
            self._coming = None

    def count(self, now_s: float) -> int:
        """Return how many laps scoring knows of."""
        return bisect_right(self.ends, now_s - LATE_S)

    def shown(self, now_s: float) -> tuple[float, float, int]:
        """Return what scoring shows: last lap's time, the best and its number; -1 where there is none yet."""
        count = self.count(now_s)
        if not count:
            return -1.0, -1.0, -1
        best = self._best[count - 1]
        return self.times[count - 1], self.times[best], best + 1


@define
class Standing:
    """The order at a moment: for each car its position and its position in class, both from 1, and its gap in seconds."""

    position: npt.NDArray[np.int32]
    in_class: npt.NDArray[np.int32]
    gap: Floats


class Field:
    """All cars. `kinds`: what each drives; `classes`: its class's number."""

    def __init__(self, track: Track, routes: list[Route], kinds: list[Car], lap_s: list[float]) -> None:
        self.track, self.routes, self.kinds = track, routes, kinds
        self.classes = np.array([kind.class_id for kind in kinds], np.int32)
        self.laps = [Laps() for _ in routes]
        self._class_lap_s = np.array(lap_s)[:, None]
        self._lock = np.array([kind.lock for kind in kinds])[:, None]
        self._idle = np.array([kind.idle for kind in kinds])[:, None]
        self._redline = np.array([kind.redline for kind in kinds])[:, None]
        wide = max(len(kind.gears) for kind in kinds)
        self._gears = np.array(
            [(*kind.gears, *[kind.gears[-1]] * (wide - len(kind.gears))) for kind in kinds]
        )

    def standing(self, place: Floats) -> Standing:
        """Return the order for the places at one moment; who is gone is last."""
        known = np.where(np.isnan(place), -1e6, place)
        order = np.argsort(-known, kind="stable")
        position = np.empty(len(order), np.int32)
        position[order] = np.arange(1, len(order) + 1)
        in_class = np.empty_like(position)
        for each in np.unique(self.classes):
            members = order[self.classes[order] == each]
            in_class[members] = np.arange(1, len(members) + 1)
        gap = np.where(np.isnan(place), 0.0, (known[order[0]] - known) * self.track.lap_s)
        return Standing(position, in_class, gap)

    def gears(self, speed: Floats) -> tuple[npt.NDArray[np.int32], Floats]:
        """Return gear and engine speed of every car, (cars, moments): the lowest gear that does not pass 97 % of the
        redline."""
        engine = speed[:, None, :] * self._gears[:, :, None]
        fits = engine < 0.97 * self._redline[:, None]
        gear = np.where(fits.any(1), fits.argmax(1), self._gears.shape[1] - 1)
        rpm = np.take_along_axis(engine, gear[:, None, :], 1)[:, 0]
        return np.where(speed < 0.1, 0, gear + 1).astype(np.int32), np.maximum(rpm, self._idle)

    def write(self, rows: npt.NDArray[np.void], moments: Floats, motion: Motion, standing: Standing) -> None:
        """Write the arrays of all moments; places of cars that there are not stay as the template has them."""
        track, count = self.track, len(self.routes)
        gone = np.isnan(motion.place)
        place = np.where(gone, 0.0, motion.place)
        lap = np.maximum(np.floor(place).astype(np.int32) + 1, 0)
        within = place - np.floor(place)
        relative = np.where(within > 0.5, within, within + 1)
        pits = motion.kind == PITS
        road = pits & (relative >= track.pits.entry) & (relative <= track.pits.exit)
        surface = np.where(road, np.where(motion.standing, IN_STALL, APPROACHING), ON_TRACK)
        material = np.full(surface.shape, ASPHALT)
        for number, route in enumerate(self.routes):
            for driven in {int(lap[number, 0]) - 1, int(lap[number, -1]) - 1} & route.excursions.keys():
                each = route.excursions[driven]
                out = (motion.place[number] >= each.begins) & (motion.place[number] <= each.ends)
                surface[number, out], material[number, out] = OFF_TRACK, GRASS
        gear, rpm = self.gears(motion.speed)
        curvature = at(track.curvature, within)
        steer = self._lock * curvature * (1 + motion.speed**2 / 9000)

        def put(name: str, values: npt.NDArray[np.generic], absent: float = -1) -> None:
            rows[name][:, :count] = np.where(gone, absent, values).T

        put("CarIdxLap", lap)
        put("CarIdxLapCompleted", np.maximum(lap - 1, 0))
        put("CarIdxLapDistPct", np.minimum(within, 0.99999994))
        put("CarIdxTrackSurface", surface, NOT_IN_WORLD)
        put("CarIdxTrackSurfaceMaterial", material)
        put("CarIdxOnPitRoad", road, 0)
        put("CarIdxEstTime", at(track.time, within) / track.lap_s * self._class_lap_s, 0)
        put("CarIdxSteer", steer, 0)
        put("CarIdxRPM", rpm)
        put("CarIdxGear", gear)
        rows["CarIdxPosition"][:, :count] = standing.position
        rows["CarIdxClassPosition"][:, :count] = standing.in_class
        rows["CarIdxF2Time"][:, :count] = standing.gap
        self._write_laps(rows, moments)

    def _write_laps(self, rows: npt.NDArray[np.void], moments: Floats) -> None:
        names = ("CarIdxLastLapTime", "CarIdxBestLapTime", "CarIdxBestLapNum")
        first, last = float(moments[0]), float(moments[-1])
        for number, (laps, route) in enumerate(zip(self.laps, self.routes, strict=True)):
            laps.reach(route, last)
            for name, value in zip(names, laps.shown(first), strict=True):
                rows[name][:, number] = value
            ended = laps.count(last)
            if ended and laps.ends[ended - 1] > first - LATE_S:
                since = moments >= laps.ends[ended - 1] + LATE_S
                for name, value in zip(names, laps.shown(last), strict=True):
                    rows[name][since, number] = value
