"""When to look."""

import random
from bisect import bisect_right

import pytest
import trio

from daemons.telemetry.capture.pace import EventPace, Phase, PhasePace


def looked(
    written: list[float], late_s: float = 0.0, seed: int = 1, hogged: float = 0.0
) -> tuple[int, list[float], int]:
    """Let a phase look at rows written at those moments, each wake-up up to `late_s` late and one in a thousand `hogged`
    seconds. Return how many looks it took, how old each row was when it was read, and how many were missed: only the
    newest two can be read."""
    phase, rng = Phase(1 / 60), random.Random(seed)
    now, at, looks, ages, missed = 0.0, 0, 0, [], 0
    while at < len(written):
        new = bisect_right(written, now) - at
        missed += max(0, new - 2)
        ages += [now - written[which] for which in range(at + max(0, new - 2), at + new)]
        at += new
        looks += 1
        wake = phase.next(now, min(new, 2))
        assert wake > now
        now = wake + rng.random() * late_s + hogged * (rng.random() < 0.001)
    return looks, ages, missed


def test_on_a_machine_that_is_on_time_two_rows_are_read_in_one_look() -> None:
    looks, ages, missed = looked([0.3 + tick / 60 for tick in range(3600)])
    assert looks < 0.6 * 3600
    assert missed == 0
    assert len(ages) == 3600
    assert max(ages[60:]) < 1.5 / 60


@pytest.mark.parametrize("rate", [59.98, 59.9, 60.02, 60.1])
def test_a_writer_whose_clock_is_off_is_followed(rate: float) -> None:
    looks, ages, missed = looked([0.3 + tick / rate for tick in range(7200)])
    assert looks < (0.75 if abs(rate - 60) < 0.05 else 1.35) * 7200
    assert missed == 0
    assert max(ages[60:]) < 2 / 60


def test_on_a_machine_that_is_late_each_row_is_looked_for_alone() -> None:
    looks, ages, missed = looked([0.3 + tick / 60 for tick in range(3600)], late_s=0.012)
    assert 3000 < looks < 1.2 * 3600
    assert missed == 0
    assert sorted(ages)[1800] < 0.012


def test_jitter_and_hogged_moments_cost_looks_but_no_rows() -> None:
    rng = random.Random(3)
    written = sorted(0.3 + tick / 60 + rng.random() * 0.004 for tick in range(7200))
    looks, ages, missed = looked(written, late_s=0.003, hogged=0.008)
    assert len(ages) + missed == 7200
    assert missed == 0
    assert looks < 3 * 7200
    assert max(ages[60:]) < 2 / 60


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

    pace = EventPace(stays_set, 1 / 60)
    began = trio.current_time()
    for _ in range(20):
        await pace.wait(0)
    assert waits == 20
    assert trio.current_time() - began >= 19 * 0.002
    began = trio.current_time()
    await pace.wait(1)
    assert waits == 21

    pace = EventPace(trio.sleep_forever, 1 / 60)
    began = trio.current_time()
    with trio.fail_after(10):
        await pace.wait(1)  # the simulator may have ended: whoever waits looks after a while
        await pace.wait(0)
    assert trio.current_time() - began > 0.49


async def test_an_event_that_cannot_be_waited_for_is_done_without() -> None:
    asked = 0

    async def unusable() -> None:
        nonlocal asked
        asked += 1
        await trio.lowlevel.checkpoint()
        raise OSError("the handle is invalid")

    pace = EventPace(unusable, 0.01)
    began = trio.current_time()
    with trio.fail_after(10):
        for _ in range(5):
            await pace.wait(1)
    assert asked == 1
    assert trio.current_time() - began >= 0.035
