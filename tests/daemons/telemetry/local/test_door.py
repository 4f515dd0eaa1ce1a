"""The local socket and its REST API on loopback: with a stock WebSocket library, as its users have, and bare."""

import json
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from daemons.link.transport import TransportClosed
from daemons.telemetry.local import door as door_module
from daemons.telemetry.local.door import LocalDoor
from daemons.telemetry.local.routes import local_routes
from daemons.telemetry.local.token import identify_local
from daemons.web.front import open_listeners, serve_http
from daemons.web.head import Head

TOKEN = "a-token-of-the-relay"
SNAPSHOT: dict[str, Any] = {
    "driverId": "car", "timestamp": "2026-03-01T12:00:00.000Z", "speed": 201.5, "rpm": 7250, "gear": 4,
    "throttle": 100.0, "brake": 0.0, "steeringAngle": -12.5, "latitude": None, "longitude": None,
    "trackPosition": 0.25, "lap": 3, "sector": 1, "fuelLevel": 61.5, "position": 2,
    "tireWear": {"frontLeft": 98.0, "frontRight": 97.5, "rearLeft": 99.0, "rearRight": 98.5},
}  # fmt: skip


class Car:
    """What is told: `move` has it change."""

    def __init__(self) -> None:
        self.moment = 0

    def move(self) -> None:
        self.moment += 1

    def current(self) -> tuple[int, Mapping[str, Any]] | None:
        return (self.moment, SNAPSHOT | {"lap": self.moment}) if self.moment else None


@asynccontextmanager
async def served(car: Car, **more: Any) -> AsyncIterator[tuple[int, LocalDoor]]:
    def identify(given: str) -> Any:
        return identify_local(TOKEN, given, "car")

    door = LocalDoor(car.current, identify, lambda: 1_700_000_000.0, "relay-1", hz=200.0, **more)
    app = Starlette(routes=local_routes(car.current, lambda: {"relayAgent": {"port": 8765}}, identify))
    listeners = await open_listeners("localhost", 0)
    async with trio.open_nursery() as nursery:
        front = await nursery.start(
            lambda task_status: serve_http(
                listeners, app, on_control=door.answer, upgrades={"/": "websocket"}, task_status=task_status
            )
        )
        yield front.ports[0], door
        await front.drain()


def told_as_the_seed_says(port: int, updates: int, token: str = TOKEN) -> list[dict[str, Any]]:
    """Connect, be welcomed, authenticate, be told. Written from the seed's text alone."""
    with connect(f"ws://localhost:{port}") as socket:
        said = [json.loads(socket.recv(timeout=10))]
        data = {"token": token, "clientType": "dashboard", "version": "1.0.0"}
        socket.send(json.dumps({"type": "authenticate", "data": data}))
        said += [json.loads(socket.recv(timeout=10)) for _ in range(updates + 1)]
    return said


async def test_a_client_written_from_the_seed_with_a_stock_library_is_told() -> None:
    car = Car()
    car.move()
    async with served(car) as (port, door):
        said = await trio.to_thread.run_sync(told_as_the_seed_says, port, 1)
        assert [one["type"] for one in said] == [
            "connection_established", "authentication_result", "telemetry_update",
        ]  # fmt: skip
        assert said[0]["data"].keys() == {"serverId", "timestamp", "version"}
        assert said[1]["data"] == {"success": True, "userId": "local", "role": "viewer"}
        assert said[2]["data"] == SNAPSHOT | {"lap": 1}
        with trio.fail_after(5):
            while door.open:  # it has left: noticed
                await trio.sleep(0.01)


async def test_only_what_is_new_is_told_and_only_the_newest() -> None:
    car = Car()
    car.move()
    seen: list[int] = []
    told = threading.Event()

    def watch(port: int) -> None:
        with connect(f"ws://127.0.0.1:{port}") as socket:
            socket.recv(timeout=10)
            socket.send(json.dumps({"type": "authenticate", "data": {"token": TOKEN}}))
            socket.recv(timeout=10)
            while not seen or seen[-1] < 3:
                seen.append(json.loads(socket.recv(timeout=10))["data"]["lap"])
                told.set()

    async with served(car) as (port, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, watch, port)
            await trio.to_thread.run_sync(told.wait, 10)
            car.move()
            car.move()  # the second is never told: a newer one is there
    assert seen == [1, 3]


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Origin": "https://evil.example"}, "may not ask here"),
        ({"Host": "evil.example:8765"}, "not this machine's own name"),
    ],
)
async def test_pages_of_others_get_nothing(headers: dict[str, str], words: str) -> None:
    def ask(port: int) -> None:
        origin: Any = headers.get("Origin")
        more = {key: value for key, value in headers.items() if key != "Origin"}
        with connect(f"ws://127.0.0.1:{port}", origin=origin, additional_headers=more or None):
            pass

    car = Car()
    car.move()
    async with served(car) as (port, door):
        if "Host" in headers:  # which the library writes itself
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            async with stream:
                await stream.send_all(
                    b"GET / HTTP/1.1\r\nhost: evil.example:8765\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                    b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n"
                )
                answer = bytes(await stream.receive_some())
            assert answer.startswith(b"HTTP/1.1 403")
            assert words.encode() in answer
        else:
            with pytest.raises(InvalidStatus) as refused:
                await trio.to_thread.run_sync(ask, port)
            assert refused.value.response.status_code == 403
            assert words.encode() in refused.value.response.body
        assert (door.refused, door.told, door.open) == (1, 0, 0)


async def test_a_wrong_token_is_told_so_and_closed() -> None:
    def ask(port: int) -> tuple[dict[str, Any], int, str]:
        with connect(f"ws://127.0.0.1:{port}") as socket:
            socket.recv(timeout=10)
            socket.send(json.dumps({"type": "authenticate", "data": {"token": "wrong"}}))
            result = json.loads(socket.recv(timeout=10))
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        return result, closed.value.rcvd.code, closed.value.rcvd.reason

    car = Car()
    car.move()
    async with served(car) as (port, door):
        result, code, reason = await trio.to_thread.run_sync(ask, port)
    assert result["data"] == {"success": False, "userId": "", "role": ""}
    assert code == 4004
    assert "local-token" in reason
    assert door.told == 0


async def test_a_binary_message_is_refused() -> None:
    def ask(port: int) -> int:
        with connect(f"ws://127.0.0.1:{port}") as socket:
            socket.recv(timeout=10)
            socket.send(b"\0\1")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code

    async with served(Car()) as (port, _):
        assert await trio.to_thread.run_sync(ask, port) == 1003


async def test_rest() -> None:
    car = Car()
    async with served(car) as (port, _):
        base = f"http://localhost:{port}"
        bearer = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{base}/api/config")).status_code == 401
            config = await client.get(f"{base}/api/config", headers=bearer)
            assert config.json() == {"relayAgent": {"port": 8765}}
            idle = await client.get(f"{base}/api/telemetry/current", headers=bearer)
            assert (idle.status_code, idle.headers["retry-after"]) == (503, "5")
            car.move()
            current = (await client.get(f"{base}/api/telemetry/current", headers=bearer)).json()
            evil = bearer | {"origin": "https://evil.example"}
            assert (await client.get(f"{base}/api/telemetry/current", headers=evil)).status_code == 403
    assert list(current) == [
        "speed", "rpm", "gear", "throttle", "brake", "steeringAngle", "lap", "position", "fuelLevel", "tireWear",
    ]  # fmt: skip
    assert current["position"] == 2


class Lost:
    """A socket whose other end is gone when it is told for the first time."""

    def __init__(self) -> None:
        self.said = 0

    async def send(self, text: str) -> None:
        self.said += 1
        if self.said > 2:
            raise TransportClosed(1006, "the connection broke")

    async def receive(self) -> str:
        if self.said > 1:
            await trio.sleep_forever()
        return json.dumps({"type": "authenticate", "data": {"token": TOKEN}})


async def test_a_client_that_is_lost_while_it_is_told_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def lost(stream: object) -> AsyncIterator[Lost]:
        yield Lost()

    monkeypatch.setattr(door_module, "server_text_socket", lost)
    car = Car()
    car.move()
    door = LocalDoor(car.current, lambda given: identify_local(TOKEN, given, "car"), lambda: 0.0, "relay-1")
    head = Head("GET", "/", ((b"host", b"localhost"),))
    with trio.fail_after(10):
        await door.answer(None, head, "127.0.0.1")  # type: ignore[arg-type]  # the socket stands for the stream
    assert (door.open, door.told) == (0, 0)
