"""A hub that knows one event from two pits, the main and the spare laptop, each by another name."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import httpx
import trio

from daemons.cloud import Cloud, open_cloud
from daemons.ops.authority import keys, sites
from daemons.ops.client import ADMIN_SOCKET, AdminClient
from daemons.ops.options import Address
from daemons.race.config import CloudConfig
from tests.daemons.race.field import feed, open_field
from tests.whole.hubs import change

__all__ = ["know_two_pits", "open_two_pits"]

RACES = {"main": [101], "spare": [101, 102]}


def know_two_pits(folder: Path) -> None:
    """Make the authority of a hub in `folder` that knows both."""

    def begin(conn: apsw.Connection) -> None:
        keys.init_keys(conn, time.time(), os.urandom)
        for name in RACES:
            sites.add_site(conn, name, time.time())

    change(folder, begin)


@asynccontextmanager
async def open_two_pits(folder: Path) -> AsyncIterator[tuple[Cloud, httpx.AsyncClient, AdminClient]]:
    """Run the hub of `folder`. Race 1-2 was added on the spare laptop."""
    config = CloudConfig(state_dir=folder, listen=Address("127.0.0.1", 0))
    async with open_cloud(config) as cloud, trio.open_nursery() as nursery:
        await nursery.start(cloud.run)
        for name, races in RACES.items():
            feed(cloud.members[name].site.keeper, open_field(races, Name=f"as {name} has it"))
        cloud.members.decide()
        assert cloud.front is not None
        base = f"http://127.0.0.1:{cloud.front.ports[0]}"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            yield cloud, client, AdminClient(folder / ADMIN_SOCKET)
        await cloud.stop()
        nursery.cancel_scope.cancel()
