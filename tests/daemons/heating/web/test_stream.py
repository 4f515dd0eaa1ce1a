"""The stream of a house: what a listener is sent, what one is sent who comes back, and when it ends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from attrs import define, field
from starlette.applications import Starlette

from daemons.heating.web.stream import AGE_S
from daemons.ops.authority.tokens import revoke_token

from .houses import make_house
from .stand import Stand, open_stand, real_now


@define(eq=False)
class Listener:
    """One who listens; `heard`: kind, value and id of every event; `begun`: status, once there is one."""

    heard: list[tuple[str, Any, str]] = field(factory=list)
    begun: int = 0
    is_over: bool = False
    headers: dict[str, str] = field(factory=dict)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.heard]

    def take(self, body: bytes) -> None:
        for block in body.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in fields:
                self.heard.append((fields["event"], json.loads(fields["data"]), fields.get("id", "")))


@asynccontextmanager
async def listening(
    stand: Stand, house: str = "lodge", who: str = "viewer", after: str = ""
) -> AsyncIterator[Listener]:
    """Listen without any network, until the end of the block."""
    listener, gone = Listener(), trio.Event()
    headers = [(b"authorization", f"Bearer {stand.tokens[who]}".encode())] if who else []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": f"/api/houses/{house}/stream", "raw_path": b"", "query_string": f"after={after}".encode(),
        "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("nas", 80), "extensions": {},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            listener.begun = message["status"]
            listener.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            listener.take(message["body"])
            listener.is_over = not message.get("more_body", False)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Starlette(routes=stand.routes), scope, receive, send)
        await trio.testing.wait_all_tasks_blocked()
        yield listener
        gone.set()


async def test_all_comes_first_and_then_what_changes(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stand([make_house()]) as stand, listening(stand) as listener:
        assert listener.begun == 200
        assert "access-control-allow-origin" not in listener.headers
        assert listener.kinds == ["house", "state", "commands", "age"]
        assert listener.heard[0][1]["title"] == "Aspen Lodge"
        stand.house.zone("kitchen", celsius=22.25)
        await trio.sleep(0.3)
        assert listener.kinds[4:] == ["state", "age"]
        zones = {zone["id"]: zone for zone in listener.heard[4][1]["zones"]}
        assert zones["kitchen"]["celsius"] == 22.25
        stand.house.put(connected=False)
        await trio.sleep(0.3)
        assert listener.kinds[6:] == ["age"]
        assert listener.heard[-1][1]["offline"] is True
        await trio.sleep(AGE_S + 0.1)
        assert listener.kinds[7:] == ["age"]


async def test_who_comes_back_is_sent_what_is_another_since(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stand([make_house()]) as stand:
        async with listening(stand) as first:
            name = first.heard[-1][2]
        async with listening(stand, after=name) as same:
            assert same.kinds == ["age"]
            assert same.heard[0][2] == name
        stand.house.zone("kitchen", celsius=22.25)
        async with listening(stand, after=name) as later:
            assert later.kinds == ["state", "age"]
        for wrong in ("x", "a.b.c", "..", "0" * 50_000):
            async with listening(stand, after=wrong) as whole:
                assert whole.kinds == ["house", "state", "commands", "age"]


async def test_a_house_in_a_hurry_is_told_five_times_a_second(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stand([make_house()]) as stand, listening(stand) as listener:
        for number in range(200):
            stand.house.zone("kitchen", celsius=20 + number / 100)
            await trio.sleep(0.01)
        await trio.sleep(0.3)
        told = listener.kinds.count("state")
        assert 9 <= told <= 13
        last = [value for kind, value, _ in listener.heard if kind == "state"][-1]
        assert {zone["id"]: zone for zone in last["zones"]}["kitchen"]["celsius"] == 21.99


async def test_all_who_listen_are_sent_the_same_bytes_made_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_stand([make_house()]) as stand, listening(stand) as one, listening(stand) as other:
        house, before = stand.house, stand.house.reads
        house.zone("kitchen", celsius=22.25)
        await trio.sleep(0.3)
        assert one.heard[-2:] == other.heard[-2:]
        assert house.reads == before + 1


async def test_it_ends_with_the_token_and_with_the_house(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stand([make_house(), make_house(name="cabin")]) as stand:
        async with listening(stand) as listener, listening(stand, "cabin", "operator") as other:
            stand.file.write_now(lambda conn: revoke_token(conn, "viewer", real_now()))
            stand.authoriser.changed()
            await trio.testing.wait_all_tasks_blocked()
            assert (listener.is_over, other.is_over) == (True, False)
            stand.houses["cabin"].changes.tell()
            del stand.houses["cabin"]
            await trio.sleep(AGE_S + 0.1)
            assert other.is_over
        async with listening(stand) as late:
            assert late.begun == 401
