"""Telemetry on a bad line: every tick of the spool is at the backend once, and in order; the live edge is back at once."""

from functools import partial

import pytest

from chaos.simnet import run_world
from tests.sim.world_streams import run_streams

pytestmark = pytest.mark.sim


def test_every_tick_is_at_the_backend_once_whatever_happens() -> None:
    both = run_world(1, partial(run_streams, seconds=90.0, faults_an_hour=600.0, kills_an_hour=250.0)).value
    assert both.kills
    assert sum(both.given.values()) > 60 * 30
