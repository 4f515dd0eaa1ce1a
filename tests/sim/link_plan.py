"""What a seed draws for the link's world: how much goes wrong, and the bounds of the outbox."""

import random

from attrs import frozen

from chaos.simnet import Conditions
from daemons.link.outbox import Keep
from protocol.reliable import Bounds, Full

__all__ = ["Plan"]


@frozen
class Plan:
    """What a seed draws: rates an hour, the bounds of the site's outbox, the path."""

    faults: float
    kills: float
    chosen_kill: float  # probability, of each message and place
    stops: float
    restore: float  # probability, of each start
    commands_a_s: float
    poison: float
    keep: Keep
    bounds: Bounds
    conditions: Conditions

    @staticmethod
    def draw(rng: random.Random) -> "Plan":
        """Draw one."""
        small = Bounds(rng.randint(5, 60), 64 * 1024, rng.choice([None, 30.0]), Full.DROP_OLDEST)
        return Plan(
            faults=rng.choice([10, 30, 90]),
            kills=rng.choice([0.5, 2, 6]),
            chosen_kill=rng.choice([1, 3]) / 3600,
            stops=rng.choice([0.5, 2]),
            restore=rng.choice([0.0, 0.2, 0.4]),
            commands_a_s=rng.choice([0.02, 0.1]),
            poison=0.001,
            keep=rng.choice([Keep(), Keep(600.0, 64 * 1024)]),
            bounds=rng.choice([Bounds(), small]),
            conditions=Conditions(
                latency_s=rng.choice([0.002, 0.02, 0.1, 0.3]), jitter_s=rng.choice([0.0, 0.002]), split=0.02
            ),
        )
