"""Behind every outage the screen is soon as fresh as it was: the shipped drills' bound, in the simulated pair.

A connection that broke, short silences that no side gave a connection up for, and one that the site did.
"""

import tomllib
from functools import partial

import pytest

from chaos.drills.drill import read_drill
from chaos.drills.record import Verdict
from chaos.simnet import run_world
from tests.sim.drillworld import run_drill, verdict_of

pytestmark = pytest.mark.sim

FRESH_S = 2.0

DRILL = f"""
name = "fresh again"
proves = "What is known is told at once."

[[steady]]
probe = "freshness_s"
at_most = 3

[[step]]
name = "reset"
at = 2.0
for = 0.5
every = 7.3
times = 4
fault = "reset_peer"

[[step]]
name = "a moment"
at = 33.0
for = 3.0
every = 10.7
times = 3
fault = "silence"

[[step]]
name = "given up"
at = 68.0
for = 12.0
fault = "half_open"
stream = "upstream"

[[recovery]]
what = "fresh"
at_most = {FRESH_S}
"""


def test_within_two_seconds_of_every_fault_the_screen_shows_what_was_read_after_it() -> None:
    told: list[str] = []
    drill = read_drill(tomllib.loads(DRILL))
    day = run_world(1, partial(run_drill, drill=drill, versions={}, tell=told.append)).value
    assert len(day.record.recoveries) == 8
    slow = {one.step: one.fresh_s for one in day.record.recoveries if (one.fresh_s or 99) > FRESH_S}
    assert (verdict_of(day), slow) == (Verdict.PASS, {}), "\n".join(told)
