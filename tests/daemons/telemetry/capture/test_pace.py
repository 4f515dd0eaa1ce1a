"""When to look."""

import random

import pytest
import trio

from daemons.telemetry.capture.pace import EventPace, Phase, PhasePace


def looked(written: list[float], late_s: float = 0.0, seed: int = 1) -> tuple[int, list[float]]:
    """Let a phase look at rows written at those moments, each wake-up up to `late_s` late. Return how many looks it
    took and how old each row was when it was first seen."""
    phase, rng = Phase(1 / 60), random.Random(seed)
    now, at, looks, ages = 0.0, 0, 0, []
    while at < len(written):
        new = 0
        while at < len(written) and written[at] <= now:
            ages.append(now - written[at])
            at += 1
            new += 1
        looks += 1
        wake = phase.next(now, new)
        assert wake > now
        now = wake + rng.random() * late_s
    return looks, ages


def test_one_look_a_tick_finds_rows_below_a_millisecond_old() -> None:
    looks, ages = looked([0.3 + tick / 60 for tick in range(3600)])
    assert looks < 1.15 * 3600
    ages = sorted(ages[60:])
    assert ages[len(ages) // 2] < 0.001
    assert ages[-1] < 0.0015


@pytest.mark.parametrize("rate", [59.9, 60.1])
def test_a_writer_whose_clock_is_off_is_followed(rate: float) -> None:
    looks, ages = looked([0.3 + tick / rate for tick in range(3600)])
    assert looks < 1.35 * 3600
    assert sorted(ages)[-60] < 0.002


def test_jitter_and_late_wake_ups_cost_looks_but_no_rows() -> None:
    rng = random.Random(3)
    written = sorted(0.3 + tick / 60 + rng.random() * 0.004 for tick in range(3600))
    looks, ages = looked(written, late_s=0.005)
    assert len(ages) == 3600
    assert looks < 3 * 3600
    assert max(ages[60:]) < 1.5 / 60  # nothing is overwritten before it is seen


def test_a_writer_that_stands_still_is_asked_ever_less_and_found_again() -> None:
    phase = Phase(1 / 60)
    now = phase.next(0.0, 1)
    looks = 0
    while now < 60.0:
        now = phase.next(now, 0)
        looks += 1
    assert looks < 22 * 60
    first = phase.next(now, 1)
    assert first - now == pytest.approx(1 / 60, abs=0.001)


async def test_phase_pace_sleeps_to_the_next_row() -> None:
    began = trio.current_time()
    with trio.fail_after(5):
        await PhasePace(0.02).wait(1)
    assert trio.current_time() - began >= 0.019


async def test_event_pace_waits_for_the_event_and_not_in_circles() -> None:
    waits = 0

    async def stays_set() -> None:
        nonlocal waits
        waits += 1
        await trio.lowlevel.checkpoint()

    pace = EventPace(stays_set)
    began = trio.current_time()
    for _ in range(20):
        await pace.wait(0)
    assert waits == 20
    assert trio.current_time() - began >= 19 * 0.002
    began = trio.current_time()
    await pace.wait(1)
    assert waits == 21

    pace = EventPace(trio.sleep_forever)
    began = trio.current_time()
    with trio.fail_after(10):
        await pace.wait(1)  # the simulator may have ended: whoever waits looks after a while
        await pace.wait(0)
    assert trio.current_time() - began > 0.49
