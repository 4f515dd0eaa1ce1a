"""What people do in the house: they give warmth, cook, and draw hot water. Of a seed and the hour, nothing else."""

import functools
import random

__all__ = ["drawn_w_per_k", "people"]

DAY_S = 86_400.0
COLD_WATER = 10.0
_LITRE = 4186.0


def people(local_s: float) -> tuple[float, float]:
    """Return which share of its people's warmth a room has now, and what cooking gives the kitchen, W. `local_s`: of the
    local clock."""
    hour = (local_s % DAY_S) / 3600
    at_home = 1.0 if hour < 8 or hour >= 17 else 0.3
    return at_home, 700.0 if 17.5 <= hour < 18.5 else 0.0


def drawn_w_per_k(seed: int, local_s: float) -> float:
    """Return what is drawn of the hot water, W for each kelvin that the tank is warmer than the cold water."""
    day, second = divmod(local_s, DAY_S)
    for begins, ends, flow in _draws(seed, int(day)):
        if begins <= second < ends:
            return flow * _LITRE
    return 0.0


@functools.lru_cache(maxsize=4)
def _draws(seed: int, day: int) -> tuple[tuple[float, float, float], ...]:
    """Return the day's draws: from when to when, litres of the tank's water a second."""
    rng = random.Random(f"{seed}/draws/{day}")
    draws = []
    for hour, spread, litres in (
        (6.3, 0.4, 30),
        (7.2, 0.4, 30),
        (12.5, 1, 8),
        (18.8, 0.6, 18),
        (21.5, 1, 35),
    ):
        begins = (hour + rng.uniform(-spread, spread)) * 3600
        takes_s = litres * rng.uniform(6, 12)
        draws.append((begins, begins + takes_s, litres * rng.uniform(0.6, 1.3) / takes_s))
    if rng.random() < 0.15:  # somebody takes a bath
        draws.append((20 * 3600.0, 20 * 3600.0 + 600, 0.13))
    return tuple(draws)
