"""Several sites at one hub, and their paths clogged one by one and freed in another order: FoundationDB's best fault.

Each site has its own race day. What is clogged waits while the others go on; afterwards every site's board at the hub
must be its own, and the hub's record of each must be what that site's journal told, in order, nothing lost or doubled.
"""

import json
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import define, field

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks, RaceDay
from chaos.simnet import World, run_world, swizzle
from daemons.cloud import Cloud, open_cloud
from daemons.ops.environment import Environment
from daemons.ops.options import Address, Secret
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.pits import Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig
from protocol.codec import decode_frames
from protocol.frames import Message
from protocol.messages import decode_body, event_to_map
from tests.sim.backups import reading
from tests.sim.world_whole import CONVERGED_S, ORIGIN_PORT, PORT

pytestmark = pytest.mark.sim

SITES = ("north", "south", "west")
TURNS = 6
GAP_S = 5.0
"""Between races: nearly always one is flown."""


@define(eq=False)
class Site:
    """A site with its timing program: what its journal told, in order."""

    world: World
    name: str
    config: PitsConfig
    double: FPVTrackside = field(init=False)
    pits: Pits = field(init=False)
    races: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    told: list[object] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        quirks = Quirks(localhost_only=False, answer_delay_s=0.03)
        self.double = FPVTrackside(EventTree(), quirks, utc_now=self.world.utc_now)

    async def open(self, stack: AsyncExitStack) -> None:
        """Open its files, and listen to what its journal is told."""
        with self.world.net.host(self.name):
            self.pits = await stack.enter_async_context(
                open_pits(self.config, environment=environment(self.world, self.name), inline=True)
            )
        sender = self.pits.durable._out.outboxes["event"].sender
        appended = sender.appended

        def listen(key: int, epoch: int, first: int, rows: Sequence[tuple[int, bytes]]) -> bool:
            for _, data in rows:
                (message,) = decode_frames(data)
                assert isinstance(message, Message)
                self.told.append(event_to_map(decode_body(message.type, message.version, message.body)))
            return appended(key, epoch, first, rows)

        sender.appended = listen  # type: ignore[method-assign]

    async def start(self, nursery: trio.Nursery) -> None:
        """Let its timing program, its race day and its daemon run."""
        net, timing = self.world.net, f"timing-{self.name}"
        day = RaceDay(self.double, self.world.rng(timing).getrandbits(32), rounds=None, gap_s=GAP_S)

        async def fly() -> None:
            with self.races:
                await day.run()

        with net.host(timing):
            await nursery.start(partial(self.double.serve, ORIGIN_PORT, "0.0.0.0"))
            nursery.start_soon(fly)
        with net.host(self.name):
            await nursery.start(self.pits.run)


def environment(world: World, name: str) -> Environment:
    entropy = world.rng(f"entropy {name}")
    boot = entropy.randbytes(16).hex().encode()
    return Environment(world.utc_now, entropy.randbytes, entropy.random, lambda: boot)


def differences(cloud: Cloud, sites: list[Site]) -> list[str]:
    found = []
    for site in sites:
        member = cloud.members[site.name].site
        if member.peer.connection is None or site.pits.durable.statistics()["event"].outstanding:
            found.append(f"{site.name} has not told everything")
        elif member.keeper.board != site.pits.keeper.board:
            found.append(f"the boards of {site.name} differ")
    return found


async def race(world: World, folder: Path) -> dict[str, int]:
    net = world.net
    net.add_host("cloud")
    tokens = TokenTable(folder / "cloud" / TOKENS_FILE)
    sites = [
        Site(
            world,
            name,
            PitsConfig(
                site=name,
                origin_url=f"http://timing-{name}:{ORIGIN_PORT}",
                cloud_url=f"ws://cloud:{PORT}",
                token=Secret(tokens.add(f"site-{name}", Role.SITE, name)),
                state_dir=folder / name,
                listen=Address("0.0.0.0", 8090),
                time_zone="UTC",
            ),
        )
        for name in SITES
    ]
    async with AsyncExitStack() as stack:
        with net.host("cloud"):
            config = CloudConfig(state_dir=folder / "cloud", listen=Address("0.0.0.0", PORT))
            cloud = await stack.enter_async_context(
                open_cloud(config, environment=environment(world, "cloud"), inline=True)
            )
        for site in sites:
            net.add_host(site.name)
            await site.open(stack)
        nursery = await stack.enter_async_context(trio.open_nursery())
        with net.host("cloud"):
            await nursery.start(cloud.run)
        for site in sites:
            await site.start(nursery)
        paths = [(site.name, "cloud") for site in sites]
        rng = world.rng("swizzle")

        async def look() -> None:
            while True:
                clogged = [net.link(*pair).wire("cloud").paused for pair in paths]
                world.sometimes("one clogged, another not", any(clogged) and not all(clogged))
                world.sometimes("several clogged", sum(clogged) > 1)
                gone = [cloud.members[site.name].site.peer.connection is None for site in sites]
                world.sometimes("a link was lost, another not", any(gone) and not all(gone))
                await trio.sleep(0.5)

        nursery.start_soon(look)
        await trio.sleep(20)
        for _ in range(TURNS):
            await swizzle(net, paths, rng)
        for site in sites:
            site.races.cancel()
        left = ["nothing was compared"]
        with trio.move_on_after(CONVERGED_S):
            while left:
                await trio.sleep(1)
                left = differences(cloud, sites)
        assert not left, left
        for site in sites:
            await site.pits.stop()
        await cloud.stop()
        nursery.cancel_scope.cancel()
    with reading(folder / "cloud" / "cloud.db") as conn:
        for site in sites:
            rows = conn.execute("SELECT what FROM site_event WHERE site = ? ORDER BY id", (site.name,))
            assert [json.loads(what) for (what,) in rows] == site.told, site.name
    return {site.name: len(site.told) for site in sites}


def test_clogged_one_by_one_and_freed_in_another_order_each_site_keeps_its_own() -> None:
    async def main(world: World) -> dict[str, int]:
        with tempfile.TemporaryDirectory(prefix="pitlink-sim-") as folder:
            return await race(world, Path(folder))

    run = run_world(
        3,
        main,
        must_happen=["one clogged, another not", "several clogged", "a link was lost, another not"],
    )
    assert all(told > 3 for told in run.value.values()), run.value
