"""A hundred hours of the link pair: nothing lost, nothing twice, order kept, every gap accounted for, converged."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from chaos.simnet import run_world, seeds
from tests.sim.batch import HOURS_A_RUN, Job, fresh_seed, require, run_batch
from tests.sim.world_link import run_link

pytestmark = pytest.mark.sim

ROOT = Path(__file__).parents[2]
HOURS = 100.0
FIXED = range(1, int(HOURS / HOURS_A_RUN["link"]) + 1)


def test_an_hour_each_of_a_few_seeds() -> None:
    every = list(run_batch(Job("link", seed, 1.0) for seed in (1, 2, 3, 4)))
    assert not [figures.failure for figures in every if figures.failure]


@pytest.mark.long
def test_a_hundred_hours_with_everything_that_goes_wrong() -> None:
    fresh = fresh_seed()
    print(f"fresh seed: {fresh}", file=sys.stderr)
    chosen = seeds(*FIXED, fresh)
    every = list(run_batch(Job("link", seed, HOURS_A_RUN["link"]) for seed in chosen))
    if len(chosen) == 1:  # a replay
        assert not every[0].failure, every[0].failure
        return
    assert require("link", every).hours >= HOURS


def _in_new_process(seed: int, hours: float, **environ: str) -> str:
    command = [
        sys.executable,
        "-m",
        "tests.sim",
        "--what",
        "link",
        "--seed",
        str(seed),
        "--hours",
        str(hours),
        "--one",
    ]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")} | environ
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r" h/s ([0-9a-f]{32})", done.stdout)
    assert found, done.stdout
    return found[1]


def test_the_same_seed_gives_the_same_run_bit_for_bit() -> None:
    seed, hours = 3, 0.25
    first = run_world(seed, partial(run_link, hours=hours))
    assert run_world(seed, partial(run_link, hours=hours)).fingerprint == first.fingerprint
    assert _in_new_process(seed, hours, PYTHONHASHSEED="1") == first.fingerprint
    assert _in_new_process(seed, hours, PYTHONHASHSEED="2", PADDING="x" * 3000) == first.fingerprint
    assert run_world(seed + 1, partial(run_link, hours=hours)).fingerprint != first.fingerprint
