"""The worst minutes of a recorded uplink, through pits and cloud themselves. All of it: python -m bench.recorded."""

from functools import partial
from pathlib import Path

import pytest

from chaos.recording import load_recording, read_bins
from chaos.simnet import run_world
from tests.sim.recorded import FRESH_S, outages_of, run_recorded

pytestmark = pytest.mark.sim


def test_outages_of_both_directions_are_counted_from_the_part_that_is_played() -> None:
    up = read_bins("up", [9, 0, 9, 9, 9, 9, 9, 9, 9, 0, 9], "bytes per 1 s")
    down = read_bins("down", [9, 9, 9, 0, 9, 9], "bytes per 1 s")
    assert outages_of([up, down], 0, 10) == [(1, 4)]  # down's second, and up's at 9, are not over in time
    assert outages_of([up, down], 0, 15) == [(1, 4), (9, 10), (12, 13)]
    assert outages_of([up, down], 2, 15) == [(1, 2), (7, 8), (10, 11)]


def test_a_minute_and_a_half_without_an_uplink_costs_nothing_but_time(samples: Path) -> None:
    file = samples / "traces" / "mahimahi_100ms_bins.json"
    up, down = (load_recording(f"{file}#ATT-LTE-driving.{way}") for way in ("up", "down"))
    run = run_world(1, partial(run_recorded, up=up, down=down, from_s=765.0, length_s=120.0))
    found = run.value
    assert max(until - since for since, until in found.outages) > 78
    assert found.missed
    assert len(found.fresh_s) == len(found.outages)
    assert max(found.fresh_s) <= FRESH_S
    assert found.hit
    assert found.took_s(0.95) <= 1.0
