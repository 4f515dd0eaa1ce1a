"""A site that has proven who it is and then sends bombs: its connection ends with a code that says why, and nothing
else of the hub does."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
import trio
import trio.testing

from daemons.link.opening import MAJOR_MAX, MAJOR_MIN, opening_message, receive_hello
from daemons.link.transport import TransportClosed, WebSocketTransport, client_transport
from protocol.codec import encode_frame
from protocol.errors import CloseCode
from protocol.frames import (
    Ack,
    Chunk,
    ClockSample,
    Credit,
    Error,
    Frame,
    Hello,
    Limits,
    Message,
    Ping,
    Push,
    Request,
    Response,
)  # fmt: skip
from tests.daemons.link.pair import Hub, open_hub, open_site, taken
from tests.protocol.bombs import cbor_bombs, zstd_bombs

INSTANCE = b"h" * 16
ATTEMPTS = count(1)
PLAIN, COMPRESSED = b"\x00", b"\x01"


def hello(attempt: int) -> Hello:
    return Hello(
        major_min=MAJOR_MIN, major_max=MAJOR_MAX, minor=0, role="pits", site="field", instance=INSTANCE,
        attempt=attempt, software="hostile", clock=ClockSample(0, 0, b"boot"), limits=Limits(), out=[],
        committed=[], topics=[],
    )  # fmt: skip


@asynccontextmanager
async def hostile(hub: Hub) -> AsyncIterator[WebSocketTransport]:
    """A connection after both hellos."""
    attempt = next(ATTEMPTS)
    headers = [(b"Pitlink-Instance", INSTANCE.hex().encode()), (b"Pitlink-Attempt", str(attempt).encode())]
    stream = await trio.open_tcp_stream("127.0.0.1", hub.port)
    async with client_transport(stream, "127.0.0.1", "/control", headers) as transport:
        await transport.send(opening_message(hello(attempt)))
        await receive_hello(transport)
        yield transport


async def end_of(hub: Hub, *messages: bytes) -> int:
    """Send these and return the code by which the hub ends the connection; what arrives of it is another matter."""
    with trio.fail_after(20):
        async with hostile(hub) as transport:
            await hub.peer.wait_connected()
            connection = hub.peer.connection
            assert connection is not None
            with suppress(TransportClosed):
                for message in messages:
                    await transport.send(message)
                while True:
                    await transport.receive()
            while hub.peer.connection is connection:
                await trio.sleep(0.005)
            assert connection._ended is not None and connection._ended.ours
            return connection._ended.code


def frames(*frames: Frame) -> bytes:
    return PLAIN + b"".join(map(encode_frame, frames))


def bombs() -> Iterator[tuple[str, bytes]]:
    for name, bomb in cbor_bombs(48 * 1024):
        yield f"CBOR: {name}", PLAIN + bomb
    for name, bomb in zstd_bombs():
        yield f"zstd: {name}", COMPRESSED + bomb[: 100 * 1024]


HARMLESS = {  # no harm in them, and so the connection goes on
    "zstd: blocks of nothing",
    "zstd: a skippable frame of 4 GiB",
    "zstd: a window of 128 MiB",
    "zstd: a content size of 2^63",
}


async def test_bombs_end_their_connection_and_nothing_else(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub:
        codes = {}
        for name, bomb in bombs():
            if name not in HARMLESS:
                codes[name] = await end_of(hub, bomb)
        wrong = {name: code for name, code in codes.items() if code not in (4000, CloseCode.TOO_LARGE)}
        assert len(codes) > 40
        assert not wrong
        assert CloseCode.TOO_LARGE in codes.values()
        async with open_site(tmp_path / "s", hub.port) as site:
            with trio.fail_after(10):
                await site.peer.durable.send("event", "t", 1, b"all is well")
                await site.peer.durable.drained("event")
        assert await taken(hub.store) == [b"all is well"]


REQUEST = Request(1, "fetch", 1000, {})
PROTOCOL_BREAKS = {
    "a request again": frames(REQUEST, REQUEST),
    "a request id that goes down": frames(Request(7, "fetch", 1000, {}), REQUEST),
    "an answer to nothing": frames(Response(1, {}, 0, b"")),
    "an error for nothing": frames(Error(9, "BUSY", "")),
    "a chunk of nothing": frames(Chunk(3, 0, b"x")),
    "a push again": frames(Push(-1, "body", {}, 0, b""), Push(-1, "body", {}, 0, b"")),
    "a second hello": opening_message(hello(99)),
    "an acknowledgement of what was never sent": frames(Ack("command", 1, 10**9)),
    "a message of an epoch that was never opened": frames(Message("event", 5, 7, "t", 1, b"")),
    "no flag byte that is known": b"\xff" + encode_frame(REQUEST),
    "nothing": b"",
}


@pytest.mark.parametrize("name", PROTOCOL_BREAKS)
async def test_what_breaks_the_protocol_ends_the_connection(tmp_path: Path, name: str) -> None:
    async with open_hub(tmp_path / "h", on_push={"body": lambda result, body: None}) as hub:
        assert await end_of(hub, PROTOCOL_BREAKS[name]) == CloseCode.PROTOCOL_ERROR
        assert await taken(hub.store) == []


async def test_a_message_beyond_the_largest_is_not_collected(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub:
        async with hostile(hub) as transport:
            with trio.fail_after(10):
                with suppress(TransportClosed):
                    await transport.send(PLAIN + bytes(1024 * 1024))
                    while True:
                        await transport.receive()
                while hub.peer.connection is not None:
                    await trio.sleep(0.005)


async def test_requests_without_reading_the_answers_end_it(tmp_path: Path) -> None:
    """Each unknown request costs us an answer: who causes more than it reads is let go."""
    async with open_hub(tmp_path / "h") as hub:
        ids = count(1)
        with trio.fail_after(30):
            async with hostile(hub) as transport:
                with suppress(TransportClosed):
                    while True:
                        batch = [Request(next(ids), "x" * 60, 1, {}) for _ in range(300)]
                        await transport.send(frames(*batch))
                while hub.peer.connection is not None:
                    await trio.sleep(0.005)


async def test_pings_and_credits_without_end_cost_a_bounded_answer(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub:
        with trio.fail_after(30):
            async with hostile(hub) as transport:
                for _ in range(50):
                    await transport.send(frames(*[Ping(id_, 0) for id_ in range(1, 500)]))
                    await transport.send(frames(*[Credit(id_, 10**9) for id_ in range(500)]))
                assert hub.peer.connection is not None
                assert len(hub.peer.connection.heartbeat._pongs) <= 16


UPGRADE = (
    b"GET /control HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: pitlink\r\n\r\n"
)


async def test_half_an_opening_is_given_up(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """Who has proven himself and then says no hello holds his site for ten seconds and no longer."""
    async with open_hub(tmp_path / "h", inline=True) as hub:
        ours, theirs = trio.testing.memory_stream_pair()
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hub.listener.serve, theirs, {}, "192.0.2.1")
            await ours.send_all(UPGRADE)
            with trio.fail_after(60):
                with suppress(trio.BrokenResourceError):
                    while await ours.receive_some():
                        pass
        assert trio.current_time() - start <= 12
