"""Who is where, and when: each car's way through the race, as pieces of time whose ends are exact.

A piece of racing goes from one place (a sector's beginning, the pit lane's ends) to another in a time that was drawn for
it, smoothly: nominal time as a cubic of real time (Hermite), so that speed has no jump and laps and sectors last exactly
what was drawn. A piece in the pits follows the track's `PitLane`, standing at its stall for as long as the stop lasts.

Each lap's draws come from a generator of its own, named by seed, car and lap: a lap is the same however it is come to.
Seconds are counted from the start of the race; places are laps from start/finish (2.25: a quarter of the third lap).
"""

import math
import random
from bisect import bisect_left, bisect_right

import numpy as np
from attrs import define, evolve, field, frozen

from .track import Track, at

__all__ = ["GONE", "PITS", "RACING", "Entry", "Excursion", "Orders", "Piece", "Route", "Stop"]

RACING, PITS, GONE = 0, 1, 2


@frozen(kw_only=True)
class Entry:
    """A car in the race. `pace`: its lap time, of the nominal; `grid`: where it starts, laps (below 0); `stint`: laps
    between stops; `stop_s`: how long it stands; `ends`: the lap in which it drops out, or None."""

    index: int
    pace: float
    grid: float
    stint: int
    stop_s: float
    off_chance: float = 0.02
    ends: int | None = None


@define
class Orders:
    """What somebody asked for beside what was drawn, by lap (the one that is being driven, counted from 0)."""

    stops: set[int] = field(factory=set)
    offs: set[int] = field(factory=set)


@frozen
class Piece:
    """`nominal_0`, `nominal_1`: seconds at nominal speed from place 0; `rate_0`, `rate_1`: nominal seconds in a second.
    In the pits: `nominal_0` is the lap it begins in, `nominal_1` how long it stands."""

    kind: int
    start_s: float
    end_s: float
    nominal_0: float = 0.0
    nominal_1: float = 0.0
    rate_0: float = 1.0
    rate_1: float = 1.0
    place: float = -1.0
    """Where it ends, laps."""
    since_s: float | None = None
    """When it takes over, where that is not its start: a car that is towed is at its stall at once."""

    @property
    def takes_over_s(self) -> float:
        """When the car goes on by it."""
        return self.start_s if self.since_s is None else self.since_s

    def nominal_at(self, now_s: float) -> float:
        """Return the nominal seconds of a piece of racing at a moment in it."""
        lasts, gain = self.end_s - self.start_s, self.nominal_1 - self.nominal_0
        part, bend_0, bend_1 = (now_s - self.start_s) / lasts, lasts * self.rate_0, lasts * self.rate_1
        cube, square = bend_0 + bend_1 - 2 * gain, 3 * gain - 2 * bend_0 - bend_1
        return self.nominal_0 + part * (bend_0 + part * (square + part * cube))


@frozen
class Stop:
    """Seconds: `arrived_s` at the stall until `left_s`. `lap`: the lap that ends in the pits, from 0."""

    lap: int
    arrived_s: float
    left_s: float


@frozen
class Excursion:
    """Off the track between two places; `points`: what it costs, as incidents are counted."""

    lap: int
    begins: float
    ends: float
    points: int


@define
class _Lap:
    """Where a lap's making began: enough to make it again."""

    start_s: float
    place: float
    since_stop: int
    pieces: int
    stops: int


class Route:
    """One car's way, made lap by lap as far as it is asked for."""

    def __init__(self, track: Track, seed: int, entry: Entry) -> None:
        self.entry = entry
        self.orders = Orders()
        self.pieces: list[Piece] = []
        self.stops: list[Stop] = []
        self.excursions: dict[int, Excursion] = {}
        """By lap."""
        self._track = track
        self._seed = seed
        self._laps: list[_Lap] = []
        self._times: dict[float, float] = {}
        self._now_s = 0.0
        self._place = entry.grid
        self._since_stop = 0
        self._ended = False

    def reach(self, until_s: float) -> None:
        """Make it as far as `until_s`."""
        while self._now_s < until_s and not self._ended:
            self._make_lap()

    def lap_at(self, now_s: float) -> int:
        """Return the lap, from 0, that is being driven (the way to the start counts to the first)."""
        self.reach(now_s + 1)
        return max(0, bisect_right([lap.start_s for lap in self._laps], now_s) - 1)

    def place_at(self, now_s: float) -> float:
        """Return where the car is, laps; NaN when it is gone."""
        self.reach(now_s + 1)
        return self._place_in(self.pieces[self._piece_at(now_s)], now_s)

    def _piece_at(self, now_s: float) -> int:
        return max(0, bisect_right(self.pieces, now_s, key=lambda piece: piece.takes_over_s) - 1)

    def _place_in(self, piece: Piece, now_s: float) -> float:
        if piece.kind == GONE:
            return math.nan
        if piece.kind == RACING:
            return float(self._track.lap_at(np.float64(piece.nominal_at(now_s))))
        pits, since = self._track.pits, now_s - piece.start_s
        moving = max(min(since, pits.before_s), since - piece.nominal_1)
        return piece.nominal_0 + float(np.interp(moving, pits.time, pits.lap))

    def forget_from(self, lap: int) -> None:
        """Unmake this lap and what follows: its orders changed."""
        if lap >= len(self._laps):
            return
        kept = self._laps[lap]
        del self._laps[lap:], self.pieces[kept.pieces :], self.stops[kept.stops :]
        for later in [each for each in self.excursions if each >= lap]:
            del self.excursions[later]
        self._now_s, self._place, self._since_stop = kept.start_s, kept.place, kept.since_stop
        self._ended = False

    def tow(self, now_s: float, wait_s: float) -> int:
        """Have the car be at its stall from now on, served after `wait_s` at least; return its lap. Raises ValueError where
        it is in the pits or nearly there."""
        lap, place, number = self.lap_at(now_s), self.place_at(now_s), self._piece_at(now_s)
        piece, pits = self.pieces[number], self._track.pits
        if piece.kind != RACING or place >= lap + pits.first:
            raise ValueError("it is in the pits, or nearly there")
        self.forget_from(lap + 1)
        del self.pieces[number + 1 :], self.stops[self._laps[lap].stops :]
        if lap in self.excursions and self.excursions[lap].begins > place:
            del self.excursions[lap]
        self.pieces[number] = evolve(piece, place=place)
        stays_s = wait_s + max(0.0, piece.end_s - now_s) + self.entry.stop_s
        start_s = now_s - pits.before_s
        end_s = start_s + pits.moving_s + stays_s
        self.pieces.append(
            Piece(PITS, start_s, end_s, float(lap), stays_s, place=lap + pits.last, since_s=now_s)
        )
        self.stops.append(Stop(lap, now_s, now_s + stays_s))
        self._now_s, self._place, self._since_stop = end_s, lap + pits.last, 0
        return lap

    def when(self, place: float) -> float:
        """Return when it is at a place, in seconds to a nanosecond; inf when it never gets there."""
        while not self._ended and self._place < place:
            self._make_lap()
        number = bisect_left(self.pieces, place - 1e-9, key=lambda piece: piece.place)
        if number == len(self.pieces) or self.pieces[number].kind == GONE:
            return float("inf")
        piece = self.pieces[number]
        if abs(piece.place - place) < 1e-9:
            return piece.end_s
        if piece.kind == PITS:
            pits = self._track.pits
            moving = float(np.interp(place - piece.nominal_0, pits.lap, pits.time))
            stays = piece.nominal_1 if moving > pits.before_s else 0.0
            return max(piece.start_s + moving + stays, piece.takes_over_s)
        lower, upper = piece.start_s, piece.end_s
        for _ in range(60):
            middle = (lower + upper) / 2
            lower, upper = (middle, upper) if self._place_in(piece, middle) < place else (lower, middle)
        return upper

    def _make_lap(self) -> None:
        number = len(self._laps)
        entry, track = self.entry, self._track
        self._laps.append(_Lap(self._now_s, self._place, self._since_stop, len(self.pieces), len(self.stops)))
        if entry.ends is not None and number >= entry.ends:
            self.pieces.append(Piece(GONE, self._now_s, float("inf"), place=float("inf")))
            self._ended = True
            return
        rng = random.Random(f"{self._seed} {entry.index} {number}")
        lap_factor = 1 + rng.gauss(0, 0.004) + 0.0003 * self._since_stop
        lap_factor += 0.03 if number == 0 else 0.012 if self._since_stop == 0 else 0.0
        factors = [entry.pace * (lap_factor + rng.gauss(0, 0.003)) for _ in track.sectors]
        off_sector, off_draw, off_points = (
            rng.randrange(len(factors)),
            rng.random(),
            rng.choice((1, 1, 1, 2, 4)),
        )
        stays_s = entry.stop_s * rng.uniform(0.92, 1.12)
        if off_draw < entry.off_chance or number in self.orders.offs:
            factors[off_sector] *= 1.07 + 0.01 * off_points
            edges = (*track.sectors, 1.0)
            width = edges[off_sector + 1] - edges[off_sector]
            begins = number + edges[off_sector]
            self.excursions[number] = Excursion(
                number, begins + 0.35 * width, begins + 0.6 * width, off_points
            )
        stops = number in self.orders.stops or self._since_stop + 1 >= entry.stint
        end = number + (track.pits.first if stops else 1.0)
        middle_rate = 1 / (entry.pace * lap_factor)
        cuts = [
            number + sector for sector in track.sectors if self._place + 1e-9 < number + sector < end - 1e-9
        ]
        rate = 1.0 if self._since_stop == 0 and number else 1 / entry.pace
        for cut in [*cuts, end]:
            last = cut == end
            after = (1.0 if stops else 1 / entry.pace) if last else middle_rate
            self._race_to(
                cut, factors[bisect_right(track.sectors, (self._place + 1e-9) % 1.0) - 1], rate, after
            )
            rate = after
        self._since_stop += 1
        if stops:
            self._stop(number, stays_s)
            self._since_stop = 0

    def _race_to(self, place: float, factor: float, rate_0: float, rate_1: float) -> None:
        begins, ends = self._nominal(self._place), self._nominal(place)
        end_s = self._now_s + (ends - begins) * factor
        self.pieces.append(Piece(RACING, self._now_s, end_s, begins, ends, rate_0, rate_1, place))
        self._now_s, self._place = end_s, place

    def _nominal(self, place: float) -> float:
        """Return the nominal seconds from place 0; the few fractions of a lap that there are, are looked up once."""
        whole = int(place // 1)
        key = round(place - whole, 9)
        if key not in self._times:
            self._times[key] = float(at(self._track.time, np.float64(place - whole)))
        return whole * self._track.lap_s + self._times[key]

    def _stop(self, lap: int, stays_s: float) -> None:
        pits = self._track.pits
        arrived = self._now_s + pits.before_s
        self.stops.append(Stop(lap, arrived, arrived + stays_s))
        end_s = self._now_s + pits.moving_s + stays_s
        self.pieces.append(Piece(PITS, self._now_s, end_s, float(lap), stays_s, place=lap + pits.last))
        self._now_s, self._place = end_s, lap + pits.last
