"""The newest samples of one car: a ring with a place for every tick, also for those that were missed."""

import math
from array import array
from collections.abc import Mapping, Sequence

from attrs import define, field

__all__ = ["CHANNELS", "SAMPLES_MAX", "Samples"]

CHANNELS = ("speed_kmh", "throttle", "brake", "steering_deg", "rpm", "gear", "position")
"""What is kept. Throttle, brake and position (on the track) are 0 to 1; steering to the left is negative."""

SAMPLES_MAX = 4096
"""More than a minute at 60 Hz, whatever else is told: the oldest go."""

BACK_S = 2.0
_MISSED = math.nan


@define(eq=False)
class Samples:
    """Columns by tick. `end`: the tick after the newest; `begin`: the oldest that is there. A tick that was missed, or a
    channel that was not told, is NaN there.

    `missed` and `seen` count since the beginning; `epoch` says how often the ticks have begun anew.
    """

    hz: float
    begin: int = field(default=0, init=False)
    end: int = field(default=0, init=False)
    missed: int = field(default=0, init=False)
    seen: int = field(default=0, init=False)
    epoch: int = field(default=0, init=False)
    _columns: dict[str, "array[float]"] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._columns = {name: array("d", [_MISSED]) * SAMPLES_MAX for name in CHANNELS}

    def add(self, first: int, columns: Mapping[str, Sequence[float]]) -> None:
        """Take samples from the tick `first` on, as many in each column. Ticks that are there already are left out.

        Ticks that lie far back are those of another session: it begins anew.
        """
        count = len(next(iter(columns.values()), ()))
        if not self.seen or first + count < self.end - BACK_S * self.hz:
            self.begin = self.end = first
            self.epoch += 1
        skip = max(0, self.end - first)
        if skip >= count:
            return
        self.missed += max(0, first - self.end)
        for tick in range(max(self.end, first - SAMPLES_MAX), first):
            for column in self._columns.values():
                column[tick % SAMPLES_MAX] = _MISSED
        for name, column in self._columns.items():
            told = columns.get(name)
            for at in range(skip, count):
                column[(first + at) % SAMPLES_MAX] = _MISSED if told is None else told[at]
        self.seen += count - skip
        self.end = first + count
        self.begin = max(self.begin, self.end - SAMPLES_MAX)

    def of(self, channel: str, begin: int, end: int) -> Sequence[float]:
        """Return a channel's values from tick `begin` to before `end`: those of them that are there."""
        begin, end = max(begin, self.begin), min(end, self.end)
        if begin >= end:
            return ()
        column, first, last = self._columns[channel], begin % SAMPLES_MAX, end % SAMPLES_MAX
        if first < last:
            return column[first:last]
        return column[first:] + column[:last]

    def newest(self, channel: str) -> float | None:
        """Return the newest value of a channel; None when the newest tick has none."""
        value = self._columns[channel][(self.end - 1) % SAMPLES_MAX] if self.seen else _MISSED
        return None if math.isnan(value) else value
