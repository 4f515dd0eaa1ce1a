"""Main and spare laptop with the same event at one hub: who shows it is chosen while it runs, and open pages follow."""

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest
import trio

from daemons.cloud import Cloud, open_cloud
from daemons.ops.authority import keys, sites
from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError
from daemons.ops.options import Address
from daemons.race.config import CloudConfig
from tests.daemons.race import makers as make
from tests.daemons.race.field import feed, open_field
from tests.whole.hubs import change

WITHIN_S = 15.0


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Cloud, httpx.AsyncClient, AdminClient]]:
    """A hub that knows the event from both sites, each by another name, and from a third that has none open."""
    config = CloudConfig(state_dir=folder, listen=Address("127.0.0.1", 0))
    async with open_cloud(config) as cloud, trio.open_nursery() as nursery:
        await nursery.start(cloud.run)
        for name in ("main", "spare"):
            feed(cloud.members[name].site.keeper, open_field([101], Name=f"as {name} has it"))
        cloud.members.decide()
        assert cloud.front is not None
        base = f"http://127.0.0.1:{cloud.front.ports[0]}"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            yield cloud, client, AdminClient(folder / ADMIN_SOCKET)
        await cloud.stop()
        nursery.cancel_scope.cancel()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def begin(conn: apsw.Connection) -> None:
        keys.init_keys(conn, time.time(), os.urandom)
        for name in ("main", "spare"):
            sites.add_site(conn, name, time.time())

    change(tmp_path, begin)
    return tmp_path


async def shown(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["board"]["event"]["name"]
    return name


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    kind = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


async def test_an_open_page_follows_what_the_organiser_chooses(folder: Path) -> None:
    async with running(folder) as (_, client, admin):
        assert await shown(client, "/api/board") == "as main has it"
        assert await shown(client, "/api/sites/spare/board") == "as main has it", (
            "any pits of the event lead to it"
        )
        names: list[str] = []
        async with client.stream("GET", "/events") as answer, trio.open_nursery() as nursery:

            async def look() -> None:
                async for kind, data in events(answer):
                    if kind == "sites":
                        assert data == {"sites": ["main"], "site": "main"}
                    if kind == "tree":
                        names.append(data["event"]["name"])
                    if kind == "patch" and "name" in data.get("event", {}):
                        names.append(data["event"]["name"])

            nursery.start_soon(look)
            for site in ("spare", "main"):
                with trio.fail_after(WITHIN_S):
                    while not names or names[-1] == f"as {site} has it":
                        await trio.sleep(0.01)
                    await admin.act("site.show", site=site)
                    while names[-1] != f"as {site} has it":
                        await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert names == ["as main has it", "as spare has it", "as main has it"]

        told = await admin.act("site.shown")
        assert told == [
            {
                "field": "main",
                "site": "main",
                "event": make.EVENT_ID,
                "pits": ["main", "spare"],
                "chosen": True,
            }
        ]
        rows = [row for row in await admin.audit(last=10) if row["action"] == "site.show"]
        assert [(row["target"], row["after"]["site"], row["before"]["site"]) for row in rows] == [
            ("spare", "spare", "main"),
            ("main", "main", "spare"),
        ]
        with pytest.raises(AdminError, match="no site"):
            await admin.act("site.show", site="hall")


async def test_a_choice_outlives_the_hub_and_can_be_taken_back(folder: Path) -> None:
    async with running(folder) as (cloud, client, admin):
        await admin.act("site.show", site="spare")
        assert await shown(client, "/api/board") == "as spare has it"
    async with running(folder) as (cloud, client, admin):
        assert await shown(client, "/api/board") == "as spare has it"
        assert await shown(client, "/api/sites/main/board") == "as spare has it"
        assert list(cloud.members.boards()) == ["main"]
        assert (await admin.act("site.shown"))[0]["chosen"]
        await admin.act("site.show.auto", site="main")
        assert not (await admin.act("site.shown"))[0]["chosen"]
        assert await shown(client, "/api/board") == "as spare has it", "no switch without a reason"
