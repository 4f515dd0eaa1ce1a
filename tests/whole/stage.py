"""The stand-in, pits and cloud on loopback, joined as at a race; the stage of the tests of whole daemons."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import define

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks
from daemons.cloud import Cloud, open_cloud
from daemons.commands.inside import open_fragile
from daemons.ops.environment import Environment
from daemons.ops.options import Address, Secret
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.pits import Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig

SITE = "field"


@define(eq=False)
class Stage:
    """What a test plays on. `callers` asks the cloud with an operator's token."""

    double: FPVTrackside
    cloud: Cloud
    callers: httpx.AsyncClient
    page: str
    nursery: trio.Nursery
    pits_config: PitsConfig
    environment: Environment
    open_pits: Callable[..., AbstractAsyncContextManager[Pits]] = open_pits
    _pits: Pits | None = None
    _pits_scope: trio.CancelScope | None = None
    _pits_over: trio.Event | None = None

    @property
    def pits(self) -> Pits:
        """The pits that run, or ran last."""
        assert self._pits is not None
        return self._pits

    async def start_pits(self) -> None:
        """Start pits, a first time or again, on the same state folder."""
        await self.nursery.start(self._run_pits)

    async def _run_pits(self, *, task_status: trio.TaskStatus[object]) -> None:
        self._pits_over = trio.Event()
        try:
            with trio.CancelScope() as self._pits_scope:
                async with self.open_pits(self.pits_config, environment=self.environment) as self._pits:
                    await self._pits.run(task_status=task_status)
        finally:
            self._pits_over.set()

    async def stop_pits(self) -> None:
        """End pits in order, and wait until the cloud has noticed."""
        assert self._pits_scope is not None and self._pits_over is not None
        await self.pits.stop()
        self._pits_scope.cancel(reason="the test stops pits")
        await self._pits_over.wait()
        await self.until(lambda: self.cloud.members[SITE].site.peer.connection is None)

    async def command(self, **action: Any) -> str:
        """Issue a command by the cloud's API; return its id."""
        answer = await self.callers.post(f"/api/sites/{SITE}/commands", json=action)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def result_of(self, id_: str) -> dict[str, Any]:
        """Wait for the site's result of a command."""
        with trio.fail_after(15):
            while True:
                listed = (await self.callers.get(f"/api/sites/{SITE}/commands")).json()
                found: dict[str, Any] = next(row for row in listed if row["id"] == id_)
                if found["decided_at"] is not None:
                    return found
                await trio.sleep(0.02)

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
    fragile: bool = False,
) -> AsyncIterator[Stage]:
    """Start everything; at the end the stand-in asserts the manners of its clients. `fragile`: with faults allowed."""
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
        open_hub = partial(open_fragile, "hub", open_cloud) if fragile else open_cloud
        cloud = await stack.enter_async_context(open_hub(cloud_config, environment=environment))
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
        headers = {"Authorization": f"Bearer {caller_token}"}
        page = f"http://127.0.0.1:{port}"
        callers = httpx.AsyncClient(base_url=page, headers=headers, trust_env=False, timeout=20)
        await stack.enter_async_context(callers)
        stage = Stage(double, cloud, callers, page, inner, pits_config(config), environment)
        if fragile:
            stage.open_pits = partial(open_fragile, "site", open_pits)
        await stage.start_pits()
        yield stage
        await cloud.stop()
        await stage.pits.stop()
    if well_mannered:
        double.assert_well_mannered()
