"""What ends by itself: when its time is over, earlier when it is ended, never when something stays in its place."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from daemons.ops.lapses import Lapses


@pytest.fixture
async def lapses():  # type: ignore[no-untyped-def]
    made = Lapses(lambda: 1_000_000.0 + trio.current_time())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        yield made
        nursery.cancel_scope.cancel()


async def test_each_ends_at_its_time(autojump_clock: MockClock, lapses: Lapses) -> None:
    began, ended = trio.current_time(), list[tuple[str, float]]()
    for name, for_s in (("late", 300.0), ("soon", 1.0), ("between", 60.0)):
        lapses.begin(name, for_s, lambda name=name: ended.append((name, trio.current_time() - began)))  # type: ignore[misc]
    assert lapses.until("late") == pytest.approx(1_000_000.0 + began + 300)
    await trio.sleep(400)
    assert ended == [("soon", 1.0), ("between", 60.0), ("late", 300.0)]
    assert lapses.until("late") is None


async def test_what_is_in_its_place_counts(autojump_clock: MockClock, lapses: Lapses) -> None:
    ended: list[str] = []
    lapses.begin("a", 5, lambda: ended.append("first"))
    lapses.begin("a", 50, lambda: ended.append("second"))
    lapses.begin("b", 5, lambda: ended.append("b"))
    await wait_all_tasks_blocked()
    lapses.forget("b")
    assert lapses.end_now("a") and not lapses.end_now("a")
    await trio.sleep(100)
    assert ended == ["second"]
