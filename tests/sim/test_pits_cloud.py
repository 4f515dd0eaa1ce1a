"""Race days through pits and cloud with all that goes wrong in between: five hours, and the same ones again."""

import sys
from functools import partial

import pytest

from chaos.simnet import run_world, seeds
from tests.sim.batch import HOURS_A_RUN, Job, fresh_seed, require, run_batch
from tests.sim.world_whole import run_whole

pytestmark = pytest.mark.sim

HOURS = 5.0
FIXED = range(1, int(HOURS / HOURS_A_RUN["whole"]) + 1)


def test_a_quarter_of_an_hour_each_of_a_few_seeds() -> None:
    every = list(run_batch(Job("whole", seed, 0.25) for seed in (1, 2)))
    assert not [figures.failure for figures in every if figures.failure]


@pytest.mark.long
def test_five_hours_of_race_days_with_everything_that_goes_wrong() -> None:
    fresh = fresh_seed()
    print(f"fresh seed: {fresh}", file=sys.stderr)
    chosen = seeds(*FIXED, fresh)
    every = list(run_batch(Job("whole", seed, HOURS_A_RUN["whole"]) for seed in chosen))
    if len(chosen) == 1:  # a replay
        assert not every[0].failure, every[0].failure
        return
    assert require("whole", every).hours >= HOURS


def test_the_same_seed_gives_the_same_day_bit_for_bit() -> None:
    first = run_world(4, partial(run_whole, hours=0.05))
    assert run_world(4, partial(run_whole, hours=0.05)).fingerprint == first.fingerprint
