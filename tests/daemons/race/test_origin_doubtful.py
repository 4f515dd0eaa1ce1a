"""Bodies that are empty, torn or not what was asked for: judged by what they are, never by their status."""

import attrs
import trio
import trio.testing

from chaos.doubles.fpvtrackside import Quirks
from daemons.race.origin import OriginLimits, OriginState
from protocol.canonical import digest_of
from protocol.errors import ErrorCode
from tests.daemons.race.origins import (
    CALM,
    QUICK,
    RACE,
    RESULTS,
    beside,
    fails,
    opened,
    state_of,
    until,
)


async def test_a_file_that_is_not_there_is_absent_after_three_reads_and_then_after_one() -> None:
    double = opened()
    async with beside(double) as origin:
        fetched = await origin.fetch(RESULTS)
        assert (fetched.body, fetched.absent, fetched.stale) == (b"[]", True, False)
        assert fetched.digest == digest_of(b"[]")
        times = [visit.at_s for visit in double.visits]
        assert len(times) == 3
        assert 0.9 < times[2] - times[0] < 2.0
        assert (await origin.fetch(RESULTS)).absent
        assert len(double.visits) == 4
        double.tree.put(RESULTS, b'[{"Points": 1}]')
        assert not (await origin.fetch(RESULTS)).absent
        double.tree.put(RESULTS, b"")
        emptied = await origin.fetch(RESULTS)
        assert (emptied.body, emptied.absent, emptied.stale) == (b'[{"Points": 1}]', False, True)
        assert len(double.visits) == 8
        assert (await origin.fetch(RESULTS)).stale
        assert len(double.visits) == 9
        statistics = origin.statistics()
        assert (statistics.absent, statistics.stale, statistics.empty) == (2, 2, 8)


async def test_a_file_that_comes_to_life_meanwhile_is_not_absent() -> None:
    double = opened()
    async with beside(double) as origin, trio.open_nursery() as nursery:

        async def write_after_two_reads() -> None:
            await until(lambda: len(double.visits) == 2 and not double.visits[1].is_in_flight)
            double.tree.put(RESULTS, b"[{}]")

        nursery.start_soon(write_after_two_reads)
        assert (await origin.fetch(RESULTS)).body == b"[{}]"
    assert len(double.visits) == 3


async def test_a_write_under_way_is_waited_for() -> None:
    double = opened()
    old, new = b'[{"Laps": []}]', b'[{"Laps": [1]}]'
    double.tree.put(RACE, old)
    limits = OriginLimits(requests_in_10_s=5000)
    async with beside(double, limits) as origin, trio.open_nursery() as nursery:
        await origin.fetch(RACE)
        nursery.start_soon(lambda: double.tree.write(RACE, new, torn_s=0.08))
        await trio.testing.wait_all_tasks_blocked(0.001)
        fetched = await origin.fetch(RACE)
        assert (fetched.body, fetched.stale) == (new, False)
        statistics = origin.statistics()
        assert statistics.empty + statistics.torn >= 1


async def test_a_file_that_stays_torn_is_invalid_and_never_remembered() -> None:
    double = opened()
    async with beside(double, QUICK) as origin:
        good = await origin.fetch(RACE)
        double.tree.tear(RACE, 10)
        assert "torn" in await fails(origin, RACE, ErrorCode.ORIGIN_INVALID)
        assert origin.statistics().torn == 3
        assert state_of(origin) is OriginState.UP
        double.tree.put(RACE, b"")
        assert (await origin.fetch(RACE)).body == good.body


async def test_torn_and_empty_by_turns_is_not_absent() -> None:
    double = opened()
    async with beside(double, QUICK) as origin, trio.open_nursery() as nursery:

        async def fill_half_after_two_reads() -> None:
            await until(lambda: len(double.visits) == 2 and not double.visits[1].is_in_flight)
            double.tree.put(RESULTS, b"[{")

        nursery.start_soon(fill_half_after_two_reads)
        await fails(origin, RESULTS, ErrorCode.ORIGIN_INVALID)


async def test_the_home_page_is_no_json_and_is_not_asked_for_again() -> None:
    double = opened(attrs.evolve(CALM, has_current=False))
    async with beside(double, QUICK) as origin:
        assert "home page" in await fails(origin, "/current", ErrorCode.ORIGIN_INVALID)
        assert len(double.visits) == 1
        await fails(origin, "/httpfiles/Nothing.json", ErrorCode.ORIGIN_INVALID)
        await fails(origin, "/httpfiles/nothing.js", ErrorCode.ORIGIN_INVALID)
        assert origin.statistics().invalid == 3


async def test_an_honest_404_is_an_empty_file() -> None:
    double = opened(Quirks.none())
    async with beside(double, QUICK) as origin:
        assert (await origin.fetch(RESULTS)).absent
