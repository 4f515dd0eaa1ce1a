"""The stream of drivers as they drive, and of a replay: what a listener is sent, and when it ends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from attrs import define, field
from starlette.applications import Starlette

from daemons.ops.authority.tokens import revoke_token
from daemons.telemetry.web.live import ALIVE_S

from .fake import FakeLook, a_session, real_us
from .stand import Stand, open_stand, real_now

BEGAN = 1_773_500_400_000_000


@define(eq=False)
class Listener:
    """One who listens; `heard`: kind and value of every event. `stuck`: takes nothing until it is set."""

    heard: list[tuple[str, Any]] = field(factory=list)
    begun: int = 0
    is_over: bool = False
    stuck: trio.Event | None = None
    new: trio.Event = field(factory=trio.Event)

    def of(self, kind: str) -> list[Any]:
        return [value for one, value in self.heard if one == kind]

    def ticks(self, driver: str = "anna") -> list[int]:
        return [
            part["first"] + n * part["step"]
            for chunk in self.of("chunk")
            if chunk["driver"] == driver
            for part in chunk["parts"]
            for n in range(len(part["columns"]["speed"]))
        ]

    async def until(self, kind: str, count: int = 1) -> None:
        with trio.fail_after(30):
            while len(self.of(kind)) < count:
                await self.new.wait()

    async def end(self) -> None:
        with trio.fail_after(30):
            while not self.is_over:
                await self.new.wait()

    def tell(self) -> None:
        self.new.set()
        self.new = trio.Event()


@asynccontextmanager
async def listening(
    stand: Stand, path: str, who: str = "viewer", *, is_stuck: bool = False
) -> AsyncIterator[Listener]:
    """Listen without any network, until the end of the block."""
    listener, gone = Listener(), trio.Event()
    if is_stuck:
        listener.stuck = trio.Event()
    route, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": route,
        "raw_path": b"", "query_string": query.encode(), "root_path": "",
        "headers": [(b"authorization", f"Bearer {stand.tokens[who]}".encode())], "client": ("127.0.0.1", 1),
        "server": ("backend", 80), "extensions": {},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            listener.begun = message["status"]
        elif listener.stuck is not None and b"event: chunk" in message["body"]:
            await listener.stuck.wait()
        for block in message.get("body", b"").decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in fields:
                listener.heard.append((fields["event"], json.loads(fields["data"])))
        listener.tell()

    async def run() -> None:
        await Starlette(routes=stand.routes)(scope, receive, send)
        listener.is_over = True
        listener.tell()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield listener
        gone.set()
        if listener.stuck is not None:
            listener.stuck.set()
        await listener.end()


def team() -> FakeLook:
    look = FakeLook()
    look.add("anna")
    look.add("ben")
    look.keep(a_session("s1", BEGAN))
    return look


LIVE = "/api/telemetry/live?channels=speed,gear"


async def test_who_comes_late_gets_the_last_seconds_then_every_tick_once() -> None:
    look = team()
    for _ in range(50):
        look.feed("anna")
    async with open_stand(look) as stand, listening(stand, LIVE + "&back=2") as heard:
        await heard.until("chunk", 20)
        look.feed("anna")
        look.feed("anna", lost=12)
        await heard.until("chunk", 22)
        ticks = heard.ticks()
        assert ticks == [*range(180, 306), *range(318, 324)]
        assert heard.of("chunk")[-1]["lost"] == 12
        assert heard.of("chunk")[-1]["first"] == 318
        (entries, *_) = heard.of("entries")
        assert (entries["driver"], len(entries["cars"]), entries["cars"][2]["driver"]) == (
            "anna",
            5,
            "Own Car",
        )
        assert [one["track"] for one in heard.of("track")] == ["Sebring"]


async def test_a_chunk_says_when_it_was_taken_and_when_it_was_sent() -> None:
    look = team()
    async with open_stand(look) as stand, listening(stand, LIVE) as heard:
        await heard.until("states")
        before = real_now() * 1000
        look.feed("anna", taken_us=round((before - 80) * 1000))
        await heard.until("chunk")
        (chunk,) = heard.of("chunk")
        assert abs(chunk["at"] - (before - 80)) < 0.01
        assert before <= chunk["now"] <= real_now() * 1000 + 1
        cars = {car[0]: car for car in chunk["field"]["cars"]}
        assert (cars[0][6], cars[1][6]) == (3.0, -3.0)
        # What nobody asked for is neither asked of the drivers nor sent.
        assert set(chunk["parts"][0]["columns"]) == {"speed", "gear"}
        assert {"Speed", "Gear", "CarIdxLapDistPct"} <= set(look.asked[0][1])
        assert "RPM" not in look.asked[0][1]


async def test_a_driver_who_goes_is_told_at_once_and_silence_is_broken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    look = team()
    async with open_stand(look) as stand, listening(stand, LIVE) as heard:
        await heard.until("states")
        await trio.sleep(0.1)
        look.change("ben", is_connected=False, why="no word from him")
        at = trio.current_time()
        await heard.until("states", 2)
        assert trio.current_time() - at <= 0.5
        (ben,) = [one for one in heard.of("states")[-1]["drivers"] if one["driver"] == "ben"]
        assert (ben["live"], ben["why"]) == (False, "no word from him")
        del look.states["ben"]
        await heard.until("states", 3)
        assert [one["driver"] for one in heard.of("states")[-1]["drivers"]] == ["anna"]
        at = trio.current_time()
        count = len(heard.of("states"))
        await heard.until("states", count + 1)
        assert trio.current_time() - at <= ALIVE_S + 1


async def test_a_listener_who_takes_nothing_holds_up_nobody() -> None:
    look = team()
    async with open_stand(look) as stand:
        async with listening(stand, LIVE, is_stuck=True) as slow, listening(stand, LIVE) as quick:
            await quick.until("states")
            for n in range(100):
                look.feed("anna")
                await quick.until("chunk", n + 1)
            assert quick.ticks() == list(range(600))
            assert slow.of("chunk") == []


async def test_a_stream_ends_when_its_token_does() -> None:
    async with open_stand(team()) as stand, listening(stand, LIVE, "operator") as heard:
        await heard.until("states")
        stand.file.write_now(lambda conn: revoke_token(conn, "operator", real_now()))
        stand.authoriser.changed()
        await heard.end()
        assert heard.begun == 200


async def test_too_many_listeners_are_told_to_come_back() -> None:
    async with open_stand(team()) as stand:
        stand.listeners.most = 1
        async with listening(stand, LIVE) as heard:
            await heard.until("states")
            async with stand.client("viewer") as client:
                answer = await client.get(LIVE)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_a_replay_begins_where_it_is_asked_for_and_ends(autojump_clock: trio.testing.MockClock) -> None:
    look = team()
    path = f"/api/telemetry/sessions/s1/replay?channels=speed&speed=4&from={BEGAN / 1000 + 199_000}"
    async with open_stand(look) as stand, listening(stand, path) as heard:
        at = trio.current_time()
        await heard.until("end")
        assert abs(trio.current_time() - at - 0.25) < 1e-6  # a second, at four times the speed
        assert look.replayed == [(4.0, BEGAN + 199_000_000)]
        assert heard.ticks() == list(range(11_940, 12_000))
        assert abs(heard.of("chunk")[-1]["at"] - BEGAN / 1000 - 11_999 * 1000 / 60) < 0.01
        assert heard.of("end") == [{"words": "the end of the session"}]
        assert [one["track"] for one in heard.of("track")] == ["Sebring"]


async def test_a_replay_that_cannot_go_on_says_why() -> None:
    look = team()
    async with open_stand(look) as stand:
        path = "/api/telemetry/sessions/s1/replay"
        look.thrown_away = True
        async with listening(stand, path) as heard:
            await heard.until("end")
            assert heard.of("end") == [{"words": "this was thrown away"}]


async def test_a_listener_who_leaves_ends_everything() -> None:
    look = team()
    async with open_stand(look) as stand:
        async with listening(stand, LIVE) as heard:
            await heard.until("states")
            look.feed("anna", taken_us=real_us())
            await heard.until("chunk")
            assert (look.readers, stand.listeners.now) == (2, 1)
        assert heard.is_over
        assert (look.readers, stand.listeners.now) == (0, 0)
