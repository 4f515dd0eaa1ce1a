"""The follower on the site's own watches, with a whole origin in memory."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock

from daemons.race.follow import Follower
from daemons.race.keeper import BoardKeeper
from daemons.race.paths import CURRENT, HOME
from daemons.race.watches import Watches
from protocol.errors import ErrorCode, RequestError

from . import makers as make
from .field import EVENT, PILOTS, Field, open_field, race_path, result_path

LIVE: dict[str, Any] = {"start": make.START}
DONE: dict[str, Any] = {"start": make.START, "end": make.END}


@asynccontextmanager
async def following(day: Field) -> AsyncIterator[tuple[BoardKeeper, Watches]]:
    keeper = BoardKeeper()
    watches = Watches(day)
    Follower(keeper, watches).start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watches.run)
        yield keeper, watches
        nursery.cancel_scope.cancel()


async def until(keeper: BoardKeeper, headline: str) -> float:
    """Wait until the board says `headline`; return how long it took."""
    started = trio.current_time()
    with trio.fail_after(120):
        while keeper.board["headline"] != headline:
            await keeper.wait_change(keeper.serial)
    return trio.current_time() - started


def reads_since(day: Field, start: float) -> Counter[str]:
    return Counter(path for at, path in day.reads if at >= start)


async def test_the_board_is_there_as_soon_as_the_files_are_read(autojump_clock: MockClock) -> None:
    day = open_field([101, 102])
    day.race(101, **LIVE)
    async with following(day) as (keeper, _):
        assert await until(keeper, "Race 1-1 is on") < 1.0


async def test_a_lap_of_the_live_race_is_seen_within_its_period(autojump_clock: MockClock) -> None:
    day = open_field([101, 102, 103])
    day.race(101, **LIVE)
    async with following(day) as (keeper, watches):
        await until(keeper, "Race 1-1 is on")
        assert watches.live
        await trio.sleep(5)
        start = trio.current_time()
        for laps in range(1, 20):
            day.race(101, **LIVE, flown={1: [4.0] * (laps + 1)}, target=30)
            version = keeper.version
            with trio.fail_after(0.51):
                while keeper.version == version:
                    await keeper.wait_change(keeper.serial)
            assert keeper.board["race"]["rows"][0]["laps"] == laps
            await trio.sleep(0.7)
        spent_s = trio.current_time() - start
        assert sum(reads_since(day, start).values()) / spent_s < 4.0


async def test_with_no_race_live_the_origin_is_asked_once_in_five_seconds(autojump_clock: MockClock) -> None:
    day = open_field([101, 102, 103])
    day.put(CURRENT, {"CurrentRace": make.race_id(101)})
    async with following(day) as (keeper, watches):
        await until(keeper, "Race 1-1 is next")
        await trio.sleep(30)
        start = trio.current_time()
        await trio.sleep(1200)
        reads = reads_since(day, start)
        assert sum(reads.values()) <= 1200 / 5 + 1
        assert not watches.live
        # the race that comes next most often, then what the operator selects, the rest now and then
        assert reads[race_path(101)] >= 90
        assert reads[CURRENT] >= 30
        assert set(day.files) <= set(reads)


async def test_the_start_of_a_race_is_seen_without_a_hint_within_ten_seconds(
    autojump_clock: MockClock,
) -> None:
    day = open_field([101])
    day.put(CURRENT, {"CurrentRace": make.race_id(101)})
    async with following(day) as (keeper, _):
        await until(keeper, "Race 1-1 is next")
        await trio.sleep(33)
        day.race(101, **LIVE)
        assert await until(keeper, "Race 1-1 is on") <= 10.1


async def test_without_current_a_race_that_starts_out_of_order_is_found(autojump_clock: MockClock) -> None:
    day = open_field([101, 102, 103, 104, 105, 106])
    async with following(day) as (keeper, _):
        await until(keeper, "Race 1-1 is next")
        await trio.sleep(300)
        day.race(104, **LIVE)
        assert await until(keeper, "Race 1-4 is on") < 80


async def test_a_hint_makes_the_race_be_looked_at_at_once(autojump_clock: MockClock) -> None:
    day = open_field([101])
    async with following(day) as (keeper, watches):
        await until(keeper, "Race 1-1 is next")
        await trio.sleep(33)
        day.race(101, **LIVE)
        watches.nudge()
        assert await until(keeper, "Race 1-1 is on") < 0.1


async def test_an_unknown_pilot_is_looked_up_at_once(autojump_clock: MockClock) -> None:
    day = open_field([101])
    async with following(day) as (keeper, watches):
        await until(keeper, "Race 1-1 is next")
        await trio.sleep(33)
        day.race(101, **LIVE, seats={7: 9})
        day.put(PILOTS, [make.pilot(7, "Dee")])
        watches.nudge()
        await until(keeper, "Race 1-1 is on")
        with trio.fail_after(0.1):
            while keeper.board["race"]["rows"][0]["pilot"] != "Dee":
                await keeper.wait_change(keeper.serial)


async def test_the_result_is_there_as_soon_as_it_is_written(autojump_clock: MockClock) -> None:
    day = open_field([101])
    day.race(101, **LIVE, flown={1: [4.0, 9.0], 2: [5.0]})
    async with following(day) as (keeper, _):
        await until(keeper, "Race 1-1 is on")
        day.race(101, **DONE, flown={1: [4.0, 9.0], 2: [5.0]})
        await until(keeper, "Race 1-1 is over")
        await trio.sleep(1)
        day.put(result_path(101), [make.result(2, 1), make.result(1, 2)])
        with trio.fail_after(10.1):
            while not keeper.board["race"]["official"]:
                await keeper.wait_change(keeper.serial)


async def test_a_dead_origin_is_told_of_and_found_again(autojump_clock: MockClock) -> None:
    day = open_field([101])
    day.race(101, **LIVE)
    async with following(day) as (keeper, _):
        await until(keeper, "Race 1-1 is on")
        day.down = RequestError(ErrorCode.ORIGIN_DOWN, "refused")
        await trio.sleep(10)
        fresh = keeper.freshness(trio.current_time())
        assert fresh.is_stale
        assert fresh.why == "The timing program does not answer"
        day.down = None
        await trio.sleep(6)
        fresh = keeper.freshness(trio.current_time())
        assert (fresh.is_stale, fresh.why) == (False, None)


async def test_another_event_opened_behind_a_restart_is_found_at_once(autojump_clock: MockClock) -> None:
    day = open_field([101])
    async with following(day) as (keeper, _):
        await until(keeper, "Race 1-1 is next")
        day.down = RequestError(ErrorCode.ORIGIN_DOWN, "refused")
        await trio.sleep(60)
        other = "aaaaaaaa-0000-4000-8000-00000000000f"
        day.put(HOME, make.home(other))
        day.put(EVENT.replace(make.EVENT_ID, other), [make.event([], ID=other, Name="Summer Cup")])
        day.down = None
        with trio.fail_after(12):
            while (keeper.board["event"] or {}).get("name") != "Summer Cup":
                await keeper.wait_change(keeper.serial)


async def test_a_new_race_is_found_without_a_race_to_show(autojump_clock: MockClock) -> None:
    day = open_field([])
    async with following(day) as (keeper, _):
        await until(keeper, "Waiting for the first race")
        await trio.sleep(20)
        day.race(101)
        day.put(EVENT, [make.event([make.race_id(101)])])
        assert await until(keeper, "Race 1-1 is next") < 15
