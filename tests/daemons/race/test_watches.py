"""Which path is read next: priorities, gaps, hints, and what changes while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from daemons.race.fetched import Fetched
from daemons.race.watches import IDLE_GAP_S, Watch, Watches
from protocol.errors import ErrorCode, RequestError

from .field import Field

READ_S = 0.1


class Slow(Field):
    """An origin that takes a while, as one with manners does."""

    async def fetch(self, path: str, *, method: str = "GET") -> Fetched:
        await trio.sleep(READ_S)
        return await super().fetch(path, method=method)


@asynccontextmanager
async def running(day: Field, *, live: bool = False) -> AsyncIterator[Watches]:
    watches = Watches(day, live=live)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watches.run)
        yield watches
        nursery.cancel_scope.cancel()


def at(day: Field, path: str) -> list[float]:
    return [round(when, 3) for when, read in day.reads if read == path]


async def test_a_live_race_is_read_on_time_beside_a_hundred_unread_ones(autojump_clock: MockClock) -> None:
    day = Slow()
    async with running(day, live=True) as watches:
        watches.want("board", [Watch("/hot", 0.5, 0), *(Watch(f"/{i}", 600, 3) for i in range(100))])
        await trio.sleep(20)
    gaps = [later - earlier for earlier, later in zip(at(day, "/hot"), at(day, "/hot")[1:], strict=False)]
    assert max(gaps) <= 0.5 + 2 * READ_S
    assert {path for _, path in day.reads} == {"/hot", *(f"/{i}" for i in range(100))}


async def test_what_was_never_read_does_not_wait_for_the_gap_and_the_hot_one_keeps_its_turn(
    autojump_clock: MockClock,
) -> None:
    day = Slow()
    async with running(day) as watches:
        watches.want("board", [Watch("/hot", 6, 0), *(Watch(f"/{i}", 600, 3) for i in range(100))])
        await trio.sleep(100 * READ_S + 1)
        assert len({path for _, path in day.reads}) == 101
        assert len(at(day, "/hot")) == 2
        day.reads.clear()
        await trio.sleep(60)
    assert len(day.reads) <= 60 / IDLE_GAP_S + 1


async def test_a_shorter_period_counts_from_the_last_read_and_so_does_a_longer_one(
    autojump_clock: MockClock,
) -> None:
    day = Field()
    async with running(day, live=True) as watches:
        watches.want("board", [Watch("/a", 10)])
        await trio.sleep(4)
        watches.want("board", [Watch("/a", 5)])
        await trio.sleep(2)
        assert at(day, "/a") == [0, 5]
        watches.want("board", [Watch("/a", 20)])
        await trio.sleep(18)
        assert at(day, "/a") == [0, 5]
        await trio.sleep(2)
    assert at(day, "/a") == [0, 5, 25]


async def test_of_two_owners_the_more_frequent_wish_holds_until_it_goes(autojump_clock: MockClock) -> None:
    day = Field()
    async with running(day, live=True) as watches:
        watches.want("board", [Watch("/a", 10, 2)])
        watches.want("hub", [Watch("/a", 2, 0), Watch("/b", 100)])
        await trio.sleep(4.5)
        assert at(day, "/a") == [0, 2, 4]
        watches.want("hub", [])
        assert watches.paths == ["/a"]
        await trio.sleep(10)
    assert at(day, "/a") == [0, 2, 4, 14]


async def test_a_hint_looks_at_what_is_hot_only_and_at_once(autojump_clock: MockClock) -> None:
    day = Field()
    async with running(day) as watches:
        watches.want("board", [Watch("/hot", 100, 0), Watch("/cold", 100, 1)])
        await trio.sleep(7)
        watches.nudge()
        watches.nudge("/nobody watches it")
        await trio.sleep(1)
    assert at(day, "/hot") == [0, 7]
    assert at(day, "/cold") == [0]


async def test_what_is_very_late_goes_before_any_priority(autojump_clock: MockClock) -> None:
    day = Slow()
    async with running(day, live=True) as watches:
        watches.want("board", [Watch("/hot", 0.01, 0), Watch("/list", 1, 3)])
        await trio.sleep(60)
    assert len(at(day, "/list")) >= 6


async def test_an_origin_that_is_down_is_left_alone_longer_and_longer_and_found_again(
    autojump_clock: MockClock,
) -> None:
    day = Field(down=RequestError(ErrorCode.ORIGIN_DOWN, "off"))
    results: list[object] = []
    async with running(day, live=True) as watches:
        watches.observe(lambda path, result: results.append(result))
        watches.want("board", [Watch("/a", 0.5, 0)])
        await trio.sleep(30)
        assert at(day, "/a")[:4] == [0, 1, 3, 7]
        day.down = None
        await trio.sleep(6)
        assert watches.latest("/a") is not None
        assert isinstance(results[0], RequestError)
        assert isinstance(results[-1], Fetched)
