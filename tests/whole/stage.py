"""The stand-in, pits and cloud on loopback, joined as at a race; the stage of the tests of whole daemons."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import define, evolve

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks
from daemons.cloud import TOKENS_FILE, Cloud, open_cloud
from daemons.ops.environment import Environment
from daemons.ops.options import Address, Secret
from daemons.ops.tokens import Role, TokenTable
from daemons.pits import Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig

SITE = "field"


@define(eq=False)
class Stage:
    """What a test plays on. `callers` asks the cloud with an operator's token."""

    double: FPVTrackside
    pits: Pits
    cloud: Cloud
    callers: httpx.AsyncClient
    page: str

    async def origin(self, path: str, **headers: str) -> httpx.Response:
        """Ask the cloud for what the site's origin has at `path`."""
        return await self.callers.get(f"/api/sites/{SITE}/origin{path}", headers=headers)

    async def until(self, condition: Callable[[], Any], within_s: float = 15.0) -> None:
        """Wait until something holds."""
        with trio.fail_after(within_s):
            while not condition():
                await trio.sleep(0.01)

    async def connected(self) -> None:
        await self.until(lambda: self.cloud.members[SITE].site.peer.connection is not None)


@asynccontextmanager
async def open_stage(
    folder: Path,
    *,
    tree: EventTree | None = None,
    quirks: Quirks | None = None,
    pits_config: Callable[[PitsConfig], PitsConfig] = lambda config: config,
    well_mannered: bool = True,
) -> AsyncIterator[Stage]:
    """Start everything; at the end the stand-in asserts the manners of its clients."""
    environment = Environment()
    tokens = TokenTable(folder / "cloud" / TOKENS_FILE)
    site_token = tokens.add("site", Role.SITE, SITE)
    caller_token = tokens.add("caller", Role.OPERATOR, "*")
    double = FPVTrackside(tree or EventTree(), quirks, utc_now=environment.utc_now)
    async with AsyncExitStack() as stack:
        outer = await stack.enter_async_context(trio.open_nursery())
        stack.callback(outer.cancel_scope.cancel)
        if double.tree.paths():
            double.open_event()
        origin_port = await outer.start(partial(double.serve, 0))
        cloud_config = CloudConfig(state_dir=folder / "cloud", listen=Address("127.0.0.1", 0))
        cloud = await stack.enter_async_context(open_cloud(cloud_config, environment=environment))
        inner = await stack.enter_async_context(trio.open_nursery())
        stack.callback(inner.cancel_scope.cancel)
        await inner.start(cloud.run)
        assert cloud.front is not None
        port = cloud.front.ports[0]
        config = PitsConfig(
            site=SITE,
            origin_url=f"http://localhost:{origin_port}",
            cloud_url=f"ws://127.0.0.1:{port}",
            token=Secret(site_token),
            state_dir=folder / "pits",
            listen=Address("127.0.0.1", 0),
        )
        pits = await stack.enter_async_context(
            open_pits(evolve(pits_config(config)), environment=environment)
        )
        await inner.start(pits.run)
        headers = {"Authorization": f"Bearer {caller_token}"}
        page = f"http://127.0.0.1:{port}"
        callers = httpx.AsyncClient(base_url=page, headers=headers, trust_env=False, timeout=20)
        await stack.enter_async_context(callers)
        yield Stage(double, pits, cloud, callers, page)
        await cloud.stop()
        await pits.stop()
    if well_mannered:
        double.assert_well_mannered()
