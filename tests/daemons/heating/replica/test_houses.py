"""A house at its nas: what is told is shown with its age, kept over restarts of both, and commands are done once."""

import pytest
import trio

from daemons.heating.history import read
from daemons.heating.look import STALE_AFTER_S
from daemons.heating.replica.publish import GATHER_S
from protocol.heating import EventKind, HeatOverride, HeatSwitch
from tests.daemons.heating.replica.farm import ANN, PLANT, SITE, Farm, run_farm, until

pytestmark = pytest.mark.sim


def test_what_a_house_tells_is_shown_with_its_age() -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas() as nas, farm.house() as house:
            look = nas.houses[SITE].look
            assert (look.state(), look.age_s(), look.house_now()) == (None, None, None)
            house.warm(living=20.41)
            await until(lambda: look.state() is not None)
            state = look.state()
            assert state is not None
            assert state.zones[0].celsius == 20.41
            assert [zone.title for zone in (look.plan() or PLANT).zones] == [
                zone.title for zone in PLANT.zones
            ]
            assert look.settings() == house.settings
            assert look.standing()["connected"] and look.standing()["capacity_days"] == 41

            await trio.sleep(GATHER_S)
            house.warm(living=20.47, kitchen=3.0)  # one flickers, one falls
            await until(lambda: (look.state() or state).zones[1].celsius == 3.0)
            assert (look.state() or state).zones[0].celsius == 20.41
            age_s = look.age_s()
            assert age_s is not None and age_s < 5.0
            await trio.sleep(2 * STALE_AFTER_S)  # control hangs, the link does well
            age_s = look.age_s()
            assert age_s is not None and age_s > STALE_AFTER_S
            assert "has not gone its round" in look.standing()["why"]

    run_farm(main)


def test_a_nas_that_was_off_shows_what_it_knew_as_old_as_it_is() -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas() as nas, farm.house() as house:
            house.warm(living=20.41)
            await until(lambda: nas.houses[SITE].look.state() is not None)
        await trio.sleep(3600)
        async with farm.nas() as nas:
            look = nas.houses[SITE].look
            state, age_s = look.state(), look.age_s()
            assert state is not None and age_s is not None
            assert state.zones[0].celsius == 20.41
            assert 3595 < age_s < 3700
            assert not look.standing()["connected"] and "heats by itself" in look.standing()["why"]
            now = look.house_now()
            assert now is not None and abs(now - farm.world.utc_now()) < 1.0

    run_farm(main)


def test_a_clock_that_is_set_back_makes_no_state_younger() -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas() as nas:
            look = nas.houses[SITE].look
            async with farm.house() as house:
                house.warm(living=20.41)
                await until(lambda: look.state() is not None)
            farm.world.skew_s["nas"] = -3600.0
            await trio.sleep(600)
            with farm.world.net.host("nas"):
                age_s = look.age_s()
            assert age_s is not None and age_s > 599
        async with farm.nas() as nas:  # and behind after a restart: nobody knows how old it is
            look = nas.houses[SITE].look
            with farm.world.net.host("nas"):
                assert look.state() is not None
                assert look.age_s() is None

    run_farm(main)


def test_events_and_samples_are_in_the_history_once_and_a_restart_is_noticed() -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas() as nas:
            look = nas.houses[SITE].look
            async with farm.house() as house:
                first = await house.happen("living")
                await house.sample()
                house.tell()
                await until(lambda: look.record.events == 1 and look.record.samples == 1)
            assert look.standing()["restarts"] == 0
            async with farm.house() as house:
                await until(lambda: nas.houses[SITE].peer.connection is not None)
                second = await house.happen("living", EventKind.OFF)
                await until(lambda: look.record.events == 2)
            told = await look.read(lambda conn, number: read.events(conn, number))
            assert [event for _, event in told] == [second, first]
            begin = int(first.at) // 60 * 60
            curve = await look.read(
                lambda conn, number: read.series(conn, number, "living", begin, begin + 300)
            )
            assert [point.celsius for point in curve.points] == [20.0, 20.01, 20.02, 20.03, 20.04]
            assert look.standing()["restarts"] == 1
            assert "daemon was started anew" in look.standing()["restarted"]

    run_farm(main)


def test_a_command_is_queued_done_once_and_answered() -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas() as nas:
            look = nas.houses[SITE].look
            action = HeatOverride("living", "until", celsius=21.5, until=farm.world.utc_now() + 7200)
            queued = await look.command(action, ANN, lifetime_s=3600, against=5)
            assert (queued["status"], queued["attempts"]) == ("QUEUED", [])
            late = await look.command(HeatSwitch(False), ANN, lifetime_s=30, against=0)
            refused = await look.command(action, ANN, lifetime_s=3600, against=9)
            await trio.sleep(60)
            async with farm.house() as house:
                house.tell()
                await until(lambda: nas.houses[SITE].desk.results.total() == 3)
                rows = await house.store.read(
                    lambda conn: list(conn.execute("SELECT action, by, against FROM done"))
                )
                assert rows == [(repr(action), "user ann", 5)]
                await until(
                    lambda: len(house.trail.rows()) == 3
                )  # decided where they were taken, audited right after
                assert [row.entry.outcome for row in house.trail.rows()] == ["done", "failed", "failed"]
            listed = {one["id"]: one for one in await look.commands()}
            assert listed[queued["id"]]["status"] == "DONE"
            assert len(listed[queued["id"]]["attempts"]) == 1
            assert listed[late["id"]]["status"] == "EXPIRED"
            assert listed[refused["id"]]["words"] == "the settings are of version 5, yours of 9"

            dead = await look.dead_letters()
            assert {one["id"] for one in dead} == {late["id"], refused["id"]}
            again = await look.requeue(refused["id"], ANN)
            assert again["replaces"] == refused["id"]
            assert (await look.drop(late["id"], ANN))["id"] == late["id"]
            assert await look.dead_letters() == []
            assert (await look.withdraw(again["id"], ANN))["withdrawn"]
            async with farm.house() as house:
                await until(lambda: nas.houses[SITE].desk.results.total() == 4)
                assert len(await house.store.read(lambda conn: list(conn.execute("SELECT * FROM done")))) in (
                    1,
                    2,
                )
            with pytest.raises(KeyError):
                await look.withdraw("nothing", ANN)

    run_farm(main)
