"""Answers that are kept: once for all who ask at once, for a while, within a bound."""

import pytest
import trio
import trio.testing

from daemons.heating.web.hot import HotAnswers


async def test_who_asks_at_the_same_time_shares_one_answer(autojump_clock: trio.testing.MockClock) -> None:
    hot, made = HotAnswers(), []

    async def make() -> bytes:
        await trio.sleep(1)
        made.append(1)
        return b"x"

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(hot.get_or_make, "a", 10.0, make)
    assert (len(made), hot.hits, hot.misses, hot.hit_rate) == (1, 4, 1, 0.8)
    await trio.sleep(9.5)
    await hot.get_or_make("a", 10.0, make)
    assert len(made) == 1
    await trio.sleep(1)
    await hot.get_or_make("a", 10.0, make)
    assert len(made) == 2


async def test_who_waits_makes_it_when_the_first_one_cannot(autojump_clock: trio.testing.MockClock) -> None:
    hot, turns = HotAnswers(), []

    async def make() -> bytes:
        turns.append(1)
        await trio.sleep(1)
        if len(turns) == 1:
            raise ValueError("no")
        return b"made"

    async def fails() -> None:
        with pytest.raises(ValueError, match="no"):
            await hot.get_or_make("a", 10.0, make)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fails)
        await trio.testing.wait_all_tasks_blocked()
        assert await hot.get_or_make("a", 10.0, make) == b"made"
    assert hot.misses == 2


async def test_it_holds_no_more_than_it_may() -> None:
    hot = HotAnswers(bytes_max=100)

    def of(length: int):  # type: ignore[no-untyped-def]
        async def make() -> bytes:
            await trio.lowlevel.checkpoint()
            return b"x" * length

        return make

    assert hot.hit_rate is None
    for key in range(50):
        await hot.get_or_make(key, 1e9, of(30))
        assert hot.size <= 100
    await hot.get_or_make("larger than all", 1e9, of(101))
    assert hot.size == 90
    misses = hot.misses
    await hot.get_or_make(47, 1e9, of(30))  # the oldest of the three that are left, and now the newest
    await hot.get_or_make("new", 1e9, of(30))
    await hot.get_or_make(47, 1e9, of(30))
    assert hot.misses == misses + 1
