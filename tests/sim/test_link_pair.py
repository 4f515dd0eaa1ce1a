"""The link pair's world itself: the same seed is the same run, in every process."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from chaos.simnet import run_world
from tests.sim.world_link import run_link

pytestmark = pytest.mark.sim

ROOT = Path(__file__).parents[2]


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
    found = re.search(r" trace ([0-9a-f]{32})", done.stdout)
    assert found, done.stdout
    return found[1]


def test_the_same_seed_gives_the_same_run_bit_for_bit() -> None:
    seed, hours = 3, 0.25
    first = run_world(seed, partial(run_link, hours=hours))
    assert run_world(seed, partial(run_link, hours=hours)).fingerprint == first.fingerprint
    assert _in_new_process(seed, hours, PYTHONHASHSEED="1") == first.fingerprint
    assert _in_new_process(seed, hours, PYTHONHASHSEED="2", PADDING="x" * 3000) == first.fingerprint
    assert run_world(seed + 1, partial(run_link, hours=hours)).fingerprint != first.fingerprint
