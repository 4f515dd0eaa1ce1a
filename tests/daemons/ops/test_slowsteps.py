"""What holds the loop is found, with the line that does it, and not told too often."""

import hashlib
import threading
import time

import pytest
import trio

from daemons.ops.slowsteps import SlowSteps


def _hold(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def _held(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if "loop.held" in r.getMessage()]


async def test_a_step_that_holds_the_loop_is_told_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    steps = SlowSteps(limit_s=0.02)
    with steps.watching():
        await trio.lowlevel.checkpoint()
        _hold(0.3)
        await trio.lowlevel.checkpoint()
        _hold(0.05)
        await trio.lowlevel.checkpoint()
    (line,) = _held(caplog)
    assert "test_slowsteps.py" in line
    assert "_hold" in line
    assert steps.steps.count >= 2
    assert not [thread for thread in threading.enumerate() if thread.name == "slow steps"]


async def test_a_step_is_told_with_the_name_of_its_task(caplog: pytest.LogCaptureFixture) -> None:
    steps = SlowSteps(limit_s=0.002, report_every_s=0.0)
    data = b"x" * 2_000

    async def hold() -> None:
        for _ in range(8_000):
            hashlib.sha512(data).digest()
        await trio.lowlevel.checkpoint()

    with steps.watching():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold, name="the one")
    assert any("the one" in line for line in _held(caplog))


async def test_waiting_is_not_holding(caplog: pytest.LogCaptureFixture) -> None:
    steps = SlowSteps(limit_s=5.0)
    with steps.watching():
        await trio.sleep(0.05)
        await trio.to_thread.run_sync(time.sleep, 0.05)
    assert steps.steps.count == 0
    assert _held(caplog) == []
