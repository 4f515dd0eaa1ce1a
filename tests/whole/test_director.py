"""What the race director gets from daemons that run: the light, the memory on both sides, results that survive a restart;
and that no name of a pilot leaves the site, whatever a stranger asks the hub."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import httpx
import trio
from attrs import define
from starlette.routing import Route

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside
from daemons.cloud import open_cloud
from daemons.ops.environment import Environment
from daemons.ops.options import Address
from daemons.pits import Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig
from daemons.race.memorychain import verify
from daemons.race.memorytables import read_body
from daemons.race.paths import Kind, event_file
from daemons.store import fetch
from tests.daemons.race import makers as make
from tests.daemons.race.field import EVENT, PILOTS, ROUNDS, race_path, result_path
from tests.whole.hubs import SITE, Joined, open_joined

WITHIN_S = 30.0
DONE: dict[str, Any] = {"start": make.START, "end": make.END}
FLOWN = {1: [4.0, 9.0, 9.0, 9.0], 2: [5.0, 8.0, 8.0, 8.0]}
RACE = make.race_id(101)
BASE = f"/api/v1/sites/{SITE}/races/{RACE}"


def files() -> dict[str, bytes]:
    """An event of two races, the first flown, the second live, in whose file somebody has put what is private."""
    return {
        path.lstrip("/"): make.to_bytes(value)
        for path, value in {
            EVENT: [make.event([make.race_id(101), make.race_id(102)])],
            PILOTS: [make.pilot(1, "Ann"), make.pilot(2, "Bo")],
            ROUNDS: [make.round_(1)],
            **{
                event_file(make.EVENT_ID, kind): [] for kind in (Kind.STAGES, Kind.RESULTS)
            },  # else they are looked for
            "/httpfiles/Channels.json": make.CHANNELS,
            race_path(101): [make.race(1, **DONE, flown=FLOWN)],
            result_path(101): [make.result(2, 1), make.result(1, 2)],
            race_path(102): [make.race(2, start=make.START, Notes=[make.pilot(1, "Ann")])],
        }.items()
    }


@define(eq=False)
class Field:
    """Pits that run beside a stand-in, and somebody at the field with a browser."""

    pits: Pits
    double: FPVTrackside
    client: httpx.AsyncClient

    def put(self, path: str, value: Any) -> None:
        """Write a file, and have it read at once."""
        self.double.tree.put(path, make.to_bytes(value))
        self.pits.watches.nudge(path)

    async def status(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.client.get("/api/v1/status")).json()
        return told

    async def until(self, light: str, waiting: int) -> dict[str, Any]:
        with trio.fail_after(WITHIN_S):
            while True:
                told = await self.status()
                if (told["light"], told["races_waiting"]) == (light, waiting):
                    return told
                await trio.sleep(0.1)


@asynccontextmanager
async def open_field(folder: Path, tree: EventTree, joined: Joined | None = None) -> AsyncIterator[Field]:
    environment = Environment()
    double = FPVTrackside(tree, utc_now=environment.utc_now)
    double.open_event()
    async with trio.open_nursery() as nursery:
        port = await nursery.start(partial(double.serve, 0))
        config = PitsConfig(
            site=SITE,
            origin_url=f"http://localhost:{port}",
            cloud_url=f"ws://127.0.0.1:{joined.port}" if joined else "",
            state_dir=folder,
            listen=Address("127.0.0.1", 0),
        )
        async with open_pits(config, environment=environment) as pits, trio.open_nursery() as inner:
            await inner.start(pits.run)
            assert pits.front is not None
            base = f"http://127.0.0.1:{pits.front.ports[0]}"
            async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
                yield Field(pits, double, client)
            await pits.stop()
            inner.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


async def versions(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    answer = await client.get(f"{BASE}/versions")
    if answer.status_code == 404:
        return []
    return [(version["file"], version["sha256"]) for version in answer.json()["versions"]]


async def test_the_light_says_what_waits_and_both_sides_remember(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "site")
        hub = httpx.AsyncClient(base_url=f"http://127.0.0.1:{joined.port}", trust_env=False)
        async with hub, open_field(tmp_path / "site", EventTree(files()), joined) as field:
            day = joined.member().site.keeper
            await joined.until(lambda: len(day.day.races) == 2 and day.day.results, WITHIN_S)
            told = await field.until("green", 0)
            assert told["sentence"].startswith("Everything is on the cloud, ")
            assert told["budget"]["sent_today_bytes"] >= told["budget"]["this_hour_bytes"] > 0
            health = (await field.client.get("/healthz")).json()
            assert health["light"] == "green"
            assert "light" not in (await hub.get("/healthz")).json()

            await joined.cloud.members.set_draining(True)
            field.put(
                race_path(102), [make.race(2, start=make.START, flown=FLOWN, Notes=[make.pilot(1, "Ann")])]
            )
            told = await field.until("amber", 1)
            assert told["sentence"].endswith("; 1 race waits to be sent")
            await joined.cloud.members.set_draining(False)
            field.pits._reconnect()
            await field.until("green", 0)

            field.put(result_path(101), [])
            with trio.fail_after(WITHIN_S):
                while [name for name, _ in await versions(field.client)].count("Result.json") < 2:
                    await trio.sleep(0.1)
                while await versions(hub) != await versions(field.client):
                    await trio.sleep(0.1)
            for client in (field.client, hub):
                (_, digest) = next(pair for pair in await versions(client) if pair[0] == "Result.json")
                body = (await client.get(f"{BASE}/versions/{digest}")).content
                assert json.loads(body) == [make.result(2, 1), make.result(1, 2)]
                verdict = verify((await client.get(f"{BASE}/history")).content.splitlines())
                assert (verdict.entries, verdict.broken) == (3, "")
            await _check_nothing_private(hub, joined)


async def test_emptied_results_are_shown_by_pits_that_were_started_again(tmp_path: Path) -> None:
    tree = EventTree(files())
    async with open_field(tmp_path, tree) as field:
        with trio.fail_after(WITHIN_S):
            while len(await versions(field.client)) < 2:
                await trio.sleep(0.1)
        assert (await field.status())["sentence"].endswith("no cloud is configured")
    tree.put(result_path(101), b"[]")
    async with open_field(tmp_path, tree) as field:
        with trio.fail_after(WITHIN_S):
            while True:
                board = (await field.client.get("/api/board")).json()["board"]
                if board["previous"] and board["previous"]["results_from_memory"]:
                    break
                await trio.sleep(0.1)
        assert [row["pilot"] for row in board["previous"]["rows"]] == ["Bo", "Ann"]


async def test_emptied_results_are_shown_by_a_hub_that_was_started_again(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "site")
        base = f"http://127.0.0.1:{joined.port}"
        async with open_field(tmp_path / "site", EventTree(files()), joined) as field:
            keeper = joined.member().site.keeper
            await joined.until(lambda: len(keeper.day.races) == 2 and keeper.day.results, WITHIN_S)
            field.put(result_path(101), [])
            await joined.until(
                lambda: (
                    make.race_id(101) in keeper.tree.newest().tree["races"]
                    and keeper.tree.newest().tree["races"][RACE]["from_memory"]
                ),
                WITHIN_S,
            )
            async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
                with trio.fail_after(WITHIN_S):
                    while [name for name, _ in await versions(client)].count("Result.json") < 2:
                        await trio.sleep(0.1)
    config = CloudConfig(state_dir=joined.folder, listen=Address("127.0.0.1", 0))
    async with open_cloud(config) as cloud, trio.open_nursery() as nursery:
        await nursery.start(cloud.run)
        assert cloud.front is not None
        base = f"http://127.0.0.1:{cloud.front.ports[0]}"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            with trio.fail_after(WITHIN_S):
                while True:
                    answer = await client.get(f"/api/v1/sites/{SITE}/races/{RACE}")
                    if answer.status_code == 200 and answer.json()["from_memory"]:
                        break
                    await trio.sleep(0.1)
            race = answer.json()
        await cloud.stop()
        nursery.cancel_scope.cancel()
    assert race["official"]
    assert [race["rows"][pilot]["pilot"] for pilot in race["ranking"]] == ["Bo", "Ann"]


SECRETS = ("Secret", "Person", "secret#1", "secret.mp4")
"""What `makers.pilot` puts into the private fields."""


async def _check_nothing_private(hub: httpx.AsyncClient, joined: Joined) -> None:
    """Ask for every route that the hub has, without a token, with everything that is known of the event in its places, and
    for whatever the answers name."""
    bodies = await _crawl(hub, joined)
    assert any("Ann" in body for body in bodies.values()), "the names under which they race are public"
    assert sum("/versions/" in path for path in bodies) >= 3
    for path, body in bodies.items():
        assert not [secret for secret in SECRETS if secret in body], path
    held = await joined.cloud.store.read(_held_by_hub)
    assert len(held) >= 8
    for what, content in held:
        assert not [secret for secret in SECRETS if secret.encode() in content], what


def _held_by_hub(conn: apsw.Connection) -> list[tuple[str, bytes]]:
    """Return every body that the hub has in its database, for whoever may ask with a token: copies and versions."""
    copies = [(f"copy of {path}", body) for path, body in conn.execute("SELECT path, body FROM cache")]
    rows = fetch(conn, "SELECT path, digest FROM memory_version")
    return copies + [(f"version of {path}", read_body(conn, SITE, digest) or b"") for path, digest in rows]


async def _crawl(hub: httpx.AsyncClient, joined: Joined) -> dict[str, str]:
    """Return what each public address says, the beginning of streams included."""
    values = {
        "site": [SITE],
        "race": [make.race_id(101), make.race_id(102), make.EVENT_ID],
        "pilot": [make.pilot_id(1), make.pilot_id(2)],
        "name": ["pilots", "races"],
        "path": ["events"],
        "id": [make.race_id(102), make.pilot_id(1), make.EVENT_ID],
    }
    wanted = [f"/api/sites/{SITE}/origin{PILOTS}", f"/events?site={SITE}"]
    for route in joined.cloud._routes(_assets()):
        if isinstance(route, Route) and (route.methods is None or "GET" in route.methods):
            wanted += _filled(route.path, values)
    bodies: dict[str, str] = {}
    while wanted:
        path = wanted.pop()
        if path in bodies or len(bodies) > 400:
            continue
        bodies[path] = body = await _begin(hub, path)
        if '"href":"' in body:
            wanted += [part.partition('"')[0] for part in body.split('"href":"')[1:]]
    return bodies


def _assets() -> Any:
    from daemons.web.assets import read_assets

    return read_assets()


def _filled(path: str, values: dict[str, list[str]]) -> list[str]:
    """Return a route's path with every known value in each of its places."""
    if "{" not in path:
        return [path]
    head, _, rest = path.partition("{")
    name, _, tail = rest.partition("}")
    found = values.get(name.partition(":")[0], ["races"])
    return [filled for value in found for filled in _filled(f"{head}{value}{tail}", values)]


async def _begin(hub: httpx.AsyncClient, path: str) -> str:
    body = b""
    async with hub.stream("GET", path) as answer:
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        with trio.move_on_after(0.3 if is_stream else WITHIN_S):
            async for piece in answer.aiter_bytes():
                body += piece
    return body.decode(errors="replace")
