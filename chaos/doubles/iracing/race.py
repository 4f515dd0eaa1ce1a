"""A seeded race that was never driven, as rows of live memory: what a tick holds follows from the seed and the tick.

`Race(seed=7).row(123456)` is the same whatever was asked for before. Rows are made a second at a time, with numpy, and
the last few seconds are kept. What somebody orders (a stop, a swap of drivers, an excursion) changes what comes after.

A tick is `SessionTick`: 60 a second, 0 is the green flag. `seat` says whose computer this is: with two drivers, two races
of one seed that differ in `seat` are one team at two desks.
"""

import random
from collections import OrderedDict
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocol.irsdk import Layout

from .channels import SUB_SAMPLES
from .field import Field, Laps
from .fitting import fit
from .layouts import CARS, CARS_BEFORE, CARS_SINCE, disk_layout, full_layout, live_layout
from .player import Player, Ride
from .schedule import Entry, Route
from .sessioninfo import SessionInfo
from .sessionrows import constants, write_session
from .stints import Stints
from .timetable import Timetable
from .track import lay_track
from .truth import Truth

__all__ = ["TICKS", "Race"]

TICKS: Final = 60
"""A second; and the rows that are made at once."""

TOW_S: Final = 20.0
"""How long a tow takes, at least."""

_KEPT: Final = 8
_CHAPTER: Final = 20
"""Blocks that share one timetable."""


class Race:
    """`cars` drive, `lap_s` is what a lap of the player's car takes at nominal pace, `sectors` are 3, 5 or 7. `stint`: laps
    between the team's stops; every `swap_every`-th of them changes the driver. `car`: a key of `CARS`. `session`: 0
    practice, 1 qualifying, 2 race; cars go round in each of them. `since_2026`: with the car arrays and session info of
    builds since mid-2026; `utf8`: session info in that, as a switch of theirs has it.

    Raises ValueError for what cannot be driven.
    """

    def __init__(
        self, *, seed: int = 7, cars: int = 40, lap_s: float = 90.0, sectors: int = 3, car: str = "gt", stint: int = 12,
        stop_s: float = 9.0, drivers: int = 2, seat: int = 0, swap_every: int = 2, off_chance: float = 0.05,
        session_s: float = 86_400.0, session: int = 2, since_2026: bool = True, utf8: bool = False,
    ) -> None:  # fmt: skip
        size = CARS_SINCE if since_2026 else CARS_BEFORE
        if not 1 <= cars <= size - 1:
            raise ValueError(f"{cars} cars: 1 to {size - 1} can be in it")
        if lap_s < 10 or stint < 1 or not 0 <= seat < drivers or session not in (0, 1, 2):
            raise ValueError(
                f"a lap of {lap_s} s (10 at least), {stint} laps a stint, seat {seat} of {drivers}"
            )
        self.seed, self.car, self.cars = seed, CARS[car], cars
        self.ends: int | None = None
        self.stop_s = stop_s
        self.track = lay_track(seed, self.car, float(lap_s), sectors)
        self.layout: Layout = live_layout(self.car, size)
        self.player_index = cars // 3
        entries, kinds = self._grid(stint, stop_s, off_chance)
        self.routes = [Route(self.track, seed, entry) for entry in entries]
        self.field = Field(self.track, self.routes, kinds, [self.track.lap_s * each.pace for each in entries])
        own = self.routes[self.player_index]
        self.stints = Stints(self.track, self.car, own, drivers=drivers, swap_every=swap_every)
        self.seat, self.drivers, self.session_s, self.session = seat, drivers, session_s, session
        rng = random.Random(f"place {seed}")
        self.start_s = round(rng.uniform(40, 90), 3)
        """`SessionTime` at tick 0."""
        self.player = Player(
            self.track, self.car, seed, rng.uniform(0.2, 6.0), rng.uniform(-45, 55), rng.uniform(-120, 140)
        )
        self.tows: list[float] = []
        """When the team's car was towed, seconds."""
        self.truth = Truth(self)
        self._info = SessionInfo(self, since_2026=since_2026, utf8=utf8)
        self._template = constants(self, self.layout)
        self._blocks: OrderedDict[int, npt.NDArray[np.uint8]] = OrderedDict()
        self._timetable: tuple[int, Timetable] | None = None

    # --- rows ---

    def row(self, tick: int) -> bytes:
        """Return the row of a tick, 0 or later."""
        return bytes(self._block(tick // TICKS)[tick % TICKS])

    def rows(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """Return the rows of `count` ticks, (count, row_bytes)."""
        out = np.empty((count, self.layout.row_bytes), np.uint8)
        tick = first
        while tick < first + count:
            end = min((tick // TICKS + 1) * TICKS, first + count)
            block = self._block(tick // TICKS)
            out[tick - first : end - first] = block[tick % TICKS : tick % TICKS + end - tick]
            tick = end
        return out

    def columns(self, first: int, count: int, *names: str) -> dict[str, npt.NDArray[Any]]:
        """Return the values of channels, by name, for `count` ticks."""
        table = self.rows(first, count).view(self.layout.dtype)[:, 0]
        return {name: table[name] for name in names}

    @property
    def disk_layout(self) -> Layout:
        """What a file of this race has."""
        return disk_layout(self.car)

    def disk_rows(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """Return the rows of `count` ticks as a file has them: with latitude and longitude, without the other cars."""
        full = full_layout(self.car)
        template = constants(self, full)
        parts = [
            fit(self._made(number, template), full, self.disk_layout)
            for number in range(first // TICKS, (first + count - 1) // TICKS + 1)
        ]
        return np.concatenate(parts)[first % TICKS :][:count]

    def session_info(self, tick: int) -> bytes:
        """Return the session info as it stands at a tick."""
        return self._info.text(tick)

    def info_update(self, tick: int) -> int:
        """Return how often it has changed until then; from 1."""
        return self._info.update(tick)

    # --- orders ---

    def order_stop(self, tick: int, *, swap: bool = False) -> int:
        """Have the team's car stop at the end of this lap, or of the next where it is too late; return the lap, from 0."""
        lap = self._order_lap(tick)
        own = self.routes[self.player_index]
        own.orders.stops.add(lap)
        if swap:
            self.stints.swaps.add(lap)
        self._unmake(lap, tick)
        return lap

    def order_off(self, tick: int) -> int:
        """Have the team's car leave the track in the next lap; return that lap, from 0."""
        own = self.routes[self.player_index]
        lap = own.lap_at(tick / TICKS) + 1
        own.orders.offs.add(lap)
        self._unmake(lap, tick)
        return lap

    def order_tow(self, tick: int) -> int:
        """Have the team's car towed to its stall; return the lap that ends so, from 0. Raises ValueError where it is in the
        pits or nearly there."""
        now_s = tick / TICKS
        lap = self.routes[self.player_index].tow(now_s, TOW_S)
        self.tows.append(now_s)
        self._forget(tick)
        return lap

    def _order_lap(self, tick: int) -> int:
        own = self.routes[self.player_index]
        lap = own.lap_at(tick / TICKS)
        place = own.place_at(tick / TICKS) - lap
        turning = [cut for cut in self.track.sectors if cut < self.track.pits.first]
        return lap + (place >= turning[-1])

    def _unmake(self, lap: int, tick: int) -> None:
        self.routes[self.player_index].forget_from(lap)
        self._forget(tick)

    def _forget(self, tick: int) -> None:
        self.field.laps[self.player_index] = Laps()
        self._timetable = None
        for block in [each for each in self._blocks if each >= tick // TICKS]:
            del self._blocks[block]

    # --- making ---

    def _grid(self, stint: int, stop_s: float, off_chance: float) -> tuple[list[Entry], list[Any]]:
        rng = random.Random(f"grid {self.seed}")
        other = CARS["prototype" if self.car.kind != "prototype" else "gt"]
        quicker = 0.93 if other.top > self.car.top else 1.08
        entries, kinds = [], []
        apart = min(8.0 / self.track.length, 0.6 / self.cars)  # on a very short track not everybody has 8 m
        for index in range(self.cars):
            own = index == self.player_index
            kind = self.car if own or rng.random() < 0.7 else other
            pace = (quicker if kind is other else 1.0) * (1.0 if own else 1 + abs(rng.gauss(0, 0.02)))
            entries.append(
                Entry(
                    index=index, pace=pace, grid=-(index + 1.5) * apart,
                    stint=stint if own else max(2, stint + rng.randrange(-3, 4)), stop_s=stop_s,
                    off_chance=off_chance if own else off_chance / 2,
                    ends=None if own or rng.random() > 0.04 else rng.randrange(3, 60),
                )
            )  # fmt: skip
            kinds.append(kind)
        return entries, kinds

    def _timetable_of(self, block: int) -> Timetable:
        chapter = block // _CHAPTER
        if self._timetable is None or self._timetable[0] != chapter:
            begins = float(chapter * _CHAPTER)
            self._timetable = chapter, Timetable(self.track, self.routes, begins - 2, begins + _CHAPTER + 2)
        return self._timetable[1]

    def _block(self, number: int) -> npt.NDArray[np.uint8]:
        if number < 0:
            raise ValueError("ticks begin with 0")
        found = self._blocks.get(number)
        if found is None:
            found = self._blocks[number] = self._made(number, self._template)
            while len(self._blocks) > _KEPT:
                self._blocks.popitem(last=False)
        return found

    def _made(self, number: int, template: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
        ticks = np.arange(number * TICKS, (number + 1) * TICKS)
        moments = ticks / TICKS
        timetable = self._timetable_of(number)
        everyone = timetable.at(moments)
        rows = np.repeat(template, TICKS)
        standing = self.field.standing(everyone.place[:, 0])
        self.field.write(rows, moments, everyone, standing)
        fine = (
            np.arange(-SUB_SAMPLES, TICKS * SUB_SAMPLES - SUB_SAMPLES + 2) / SUB_SAMPLES + ticks[0]
        ) / TICKS
        own = timetable.at(np.maximum(fine, 0.0), self.player_index)
        driving = self._driving(moments)
        fuel = self.stints.fuel(moments, everyone.place[self.player_index])
        self.player.write(rows, Ride(moments, own, fuel, driving))
        write_session(self, rows, ticks, everyone, standing, driving)
        return rows.view(np.uint8).reshape(TICKS, -1)

    def _driving(self, moments: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        last = float(moments[-1])
        if self.drivers == 1:
            return np.ones(len(moments), np.bool_)
        if not any(moments[0] <= each <= last for each in self.stints.swapped(last)):
            return np.full(len(moments), self.stints.driver_at(last) == self.seat)
        return np.array([self.stints.driver_at(float(each)) == self.seat for each in moments])
