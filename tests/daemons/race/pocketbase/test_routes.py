"""The addresses of PocketBase's API on a real server: errors in its shape, methods, and streams that behave."""

import json
from typing import Any

import httpx
import pytest
import trio

from daemons.race.pocketbase import realtime as realtime_module
from daemons.race.pocketbase.book import CHANGES_KEPT
from daemons.race.pocketbase.collections import COLLECTIONS, collection_id

from ..field import fetched
from .days import LIVE, played, serving

LAPS = "/api/collections/laps/records"


async def answered(method: str, path: str, **more: Any) -> httpx.Response:
    async with serving({"pits": played()[0]}) as (_, running):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            return await client.request(method, path, **more)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", LAPS, 403), ("PATCH", f"{LAPS}/x", 403), ("DELETE", f"{LAPS}/x", 403),
        ("GET", "/api/collections/ingest_targets/records", 403), ("GET", "/api/collections/secrets/records", 404),
        ("POST", "/api/collections/secrets/records", 404), ("GET", f"{LAPS}/nothing", 404),
        ("POST", "/api/collections/users/auth-with-password", 404), ("GET", f"{LAPS}?filter=speed%3D1", 400),
        ("GET", f"{LAPS}?page=x", 400), ("PUT", LAPS, 405), ("PUT", f"{LAPS}/x", 405), ("DELETE", LAPS, 405),
        ("DELETE", "/api/realtime", 405), ("POST", "/api/health", 405),
    ],
)  # fmt: skip
async def test_errors_are_in_its_shape(method: str, path: str, status: int) -> None:
    answer = await answered(method, path)
    assert answer.status_code == status
    value = answer.json()
    assert value.keys() == {"status", "message", "data"}
    assert (value["status"], value["data"]) == (status, {})
    assert value["message"]
    assert ("allow" in answer.headers) == (status == 405)
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("content", "status", "wrong"),
    [
        (b"", 400, []), (b"[]", 400, []), (b"[" * 100_000, 400, []), (b"{}", 400, ["clientId"]),
        (b'{"clientId": 5, "subscriptions": [1]}', 400, ["clientId", "subscriptions"]),
        (b'{"clientId": "x", "subscriptions": {}}', 400, ["subscriptions"]),
        (b'{"clientId": "x", "subscriptions": ["laps"]}', 404, []), (b"x" * 300_000, 413, []),
    ],
)  # fmt: skip
async def test_a_subscription_that_cannot_be_set(content: bytes, status: int, wrong: list[str]) -> None:
    answer = await answered(
        "POST", "/api/realtime", content=content, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, sorted(answer.json()["data"])) == (status, wrong)


async def test_a_body_that_is_not_json() -> None:
    assert (await answered("POST", "/api/realtime", data={"clientId": "x"})).status_code == 415


async def test_lists_are_known_by_their_version_and_by_the_collections_id() -> None:
    keeper, day = played()
    async with serving({"pits": keeper}) as (_, running):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            answer = await client.get(f"/api/collections/{collection_id('laps')}/records")
            known = {"If-None-Match": answer.headers["etag"]}
            assert answer.json()["totalItems"] == 7
            assert (await client.get(LAPS, headers=known)).status_code == 304
            path = day.race(102, **LIVE, flown={1: [1.0, 5.0, 4.5]})
            keeper.apply(path, fetched(path, day.files[path]))
            assert (await client.get(LAPS, headers=known)).json()["totalItems"] == 8
            for name in COLLECTIONS:
                assert (await client.get(f"/api/collections/{name}/records")).status_code == 200


class Listener:
    """A client of the stream, and what it was told."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.name = ""
        self.events: list[tuple[str, Any]] = []
        self.told = trio.Event()
        self.over = trio.Event()

    async def listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with self.client.stream("GET", "/api/realtime", timeout=None) as answer:
            kind = ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    kind = line.removeprefix("event:")
                elif line.startswith("data:"):
                    value = json.loads(line.removeprefix("data:"))
                    if kind == "PB_CONNECT":
                        self.name = value["clientId"]
                        task_status.started()
                    else:
                        self.events.append((kind, value))
                        self.told.set()
                        self.told = trio.Event()
        self.over.set()

    async def subscribe(self, *topics: str) -> int:
        body = {"clientId": self.name, "subscriptions": topics}
        return (await self.client.post("/api/realtime", json=body)).status_code


async def test_each_is_told_of_what_it_asked_for_and_by_the_words_in_which_it_asked() -> None:
    keeper, day = played()
    with trio.fail_after(30):
        async with (
            serving({"pits": keeper}) as (realtime, running),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client,
            trio.open_nursery() as nursery,
        ):
            few, many = Listener(client), Listener(client)
            await nursery.start(few.listen)
            await nursery.start(many.listen)
            options = '{"query":{"filter":"lapNumber > 1","fields":"lapNumber"}}'
            picky = f"laps/*?options={httpx.QueryParams(o=options)}".replace("o=", "", 1)
            assert await few.subscribe(picky, "laps/nothing", "secrets/*", "laps/*?options={") == 204
            assert await many.subscribe("laps", "detections/*") == 204
            for flown in ([1.0, 5.0, 4.5], [1.0, 5.0, 4.5, 4.25]):
                path = day.race(102, **LIVE, flown={1: flown})
                keeper.apply(path, fetched(path, day.files[path]))
                while len(many.events) < 2 * (len(flown) - 2) or len(few.events) < 2 * (len(flown) - 2):
                    await trio.sleep(0.005)
            assert {kind for kind, _ in many.events} == {"laps", "detections/*"}
            ours = [value for kind, value in few.events if kind == picky]
            assert ours == [{"action": "create", "record": {"lapNumber": number}} for number in (2, 3)]
            assert realtime.clients == 2
            nursery.cancel_scope.cancel()


async def test_a_client_that_lags_too_far_is_sent_away_and_a_full_house_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(realtime_module, "CLIENTS_MAX", 1)
    keeper, _ = played()
    with trio.fail_after(30):
        async with (
            serving({"pits": keeper}) as (realtime, running),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client,
            trio.open_nursery() as nursery,
        ):
            one = Listener(client)
            await nursery.start(one.listen)
            assert (await client.get("/api/realtime")).status_code == 503
            realtime.book.serial += (
                CHANGES_KEPT + 1
            )  # as if so many had happened since it was last sent something
            assert await one.subscribe("laps") == 204
            await one.over.wait()
            assert realtime.dropped == 1
            while realtime.clients:
                await trio.sleep(0.005)


async def test_a_listener_hears_a_ping_when_it_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime_module, "PING_S", 0.02)
    with trio.fail_after(30):
        async with (
            serving({"pits": played()[0]}) as (_, running),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client,
            trio.open_nursery() as nursery,
        ):
            one = Listener(client)
            await nursery.start(one.listen)
            await one.subscribe("pb_ping")
            while not one.events:
                await one.told.wait()
            assert one.events[0] == ("pb_ping", {"timestamp": "2027-01-15 08:00:00.000Z"})
            nursery.cancel_scope.cancel()
