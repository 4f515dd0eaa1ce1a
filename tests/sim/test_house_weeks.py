"""The judges of the simulated house judge: what is broken on purpose they find, and the same seed is the same house.

The weeks themselves are run in `test_hours.py`, beside the other worlds.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from tests.sim.house import Job
from tests.sim.house_mutants import MUTANTS
from tests.sim.house_scenes import SCENES, run_scene
from tests.sim.house_world import ControlAlone, HouseRun

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_every_mutant_still_fits(one: object) -> None:
    for edit in one.edits:  # type: ignore[attr-defined]
        assert (ROOT / edit.file).read_text().count(edit.old) == 1, edit.old


def test_a_mutant_is_found() -> None:
    command = [sys.executable, "-m", "tests.sim.house_mutants", "--only", "fires-at-shut-valve"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "and no valve is open that has a reason" in done.stdout


@pytest.mark.parametrize("name", SCENES)
def test_scenes_in_which_a_broken_control_cannot_hide_break_no_rule_with_ours(name: str) -> None:
    run_scene(name)


def test_one_seed_is_one_run() -> None:
    def run() -> HouseRun:
        world = Job(5, "any").world()
        world.days = 0.6
        return world.run(ControlAlone(world.plant))

    first, again = run(), run()
    assert evolve(first, cpu_s=0.0) == evolve(again, cpu_s=0.0)
    assert first.events
