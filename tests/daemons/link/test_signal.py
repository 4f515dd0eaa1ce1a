"""A wake-up for one task: set before, set while it waits, set twice, forgotten, cancelled."""

import trio
import trio.testing

from daemons.link.signal import Signal


async def test_what_is_set_before_is_remembered_once(autojump_clock: trio.testing.MockClock) -> None:
    signal = Signal()
    signal.set()
    signal.set()
    await signal.wait()
    with trio.move_on_after(1) as scope:
        await signal.wait()
    assert scope.cancelled_caught


async def test_a_waiting_task_is_woken_once_however_often_it_is_set(
    autojump_clock: trio.testing.MockClock,
) -> None:
    signal, woken = Signal(), 0

    async def wait() -> None:
        nonlocal woken
        while True:
            await signal.wait()
            woken += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        signal.set()
        signal.set()
        await trio.testing.wait_all_tasks_blocked()
        assert woken == 1
        signal.set()
        await trio.testing.wait_all_tasks_blocked()
        assert woken == 2
        nursery.cancel_scope.cancel()


async def test_what_is_forgotten_wakes_nobody_and_who_is_cancelled_takes_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    signal = Signal()
    signal.set()
    signal.clear()
    with trio.move_on_after(1) as scope:
        await signal.wait()
    assert scope.cancelled_caught
    signal.set()
    await signal.wait()


async def test_one_that_is_about_to_end_and_the_next_are_both_woken() -> None:
    signal = Signal()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(signal.wait)
        nursery.start_soon(signal.wait)
        await trio.testing.wait_all_tasks_blocked()
        signal.set()
