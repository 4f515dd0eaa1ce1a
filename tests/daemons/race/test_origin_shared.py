"""Many callers, one request at a time: shared, bounded, refused in words."""

import math

import attrs
import trio
import trio.testing

from daemons.race.origin import Fetched, OriginLimits
from protocol.errors import ErrorCode
from tests.daemons.race.origins import (
    CALM,
    RACE,
    beside,
    fails,
    opened,
)


async def test_callers_of_one_path_share_one_request() -> None:
    double = opened()
    results: list[Fetched] = []
    async with beside(double) as origin:
        double.freeze()

        async def ask() -> None:
            results.append(await origin.fetch(RACE))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked(0.05)
            nursery.start_soon(ask)  # also one that comes when it is on its way
            await trio.testing.wait_all_tasks_blocked(0.05)
            double.thaw()
        assert origin.statistics().shared == 20
    assert len(results) == 21
    assert len(double.visits) == 1


async def test_the_ninth_is_busy_and_own_reads_have_their_own_line() -> None:
    double = opened()
    async with beside(double, OriginLimits(fetch_s=math.inf)) as origin, trio.open_nursery() as nursery:
        double.freeze()
        for number in range(8):
            nursery.start_soon(origin.fetch, f"/httpfiles/{number}.html")
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert origin.statistics().waiting == 7
        await fails(origin, "/current", ErrorCode.BUSY)
        assert origin.statistics().busy == 1
        nursery.start_soon(origin.own.fetch, RACE)
        await trio.testing.wait_all_tasks_blocked(0.05)
        double.thaw()
    targets = [visit.target for visit in double.visits]
    assert len(targets) == 9
    assert targets[1] == RACE  # its turn comes after the one on its way


async def test_too_large_is_said_at_once_and_read_to_its_end() -> None:
    double = opened(attrs.evolve(CALM, part_bytes=50_000, part_delay_s=0.1))
    double.tree.put(RACE, b"[" + b" " * 500_000 + b"]")
    async with beside(double, OriginLimits(body_bytes=100_000)) as origin:
        began = trio.current_time()
        assert "100000 bytes" in await fails(origin, RACE, ErrorCode.TOO_LARGE)
        assert trio.current_time() - began < 0.7  # its length is announced
        await origin.fetch("/")
        assert trio.current_time() - began > 0.9
        assert origin.statistics().too_large == 1
        assert origin.statistics().aborted_late == 0
