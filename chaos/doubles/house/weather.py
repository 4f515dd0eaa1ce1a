"""Weather of a seed: any moment of any year, without going through the time before it.

A year's and a day's wave, fronts (waves of two to eleven days), and twice a winter a frost week. Roughly Denver: -1 °C in
January, 23 °C in July, and -20 °C and less in a frost week.
"""

import functools
import math
import random

__all__ = ["Weather"]

DAY_S = 86_400.0
YEAR_S = 365.2425 * DAY_S
FROST_WEEK_S = 7 * DAY_S
FROST_K = -17.0
_TURN = 2 * math.pi


class Weather:
    """Of one seed and place. `utc_offset_h`: the hours the sun goes by."""

    def __init__(self, seed: int, *, utc_offset_h: float = -7.0) -> None:
        rng = random.Random(f"{seed}/weather")
        self._seed = seed
        self._offset_s = utc_offset_h * 3600
        self._fronts = [
            (rng.uniform(1.2, 2.6), _TURN / (rng.uniform(2.1, 11) * DAY_S), rng.uniform(0, _TURN))
            for _ in range(5)
        ]
        self._clouds = [(_TURN / (rng.uniform(0.3, 4) * DAY_S), rng.uniform(0, _TURN)) for _ in range(3)]

    def outdoor(self, utc: float) -> float:
        """Return the temperature of the air, °C."""
        local = utc + self._offset_s
        year = math.cos(_TURN * (local / YEAR_S - 0.055))
        day = math.cos(_TURN * (local / DAY_S - 15.5 / 24))
        value = 11.0 - 12.0 * year + (4.0 + 3.0 * self._clear(local)) * day
        for size, pace, phase in self._fronts:
            value += size * math.sin(pace * local + phase)
        return value + self._frost(utc)

    def sun(self, utc: float) -> float:
        """Return what the sun gives a window that looks at it, W/m²."""
        local = utc + self._offset_s
        half_day_h = 6.0 - 1.45 * math.cos(_TURN * (local / YEAR_S + 0.027))
        hour = (local % DAY_S) / 3600 - 12.0
        if abs(hour) >= half_day_h:
            return 0.0
        return 420.0 * math.cos(math.pi / 2 * hour / half_day_h) * (0.15 + 0.85 * self._clear(local))

    def frost_weeks(self, utc: float) -> tuple[float, float]:
        """Return when the two frost weeks begin of the year (as 365.2425 days each) that `utc` is in."""
        return _frost_weeks(self._seed, int(utc // YEAR_S))

    def _clear(self, local: float) -> float:
        return 0.5 + sum(math.sin(pace * local + phase) for pace, phase in self._clouds) / 6

    def _frost(self, utc: float) -> float:
        for began in _frost_weeks(self._seed, int(utc // YEAR_S)):
            into = utc - began
            if 0 <= into < FROST_WEEK_S:
                return FROST_K * min(1.0, into / DAY_S, (FROST_WEEK_S - into) / DAY_S)
        return 0.0


@functools.lru_cache(maxsize=64)
def _frost_weeks(seed: int, year: int) -> tuple[float, float]:
    rng = random.Random(f"{seed}/frost/{year}")
    began = year * YEAR_S
    return began + rng.uniform(3, 50) * DAY_S, began + rng.uniform(325, 357) * DAY_S
