"""A house that is dialled by its nas: the same link, after the nas has proven itself by the house's secret."""

import pytest
import trio

from daemons.link import reach
from daemons.link.address import HubAddress
from daemons.ops.options import Address, Secret
from daemons.pair.reacher import Reacher
from protocol.heating import HeatSwitch
from tests.daemons.heating.replica.farm import ANN, SITE, Farm, run_farm, until

SECRET = "sixteen letters at least"
DIALS = {SITE: "ws://pi:8091/reach"}
REACHED = {"nas_url": "", "reach_secret": Secret(SECRET), "listen": Address("0.0.0.0", 8091)}


def test_a_proof_is_of_one_secret_one_site_and_one_nonce() -> None:
    proof = reach.prove(SECRET, "cabin", "n1")
    assert reach.proves(proof, SECRET, "cabin", "n1")
    for secret, site, nonce in (
        (SECRET, "cabin", "n2"),
        (SECRET, "farm", "n1"),
        ("other", "cabin", "n1"),
        ("", "cabin", "n1"),
    ):
        assert not reach.proves(proof, secret, site, nonce)
    assert reach.claim_of(f'{reach.SCHEME} nonce="n1", proof="{proof}"') == ("n1", proof)
    assert reach.claim_of("Bearer x") is None
    assert reach.challenge_of(f'{reach.SCHEME} nonce="n1", site="cabin"') == ("n1", "cabin")


@pytest.mark.sim
def test_a_nas_dials_its_house_and_dials_again() -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas(dials=DIALS, reach_secret=Secret(SECRET)) as nas:
            look = nas.houses[SITE].look
            async with farm.house(**REACHED) as house:
                house.warm(living=20.41)
                await until(lambda: look.state() is not None)
                done = await look.command(HeatSwitch(False), ANN, lifetime_s=30, against=0)
                await until(lambda: nas.houses[SITE].desk.results.total() == 1)
                listed = {one["id"]: one["status"] for one in await look.commands()}
                assert listed[done["id"]] == "DONE"
                assert house.dialer is not None and house.dialer.status.status == "ready"
                assert house.trail.rows()[0].entry.action == "link.reach"

                farm.world.net.link("pi", "nas").cut()
                await until(lambda: not look.standing()["connected"], 120)
                farm.world.net.heal_all()
                await until(lambda: look.standing()["connected"], 200)
            await until(lambda: not look.standing()["connected"], 120)
            async with farm.house(**REACHED):
                await until(lambda: look.standing()["connected"], 200)

    run_farm(main)


@pytest.mark.sim
def test_who_does_not_know_the_secret_is_not_let_in() -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas(dials=DIALS, reach_secret=Secret("another secret than that")) as nas:
            async with farm.house(**REACHED) as house:
                await trio.sleep(120)
                assert nas.houses[SITE].peer.connection is None
                assert house.reach is not None and house.reach.reached == 0 and house.reach.refused > 0
                outcomes = {row.entry.outcome for row in house.trail.rows()}
                assert outcomes == {"refused"}

    run_farm(main)


@pytest.mark.sim
def test_a_proof_that_was_overheard_is_good_for_nothing() -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas() as nas, farm.house(**REACHED) as house:
            reacher = Reacher(nas.houses[SITE].peer, HubAddress.parse(DIALS[SITE]), SECRET, lambda: None)
            asked = await reacher._ask("")
            assert isinstance(asked, str)
            nonce, site = reach.challenge_of(asked) or ("", "")
            authorization = f'{reach.SCHEME} nonce="{nonce}", proof="{reach.prove(SECRET, site, nonce)}"'
            stream = await reacher._ask(authorization)
            assert not isinstance(stream, str)
            assert isinstance(await reacher._ask(authorization), str)
            await stream[0].aclose()
            assert house.reach is not None and (house.reach.reached, house.reach.refused) == (1, 1)

    run_farm(main)
