"""The link pair's world itself: the same seed is the same run, in every process."""

from functools import partial

import pytest

from chaos.simnet import run_world
from tests.sim.same import traces
from tests.sim.world_link import run_link

pytestmark = pytest.mark.sim


def test_the_same_seed_gives_the_same_run_bit_for_bit() -> None:
    seed, hours = 3, 0.15
    first = run_world(seed, partial(run_link, hours=hours))
    assert run_world(seed, partial(run_link, hours=hours)).fingerprint == first.fingerprint
    assert {trace for _, trace in traces("link", seed, hours, 2)} == {first.fingerprint}
    assert run_world(seed + 1, partial(run_link, hours=hours)).fingerprint != first.fingerprint
