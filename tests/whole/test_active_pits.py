"""Main and spare laptop with the same event at one hub: who shows it is chosen while it runs, and open pages follow."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from daemons.ops.client import AdminError
from tests.daemons.race import makers as make
from tests.whole.twopits import know_two_pits, open_two_pits

WITHIN_S = 15.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    know_two_pits(tmp_path)
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
    async with open_two_pits(folder) as (_, client, admin):
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
    async with open_two_pits(folder) as (cloud, client, admin):
        await admin.act("site.show", site="spare")
        assert await shown(client, "/api/board") == "as spare has it"
    async with open_two_pits(folder) as (cloud, client, admin):
        assert await shown(client, "/api/board") == "as spare has it"
        assert await shown(client, "/api/sites/main/board") == "as spare has it"
        assert list(cloud.members.boards()) == ["main"]
        assert (await admin.act("site.shown"))[0]["chosen"]
        await admin.act("site.show.auto", site="main")
        assert not (await admin.act("site.shown"))[0]["chosen"]
        assert await shown(client, "/api/board") == "as spare has it", "no switch without a reason"
