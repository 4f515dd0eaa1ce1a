"""The lap that is being driven: what is known of it so far."""

from collections.abc import Mapping
from itertools import pairwise
from math import isnan
from typing import Any

import numpy as np
from attrs import asdict, define, field

from daemons.telemetry.finding.rows import Rows
from daemons.telemetry.finding.values import Flaw, FoundLap

__all__ = ["OpenLap"]

_REFUELLED_LITRES = 0.2
"""More than fuel sloshes: the tank is filled when it rises by so much."""


@define(kw_only=True)
class OpenLap:
    """`base`: the unwrapped position of its start. `crossed_s`: SessionTime of each sector's beginning so far, None where
    the crossing was not seen; so its length says which sector it is in."""

    index: int
    stint: int
    first_tick: int
    base: float
    crossed_s: list[float | None]
    number: int = -1
    last_tick: int = -1
    flaws: list[str] = field(factory=list)
    incidents: int | None = None
    fuel_first: float | None = None
    fuel_lowest: float | None = None
    is_refuelled: bool = False
    is_in_pit: bool | None = None

    def mark(self, flaw: Flaw) -> None:
        """Say that it does not count."""
        if flaw not in self.flaws:
            self.flaws.append(str(flaw))

    def take(self, rows: Rows) -> None:
        """Look at rows of it, one at least."""
        if self.is_in_pit is None:
            self.is_in_pit = bool(rows.pit[0])
            if self.is_in_pit:
                self.mark(Flaw.PIT_OUT)
        if (rows.pit & ~np.concatenate(([self.is_in_pit], rows.pit[:-1]))).any():
            self.mark(Flaw.PIT_IN)
        self.is_in_pit = bool(rows.pit[-1])
        if rows.off_track.any():
            self.mark(Flaw.OFF_TRACK)
        if rows.towed.any():
            self.mark(Flaw.TOW)
        most = int(rows.incidents.max())
        if self.incidents is not None and most > self.incidents:
            self.mark(Flaw.INCIDENT)
        self.incidents = most
        self._burn(rows)
        self.number = int(rows.lap[-1])
        self.last_tick = int(rows.ticks[-1])

    def end(self, crossed_s: float | None, sectors: int, *, is_whole: bool) -> FoundLap:
        """Return what it was. `crossed_s`: when it ended, at the line; `is_whole`: it got there."""
        flaws = list(self.flaws)
        if self.crossed_s[0] is None:
            flaws.append(Flaw.NOT_FROM_START)
        if not is_whole:
            flaws.append(Flaw.UNFINISHED)
        marks = [*self.crossed_s, crossed_s]
        times = [None if a is None or b is None else b - a for a, b in pairwise(marks)]
        if not is_whole:
            times.pop()
        started_s = self.crossed_s[0]
        first, last = self.fuel_first, self.fuel_lowest
        is_burnt = is_whole and started_s is not None and not self.is_refuelled
        return FoundLap(
            index=self.index, number=self.number, stint=self.stint, first_tick=self.first_tick, last_tick=self.last_tick,
            started_s=started_s,
            time_s=None if not is_whole or started_s is None or crossed_s is None else crossed_s - started_s,
            sectors=tuple(times) + (None,) * (sectors - len(times)),
            flaws=tuple(flaw for flaw in Flaw if flaw in flaws),
            fuel_litres=first - last if is_burnt and first is not None and last is not None else None,
        )  # fmt: skip

    def _burn(self, rows: Rows) -> None:
        lowest, highest = float(rows.fuel.min()), float(rows.fuel.max())
        if isnan(lowest):
            return
        if self.fuel_lowest is None:
            self.fuel_first = self.fuel_lowest = float(rows.fuel[0])
        if highest > self.fuel_lowest + _REFUELLED_LITRES:
            self.is_refuelled = True
        self.fuel_lowest = min(self.fuel_lowest, lowest)

    def state(self) -> dict[str, Any]:
        """Return what `from_state` takes: nothing but what CBOR holds."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "OpenLap":
        return cls(**state)
