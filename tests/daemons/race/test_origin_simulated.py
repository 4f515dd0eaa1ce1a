"""The origin client with its real limits, over race days and hours, on the simulated network."""

import hashlib
import math
from itertools import pairwise

import pytest
import trio

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks, RaceDay
from chaos.simnet import World, run_world
from daemons.race.origin import LocalOrigin, OriginState
from protocol.errors import ErrorCode, RequestError
from tests.daemons.race.origins import RACE, RESULTS, fails, make_tree

pytestmark = pytest.mark.sim


async def _start(world: World, nursery: trio.Nursery, double: FPVTrackside) -> LocalOrigin:
    await nursery.start(double.serve, 8080)
    origin = LocalOrigin(utc_now=world.utc_now)
    await nursery.start(origin.run)
    return origin


def test_five_seconds_then_timeout_and_thirty_then_the_one_abort() -> None:
    async def main(world: World) -> None:
        double = FPVTrackside(make_tree(), Quirks(abort_tears_down=False))
        double.open_event()
        with world.net.host("laptop"):
            async with trio.open_nursery() as nursery:
                origin = await _start(world, nursery, double)
                double.freeze()
                began = trio.current_time()
                await fails(origin, RACE, ErrorCode.TIMEOUT)
                assert trio.current_time() - began == pytest.approx(5.0, abs=0.01)
                await trio.sleep_until(began + 29.9)
                assert origin.statistics().aborted_late == 0
                assert double.manners().aborted == 0
                await trio.sleep_until(began + 30.1)
                assert origin.statistics().aborted_late == 1
                assert double.manners().aborted == 1
                double.thaw()
                await origin.fetch(RACE)
                assert origin.state is OriginState.UP
                nursery.cancel_scope.cancel()
        double.assert_well_mannered(aborts=1)

    run_world(1, main)


def test_while_no_race_is_live_it_is_one_in_five_seconds_in_the_long_run() -> None:
    async def main(world: World) -> None:
        double = FPVTrackside(make_tree())
        double.open_event()
        with world.net.host("laptop"):
            async with trio.open_nursery() as nursery:
                origin = await _start(world, nursery, double)
                with trio.move_on_after(3600):
                    while True:
                        await origin.fetch(RACE)
                nursery.cancel_scope.cancel()
        assert len(double.visits) == pytest.approx(120 + 720, abs=2)
        late = [visit.at_s for visit in double.visits if visit.at_s > 200]
        assert min(b - a for a, b in pairwise(late)) > 4.99
        double.assert_well_mannered(aborts=1)

    run_world(1, main)


def test_a_whole_event_is_read_in_seconds_at_first() -> None:
    async def main(world: World) -> float:
        tree = make_tree()
        paths = [f"/events/e/{number}/Race.json" for number in range(60)]
        for path in paths:
            tree.add_missing([(path, b"[{}]")])
        double = FPVTrackside(tree)
        double.open_event()
        with world.net.host("laptop"):
            async with trio.open_nursery() as nursery:
                origin = await _start(world, nursery, double)
                began = trio.current_time()
                for path in paths:
                    await origin.fetch(path)
                nursery.cancel_scope.cancel()
                return trio.current_time() - began

    assert run_world(1, main).value < 20.0


def test_a_file_that_is_absent_costs_two_seconds_once() -> None:
    async def main(world: World) -> None:
        double = FPVTrackside(make_tree())
        double.open_event()
        with world.net.host("laptop"):
            async with trio.open_nursery() as nursery:
                origin = await _start(world, nursery, double)
                began = trio.current_time()
                assert (await origin.fetch(RESULTS)).absent
                assert trio.current_time() - began < 2.0
                nursery.cancel_scope.cancel()
        assert len(double.visits) == 3

    run_world(1, main)


async def _race_day(world: World) -> int:
    """Watch some races at full pace, with impatient callers beside; return how many different bodies came."""
    with world.net.host("laptop"):
        tree = EventTree()
        double = FPVTrackside(tree, Quirks(torn_write_s=0.3, sharing_violation=world.seed % 2 == 0))
        day = RaceDay(double, world.seed, rounds=None)
        rng = world.rng("callers")
        seen: set[str] = set()
        failures: set[ErrorCode] = set()

        async def watch(origin: LocalOrigin) -> None:
            while True:
                race = double.live_race or double.current_race
                origin.race_is_live = double.live_race is not None
                if race is None:
                    await trio.sleep(1.0)
                    continue
                try:
                    fetched = await origin.own.fetch(f"/events/{double.event_id}/{race}/Race.json")
                except RequestError as exc:
                    failures.add(exc.code)
                else:
                    seen.add(hashlib.sha256(fetched.body).hexdigest())
                    world.sometimes("stale", fetched.stale)
                await trio.sleep(0.3)

        async def call(origin: LocalOrigin) -> None:
            while True:
                path = rng.choice([file for file in tree.paths() if file.startswith("events/")] or ["x"])
                with trio.move_on_after(rng.choice([0.01, 0.5, math.inf])) as scope:
                    try:
                        await origin.fetch(f"/{path}")
                    except RequestError as exc:
                        world.sometimes(str(exc.code))
                world.sometimes("gone", scope.cancelled_caught)
                await trio.sleep(rng.random() * 2)

        async with trio.open_nursery() as nursery:
            origin = await _start(world, nursery, double)
            nursery.start_soon(day.run)
            nursery.start_soon(watch, origin)
            for _ in range(16):
                nursery.start_soon(call, origin)
            await trio.sleep(200)
            statistics = origin.statistics()
            nursery.cancel_scope.cancel()
        double.assert_well_mannered(aborts=1)  # the one that the end may cut off
        assert statistics.aborted_late == 0
        assert failures <= {ErrorCode.ORIGIN_INVALID, ErrorCode.ORIGIN_DOWN}
        world.sometimes("never sent", statistics.never_sent > 0)
        world.sometimes("shared", statistics.shared > 0)
        world.sometimes("busy", statistics.busy > 0)
        world.sometimes("torn", statistics.torn > 0)
        world.sometimes("empty", statistics.empty > 0)
        world.sometimes("retried", statistics.retried > 0)
        written = {write.sha256 for write in tree.writes}
        assert seen <= written  # not one that was ever torn
        return len(seen)


def test_a_race_day_with_impatient_callers() -> None:
    torn = run_world(1, _race_day, must_happen=["gone", "never sent", "shared", "busy", "torn", "empty"])
    assert torn.value > 15
    clash = run_world(2, _race_day, must_happen=["gone", "never sent", "shared", "retried"])
    assert clash.value > 15
    assert run_world(2, _race_day).fingerprint == clash.fingerprint
