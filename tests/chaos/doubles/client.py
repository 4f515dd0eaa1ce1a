"""A small raw client for the stand-in: bytes out, bytes in, no HTTP library that would be too polite."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks

EVENT_ID = "3f0e8d62-0000-4000-8000-000000000001"
EVENT = f"events/{EVENT_ID}"


def small_tree() -> EventTree:
    """Return a tree with one event of two small files."""
    return EventTree({f"{EVENT}/Event.json": b'[{"Name": "Day"}]', "httpfiles/Channels.json": b"[]"})


@asynccontextmanager
async def serving(
    tree: EventTree | None = None, quirks: Quirks | None = None, *, is_open: bool = True
) -> AsyncIterator[FPVTrackside]:
    """Serve a double on loopback while the block runs."""
    double = FPVTrackside(small_tree() if tree is None else tree, quirks)
    if is_open:
        double.open_event()
    async with trio.open_nursery() as nursery:
        await nursery.start(double.serve)
        yield double
        nursery.cancel_scope.cancel()


@attrs.frozen
class Reply:
    """An answer taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes


async def connect(double: FPVTrackside) -> trio.SocketStream:
    """Open a connection."""
    return await trio.open_tcp_stream("127.0.0.1", double.port)


def request_bytes(path: str, method: str = "GET", host: str = "localhost", *headers: str) -> bytes:
    """Return a request's bytes."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


async def read_reply(stream: trio.SocketStream) -> Reply:
    """Read one answer by its Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await _some(stream)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += await _some(stream)
    return Reply(int(lines[0].split()[1]), headers, body)


async def until(condition: Callable[[], bool]) -> None:
    """Wait, at most 5 s, for what the kernel brings in its own time."""
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.001)


async def _some(stream: trio.SocketStream) -> bytes:
    data = bytes(await stream.receive_some())
    if not data:
        raise trio.BrokenResourceError("closed in the middle of an answer")
    return data


async def fetch(double: FPVTrackside, path: str, method: str = "GET", host: str = "localhost") -> Reply:
    """Fetch one path over a connection of its own."""
    async with await connect(double) as stream:
        await stream.send_all(request_bytes(path, method, host, "Connection: close"))
        reply = await read_reply(stream)
        assert await stream.receive_some() == b""
        return reply
