"""The world of pits and cloud itself: the same seed is the same day."""

from functools import partial

import pytest

from chaos.simnet import run_world
from tests.sim.world_whole import run_whole

pytestmark = pytest.mark.sim


def test_the_same_seed_gives_the_same_day_bit_for_bit() -> None:
    first = run_world(4, partial(run_whole, hours=0.05))
    assert run_world(4, partial(run_whole, hours=0.05)).fingerprint == first.fingerprint
