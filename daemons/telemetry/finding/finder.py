"""Finds stints, laps and sectors in the rows of one recording, batch by batch. Pure: rows in, what was found out.

Positions are unwrapped: one that falls by more than half a lap has passed the line. A lap ends when the position first
reaches the next whole number, a sector when it reaches its boundary; SessionTime of the crossing is interpolated between
the two rows. Turning round and passing the line again is no second lap. A car that is suddenly elsewhere was reset or
towed: its lap is over, and the next has no beginning.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
from attrs import asdict, define, evolve, field
from numpy.typing import NDArray

from daemons.telemetry.finding.openlap import OpenLap
from daemons.telemetry.finding.rows import CHANNELS, Rows, rows_of
from daemons.telemetry.finding.values import Facts, Flaw, FoundLap, FoundStint

__all__ = ["CHANNELS", "Finder"]

Found = list[FoundLap | FoundStint]

GAP_TICKS: Final = 3
"""Ticks from row to row past which a lap has a gap, and a crossing between the two is not timed. The simulator itself
leaves one out now and then."""
BREAK_LAPS: Final = 0.4
"""A gap in which a car can drive further than this: how many laps it was cannot be told."""
FASTEST_MS: Final = 130.0
SLACK_M: Final = 5.0
SHORTEST_M: Final = 300.0
"""Of a lap, where the length is not known: on a longer track fewer resets are noticed, none is made up."""


@define(eq=False)
class Finder:
    """`facts` may be set to newer ones between batches. `tick_rate`: ticks a second."""

    facts: Facts
    tick_rate: int = 60
    _lap: OpenLap | None = field(default=None, init=False)
    _laps: int = field(default=0, init=False)
    _stint: FoundStint | None = field(default=None, init=False)
    _stints: int = field(default=0, init=False)
    _last: tuple[int, float, float] | None = field(default=None, init=False)
    """Tick, SessionTime and unwrapped position of the last row, while they count."""
    _tick: int = field(default=-1, init=False)
    _jumped: Flaw | None = field(default=None, init=False)

    def feed(self, ticks: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> Found:
        """Take the rows that follow; `columns`: those of CHANNELS that there are, (n,). Return what ended with them.

        Rows that are not newer than the newest are left out: to feed again is harmless.
        """
        rows = rows_of(ticks, columns)
        if rows is None:
            return []
        if len(rows) and rows.ticks[0] <= self._tick:
            rows = rows.part(int(np.searchsorted(rows.ticks, self._tick, "right")), len(rows))
        found: Found = []
        for first, last in _runs(rows.in_car + 2 * rows.is_placed):
            part = rows.part(first, last)
            self._sit(part, found)
            if part.is_placed[0]:
                self._drive(part, found)
            else:
                self._leave(found)
        if len(rows):
            self._tick = int(rows.ticks[-1])
        return found

    def finish(self) -> Found:
        """Return what the recording's end ends."""
        found: Found = []
        self._leave(found)
        self._get_out(found)
        return found

    def open_stint(self) -> FoundStint | None:
        """Return the stint that goes on."""
        return self._stint

    def open_lap(self) -> FoundLap | None:
        """Return the lap that is being driven, as far as it is: without a time, and "not finished"."""
        if self._lap is None or self._lap.last_tick < 0:
            return None
        return self._lap.end(None, len(self.facts.sectors), is_whole=False)

    def pack(self) -> dict[str, Any]:
        """Return where it is, as CBOR holds it; `resume` goes on from there."""
        return {
            "lap": None if self._lap is None else self._lap.state(),
            "stint": None if self._stint is None else asdict(self._stint),
            "laps": self._laps,
            "stints": self._stints,
            "last": None if self._last is None else list(self._last),
            "tick": self._tick,
            "jumped": self._jumped,
        }

    @classmethod
    def resume(cls, facts: Facts, packed: Mapping[str, Any], tick_rate: int = 60) -> "Finder":
        """Return a finder that goes on where the one that was packed stood."""
        finder = cls(facts, tick_rate)
        lap, stint, last, jumped = (packed[name] for name in ("lap", "stint", "last", "jumped"))
        finder._lap = None if lap is None else OpenLap.from_state(lap)
        finder._stint = None if stint is None else FoundStint(**stint)
        finder._last = None if last is None else (last[0], last[1], last[2])
        finder._jumped = None if jumped is None else Flaw(jumped)
        finder._laps, finder._stints, finder._tick = packed["laps"], packed["stints"], packed["tick"]
        return finder

    def anew(self) -> "Finder":
        """Return a finder that begins behind what this one has had, and goes on with its numbers."""
        finder = Finder(self.facts, self.tick_rate)
        finder._laps, finder._stints, finder._tick = self._laps, self._stints, self._tick
        return finder

    # --- stints ----------------------------------------------------------------------------------------------------

    def _sit(self, rows: Rows, found: Found) -> None:
        if not rows.in_car[0]:
            self._get_out(found)
            return
        if self._stint is not None and self._stint.name != self.facts.name:
            self._leave(found)
            self._get_out(found)
        if self._stint is None:
            tick = int(rows.ticks[0])
            self._stint = FoundStint(
                index=self._stints,
                name=self.facts.name,
                first_tick=tick,
                last_tick=tick,
                laps=0,
                is_open=True,
            )
            self._stints += 1
            found.append(self._stint)
        self._stint = evolve(self._stint, last_tick=int(rows.ticks[-1]))

    def _get_out(self, found: Found) -> None:
        if self._stint is not None:
            self._leave(found)
            found.append(evolve(self._stint, is_open=False))
            self._stint = None

    # --- laps ------------------------------------------------------------------------------------------------------

    def _drive(self, rows: Rows, found: Found) -> None:
        """Follow a car that is on the track in all these rows."""
        steps, ticks = self._steps(rows)
        limits = (FASTEST_MS * ticks / self.tick_rate + SLACK_M) / (self.facts.length_m or SHORTEST_M)
        breaks = np.nonzero((np.abs(steps) > limits) | (limits > BREAK_LAPS) & (ticks > GAP_TICKS))[0]
        at = 0
        for index in (*breaks, len(rows)):
            if index > at:
                self._follow(rows.part(at, index), steps[at:index], ticks[at:index], found)
            if index < len(rows):
                if ticks[index] > GAP_TICKS and limits[index] > BREAK_LAPS:
                    flaw = Flaw.GAP
                else:
                    flaw = Flaw.TOW if rows.stall[index] or rows.towed[index] else Flaw.RESET
                if self._lap is not None:
                    self._lap.mark(flaw)
                self._leave(found)
                self._jumped = flaw
                steps[index], ticks[index] = 0.0, 1
            at = int(index)

    def _steps(self, rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return how far each row is from the one before, in laps and in ticks."""
        if self._last is None:
            before_at, before_tick = rows.position[0], rows.ticks[0] - 1
        else:
            before_at, before_tick = self._last[2], self._last[0]
        steps, ticks = np.empty(len(rows)), np.empty(len(rows), np.int64)
        steps[0], ticks[0] = rows.position[0] - before_at, rows.ticks[0] - before_tick
        np.subtract(rows.position[1:], rows.position[:-1], out=steps[1:])
        np.subtract(rows.ticks[1:], rows.ticks[:-1], out=ticks[1:])
        return steps - np.rint(steps), ticks

    def _follow(self, rows: Rows, steps: NDArray[np.float64], ticks: NDArray[np.int64], found: Found) -> None:
        """Follow a car that does not jump."""
        if self._last is None:
            self._last = int(rows.ticks[0]) - 1, float(rows.time_s[0]), float(rows.position[0])
            steps[0] = 0.0
        _, before_s, before_at = self._last
        at = before_at + np.cumsum(steps)
        if self._lap is None:
            lap = self._begin(float(np.floor(at[0])), int(rows.ticks[0]), None)
            at_start = at[0] - np.floor(at[0])
            passed = sum(1 for start in self.facts.sectors[1:] if start <= at_start)
            lap.crossed_s += [None] * passed
            if self._jumped is not None:
                lap.mark(self._jumped)
                self._jumped = None
        times = np.concatenate(([before_s], rows.time_s))
        places = np.concatenate(([before_at], at))
        highest = at.max()
        begun = 0
        while highest >= (goal := self._goal()):
            index = int(np.argmax(at >= goal))
            crossed_s = None
            if ticks[index] <= GAP_TICKS and places[index] < goal:
                share = (goal - places[index]) / (places[index + 1] - places[index])
                crossed_s = float(times[index] + share * (times[index + 1] - times[index]))
            assert self._lap is not None
            lap = self._lap
            if len(lap.crossed_s) < len(self.facts.sectors):
                lap.crossed_s.append(crossed_s)
                continue
            if index > begun:
                self._look(rows.part(begun, index), ticks[begun:index])
            if ticks[index] > GAP_TICKS:
                lap.mark(Flaw.GAP)
            self._end(found, crossed_s, is_whole=True)
            self._begin(goal, int(rows.ticks[index]), crossed_s)
            begun = index
        self._look(rows.part(begun, len(rows)), ticks[begun:])
        self._last = int(rows.ticks[-1]), float(rows.time_s[-1]), float(at[-1])

    def _goal(self) -> float:
        """Return the unwrapped position of the next boundary."""
        assert self._lap is not None
        sector = len(self._lap.crossed_s)
        sectors = self.facts.sectors
        return self._lap.base + (sectors[sector] if sector < len(sectors) else 1.0)

    def _look(self, rows: Rows, ticks: NDArray[np.int64]) -> None:
        assert self._lap is not None
        if (ticks > GAP_TICKS).any():
            self._lap.mark(Flaw.GAP)
        self._lap.take(rows)

    def _begin(self, base: float, tick: int, crossed_s: float | None) -> OpenLap:
        incidents = None if self._lap is None else self._lap.incidents
        stint = self._stint.index if self._stint is not None else -1
        self._lap = OpenLap(
            index=self._laps,
            stint=stint,
            first_tick=tick,
            base=base,
            crossed_s=[crossed_s],
            incidents=incidents,
        )
        self._laps += 1
        return self._lap

    def _end(self, found: Found, crossed_s: float | None, *, is_whole: bool) -> None:
        assert self._lap is not None
        lap = self._lap.end(crossed_s, len(self.facts.sectors), is_whole=is_whole)
        found.append(lap)
        if self._stint is not None and self._stint.index == lap.stint:
            self._stint = evolve(self._stint, laps=self._stint.laps + is_whole)
            found.append(self._stint)

    def _leave(self, found: Found) -> None:
        """End the lap, if there is one, where it is."""
        if self._lap is not None and self._lap.last_tick >= 0:
            self._end(found, None, is_whole=False)
        self._lap = None
        self._last = None


def _runs(keys: NDArray[Any]) -> list[tuple[int, int]]:
    """Return first and last + 1 of each run of equal keys."""
    if not len(keys):
        return []
    edges = [0, *(np.nonzero(keys[1:] != keys[:-1])[0] + 1).tolist(), len(keys)]
    return list(pairwise(edges))
