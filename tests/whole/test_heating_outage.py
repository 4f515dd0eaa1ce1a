"""An hour without a link, both daemons killed meanwhile: the replica is the same in the end, nothing came twice, nothing
that expired was done. Longer ones: bench/heatoutage.py."""

from functools import partial

import pytest

from bench.heatoutage import run_outage
from chaos.simnet import run_world, seeds

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("seed", seeds(1))
def test_the_replica_is_the_same_after_an_outage(seed: int) -> None:
    found = run_world(seed, partial(run_outage, hours=1.0, kills=3)).value

    assert found["messages"] >= 12, "an hour has batches of samples"
    assert found["bytes"] < 40_000
