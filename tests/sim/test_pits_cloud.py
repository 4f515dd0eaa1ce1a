"""The world of pits and cloud itself: the same seed is the same day, in every process."""

from functools import partial

import pytest

from chaos.simnet import run_world
from tests.sim.same import traces
from tests.sim.world_whole import run_whole

pytestmark = pytest.mark.sim


def test_the_same_seed_gives_the_same_day_bit_for_bit() -> None:
    first = run_world(4, partial(run_whole, hours=0.05))
    assert {trace for _, trace in traces("whole", 4, 0.05, 1)} == {first.fingerprint}
