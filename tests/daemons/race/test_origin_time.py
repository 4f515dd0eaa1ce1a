"""Deadlines of callers, and a request that is never given up but by the one permitted abort."""

import attrs
import pytest
import trio
import trio.testing

from daemons.race.origin import LocalOrigin, OriginLimits, OriginState
from protocol.errors import ErrorCode
from tests.daemons.race.origins import (
    CALM,
    RACE,
    UTC_S,
    beside,
    fails,
    opened,
    state_of,
    until,
)

SHORT = OriginLimits(fetch_s=0.25, read_s=1.0)


async def test_past_its_time_the_caller_gets_timeout_and_the_answer_is_read_to_its_end() -> None:
    double = opened()
    async with beside(double, SHORT) as origin:
        double.freeze()
        began = trio.current_time()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        assert trio.current_time() - began == pytest.approx(0.25, abs=0.1)
        assert state_of(origin) is OriginState.SILENT
        assert origin.statistics().in_flight == 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(origin.fetch, RACE)  # waits; its own time counts from when it is sent
            await trio.sleep(0.4)
            assert len(double.visits) == 1
            double.thaw()
        assert state_of(origin) is OriginState.UP
        assert len(double.visits) == 2
        assert origin.statistics().aborted_late == 0
        assert origin.statistics().timeouts == 1


async def test_what_came_too_late_is_still_remembered() -> None:
    double = opened()
    limits = OriginLimits(fetch_s=0.25, read_again_after_s=(0.01, 0.02), requests_in_10_s=5000)
    async with beside(double, limits) as origin:
        double.freeze()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        double.thaw()
        await until(lambda: origin.statistics().good == 1)
        double.tree.put(RACE, b"")
        assert (await origin.fetch(RACE)).stale


async def test_the_time_of_a_fetch_holds_for_all_its_reads() -> None:
    double = opened()
    double.tree.put(RACE, b"[")
    limits = OriginLimits(fetch_s=1.0, read_again_after_s=(0.3, 1.5))
    async with beside(double, limits) as origin:
        began = trio.current_time()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        assert trio.current_time() - began < 1.75  # before the second time of reading again
        assert state_of(origin) is OriginState.UP  # it does answer
        await trio.sleep(1.0)
    assert len(double.visits) == 2


async def test_only_after_the_last_limit_is_the_answer_given_up_and_counted() -> None:
    double = opened(attrs.evolve(CALM, abort_tears_down=False))
    async with beside(double, OriginLimits(fetch_s=0.1, read_s=0.4), aborts=1) as origin:
        double.freeze()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        await until(lambda: origin.statistics().aborted_late == 1)
        assert origin.statistics().in_flight == 0
        await until(lambda: double.manners().aborted == 1)
        double.thaw()


async def test_a_slow_but_steady_answer_is_no_timeout() -> None:
    double = opened(attrs.evolve(CALM, part_bytes=10, part_delay_s=0.01))
    double.tree.put(RACE, b"[" + b" " * 200 + b"]")
    async with beside(double, OriginLimits(fetch_s=2.0)) as origin:
        await origin.fetch(RACE)


async def test_a_caller_that_goes_never_ends_the_request() -> None:
    double = opened()
    async with beside(double) as origin:
        double.freeze()
        with trio.move_on_after(0.1) as scope:
            await origin.fetch(RACE)
        assert scope.cancelled_caught
        double.thaw()
        await origin.fetch("/")
        assert origin.statistics().good == 2
        assert origin.statistics().never_sent == 0


async def test_a_caller_that_goes_while_it_waits_is_never_sent() -> None:
    double = opened()
    async with beside(double) as origin, trio.open_nursery() as nursery:
        double.freeze()
        nursery.start_soon(origin.fetch, "/")
        await trio.testing.wait_all_tasks_blocked(0.05)
        with trio.move_on_after(0.05):
            await origin.fetch(RACE)
        assert origin.statistics().never_sent == 1
        assert origin.statistics().waiting == 0
        double.thaw()
    assert [visit.target for visit in double.visits] == ["/"]


async def test_a_stop_lets_a_short_answer_end() -> None:
    double = opened(attrs.evolve(CALM, answer_delay_s=0.2))
    async with trio.open_nursery() as nursery:
        await nursery.start(double.serve)
        origin = LocalOrigin(double.url, utc_now=lambda: UTC_S)
        async with trio.open_nursery() as inner:
            await inner.start(origin.run)
            inner.start_soon(fails, origin, RACE, ErrorCode.ORIGIN_DOWN)
            await until(lambda: bool(double.visits))
            inner.cancel_scope.cancel()
        assert origin.statistics().aborted_at_stop == 0
        await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    double.assert_well_mannered(aborts=0)


async def test_a_stop_waits_a_second_and_no_longer() -> None:
    double = opened(attrs.evolve(CALM, abort_tears_down=False))
    async with trio.open_nursery() as nursery:
        await nursery.start(double.serve)
        double.freeze()
        origin = LocalOrigin(double.url, utc_now=lambda: UTC_S)
        async with trio.open_nursery() as inner:
            await inner.start(origin.run)
            inner.start_soon(origin.fetch, RACE)
            await until(lambda: bool(double.visits))
            began = trio.current_time()
            inner.cancel_scope.cancel()
        assert 0.9 < trio.current_time() - began < 1.5
        assert origin.statistics().aborted_at_stop == 1
        nursery.cancel_scope.cancel()
    double.assert_well_mannered(aborts=1)


async def test_after_a_stop_everybody_is_told() -> None:
    double = opened()
    async with beside(double) as origin:
        pass
    assert "not running" in await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)


async def test_no_second_try_past_its_time() -> None:
    double = opened()
    async with beside(double, SHORT) as origin:
        double.freeze()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        double.tear_down()
        double.thaw()
        await double.wait_listening()
        await trio.sleep(0.3)
        assert origin.statistics().sent == 1
        assert origin.statistics().retried == 0
        assert origin.statistics().unanswered == 1
