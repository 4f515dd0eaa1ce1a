"""The ring of the latest log lines: bounded, readable from a number on, and one may wait for more."""

import threading

import trio
import trio.testing

from daemons.ops.logring import LogRing


def fill(ring: LogRing, count: int, level: str = "info") -> None:
    for number in range(count):
        ring.add(level, f"line {number}")


def test_reading_on_from_a_number() -> None:
    ring = LogRing()
    fill(ring, 5)
    page = ring.read(0, limit=3)
    assert [line.number for line in page.lines] == [1, 2, 3]
    assert (page.dropped, page.last) == (0, 3)
    page = ring.read(page.last)
    assert [line.text for line in page.lines] == ["line 3", "line 4"]
    assert ring.read(page.last).lines == ()


def test_the_oldest_go_and_are_counted() -> None:
    ring = LogRing(max_lines=3)
    fill(ring, 10)
    page = ring.read(2)
    assert [line.number for line in page.lines] == [8, 9, 10]
    assert page.dropped == 5
    assert (len(ring), ring.last, ring.dropped) == (3, 10, 7)
    assert ring.read(page.last).dropped == 0


def test_text_is_bounded_too() -> None:
    ring = LogRing(max_chars=100)
    for _ in range(5):
        ring.add("info", "x" * 40)
    assert len(ring) == 2
    ring.add("info", "y" * 1_000)
    assert [len(line.text) for line in ring.read().lines] == [100]


def test_less_severe_lines_are_passed_over_but_not_dropped() -> None:
    ring = LogRing()
    ring.add("debug", "a")
    ring.add("error", "b")
    ring.add("info", "c")
    page = ring.read(at_least="warning")
    assert [line.text for line in page.lines] == ["b"]
    assert (page.dropped, page.last) == (0, 3)
    assert [line.text for line in ring.tail(2).lines] == ["b", "c"]
    assert ring.tail(0).lines == ()


def test_lines_that_hold_a_text() -> None:
    ring = LogRing()
    for text in ("one abc", "two", "abc three", "four"):
        ring.add("info", text)
    ring.add("debug", "abc below")
    assert [line.text for line in ring.tail(9, holding="abc", at_least="info").lines] == [
        "one abc",
        "abc three",
    ]
    assert [line.number for line in ring.tail(1, holding="abc").lines] == [5]
    page = ring.read(1, holding="abc", at_least="info")
    assert ([line.number for line in page.lines], page.dropped, page.last) == ([3], 0, 5)


async def test_waiting_for_more_also_from_another_thread(autojump_clock: trio.testing.MockClock) -> None:
    ring = LogRing()
    ring.add("info", "first")
    await ring.wait_beyond(0)
    with trio.move_on_after(1) as scope:
        await ring.wait_beyond(1)
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ring.wait_beyond, 1)
        await trio.testing.wait_all_tasks_blocked()
        thread = threading.Thread(target=ring.add, args=("info", "second"))
        thread.start()
        await trio.testing.wait_all_tasks_blocked()
        thread.join()
    assert ring.last == 2
