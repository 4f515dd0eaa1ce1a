"""Requests that a proxy in front could read otherwise than we do: each is refused, and what was hidden in it is never
taken for a request. (RFC 9112 §11.2, and what is known of CL.TE, TE.CL, TE.TE, folding and line ends.)"""

import gzip
from typing import Any

import pytest
import trio
import trio.testing

from daemons.web.front import Front, FrontConfig
from tests.daemons.web.fronts import Client, in_memory, make_site

HIDDEN = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /seen HTTP/1.1\r\nhost: x\r\n"
CHUNKS = b"0\r\n\r\n"

REFUSED = {
    "CL.TE": POST + b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.CL": POST + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n5c\r\n",
    "CL and TE, folded": POST + b"content-length: 6\r\ntransfer-encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "TE twice": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n" + CHUNKS,
    "TE twice the same": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "TE with a list": POST + b"transfer-encoding: identity, chunked\r\n\r\n" + CHUNKS,
    "TE chunked first": POST + b"transfer-encoding: chunked, gzip\r\n\r\n" + CHUNKS,
    "TE of another word": POST + b"transfer-encoding: xchunked\r\n\r\n" + CHUNKS,
    "TE with a vertical tab": POST + b"transfer-encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "TE with quotes": POST + b'transfer-encoding: "chunked"\r\n\r\n' + CHUNKS,
    "TE with a space before the colon": POST + b"transfer-encoding : chunked\r\n\r\n" + CHUNKS,
    "TE behind a bare CR": POST + b"a: b\rtransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "TE behind a bare LF": POST + b"a: b\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "TE behind a NUL": POST + b"a: b\x00transfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "TE in HTTP/1.0": b"POST /seen HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "CL twice": POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "CL in a list": POST + b"content-length: 5, 6\r\n\r\nhello!",
    "CL with a sign": POST + b"content-length: +5\r\n\r\nhello",
    "CL below zero": POST + b"content-length: -1\r\n\r\n",
    "CL in hexadecimal": POST + b"content-length: 0x5\r\n\r\nhello",
    "CL with an underscore": POST + b"content-length: 1_0\r\n\r\nhellohello",
    "CL in other digits": POST + "content-length: ５\r\n\r\nhello".encode(),
    "CL empty": POST + b"content-length:\r\n\r\n",
    "CL folded": POST + b"content-length:\r\n 5\r\n\r\nhello",
    "CL with a space before the colon": POST + b"content-length : 5\r\n\r\nhello",
    "an obsolete fold": b"GET /seen HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n",
    "a fold by a tab": b"GET /seen HTTP/1.1\r\nhost: x\r\na: b\r\n\tc\r\n\r\n",
    "a fold at the first header": b"GET /seen HTTP/1.1\r\n host: x\r\nhost: x\r\n\r\n",
    "lines that end with LF": b"GET /seen HTTP/1.1\nhost: x\n\n",
    "one line that ends with LF": b"GET /seen HTTP/1.1\r\nhost: x\na: b\r\n\r\n",
    "an end of LF LF": b"GET /seen HTTP/1.1\r\nhost: x\r\n\n",
    "two hosts": b"GET /seen HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    "no host": b"GET /seen HTTP/1.1\r\n\r\n",
    "a name without a colon": b"GET /seen HTTP/1.1\r\nhost: x\r\nabc\r\n\r\n",
    "an empty name": b"GET /seen HTTP/1.1\r\nhost: x\r\n: b\r\n\r\n",
    "a name with a space": b"GET /seen HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n",
    "a space in the target": b"GET /seen /x HTTP/1.1\r\nhost: x\r\n\r\n",
    "a control in the target": b"GET /se\x01en HTTP/1.1\r\nhost: x\r\n\r\n",
    "another version": b"GET /seen HTTP/1.2\r\nhost: x\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /seen\r\n\r\n",
    "a target that is no path": b"GET seen HTTP/1.1\r\nhost: x\r\n\r\n",
    "an authority as target": b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    "an upgrade with a body": (
        b"GET /control HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"content-length: %d\r\n\r\n" % len(HIDDEN)
    ),
}
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
BROKEN_BODIES = {
    "a chunk that ends with LF": b"5\nhello\r\n0\r\n\r\n",
    "data that ends with LF": b"5\r\nhello\n0\r\n\r\n",
    "data that ends with anything": b"5\r\nhelloXX0\r\n\r\n",
    "a size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size below zero": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size without end": b"f" * 30 + b"\r\nhello\r\n0\r\n\r\n",
    "an extension with a line in it": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a space before an extension": b"5 ;a=b\r\nhello\r\n0\r\n\r\n",
    "a last chunk with LF": b"5\r\nhello\r\n0\n\n",
}


class Seen:
    """An application that notes what it was asked, and reads every body."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def control(stream: Any, head: Any, address: str) -> None:
    raise AssertionError("nobody becomes the link here")


async def attack(bytes_: bytes) -> tuple[Seen, bytes]:
    """Send it in one piece with the hidden request behind it; return what the application saw and was answered."""
    seen = Seen()
    async with in_memory(seen, on_control=control) as (front, connect):
        client = connect()
        try:
            await client.send(bytes_ + HIDDEN)
            await client.stream.send_eof()  # type: ignore[attr-defined]
        except trio.BrokenResourceError:
            pass
        answer = b""
        with trio.fail_after(200):
            while data := await client.stream.receive_some():
                answer += data
        assert front.statistics.failures == 0
    return seen, answer


@pytest.mark.parametrize("name", REFUSED)
async def test_what_may_be_read_in_two_ways_is_refused(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    seen, answer = await attack(REFUSED[name])
    assert seen.paths == []
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ", b"HTTP/1.1 505 "))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("name", BROKEN_BODIES)
async def test_behind_a_broken_body_nothing_is_a_request(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    seen, answer = await attack(CHUNKED + BROKEN_BODIES[name])
    assert "/hidden" not in seen.paths
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("extension", [b"", b";a=b", b';a="b"', b";a\rb", b";" + b"x" * 100])
async def test_chunk_extensions_change_nothing(
    extension: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    seen, answer = await attack(CHUNKED + b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n")
    assert seen.paths == ["/seen", "/hidden"]
    assert answer.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(
    "trailer", [b"content-length: 100\r\n", b"transfer-encoding: chunked\r\n", b"host: y\r\n"]
)
async def test_trailers_change_nothing(trailer: bytes, autojump_clock: trio.testing.MockClock) -> None:
    seen, answer = await attack(CHUNKED + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n")
    assert seen.paths[0] == "/seen"
    assert answer.count(b"HTTP/1.1 200") == len(seen.paths)


async def test_a_chunk_line_without_end_is_not_collected(autojump_clock: trio.testing.MockClock) -> None:
    front = Front(make_site(Seen(), config=FrontConfig(header_bytes_max=1024, linger_s=0.1)))
    ours, theirs = trio.testing.lockstep_stream_pair()
    taken = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(front.handle, theirs)
        await ours.send_all(CHUNKED)

        async def flood() -> None:
            nonlocal taken
            try:
                while True:
                    await ours.send_all(b"5;" + b"x" * 510)
                    taken += 512
            except trio.BrokenResourceError:
                pass

        nursery.start_soon(flood)
        status, _, _ = await Client(ours).response()
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert status in (400, 431)
    assert taken < 1024 * 1024


async def test_too_many_and_too_long_headers(autojump_clock: trio.testing.MockClock) -> None:
    for headers in (b"a: b\r\n" * 4000, b"a: " + b"b" * 20_000 + b"\r\n", b"a" * 20_000 + b": b\r\n"):
        seen, answer = await attack(b"GET /seen HTTP/1.1\r\nhost: x\r\n" + headers + b"\r\n")
        assert seen.paths == []
        assert answer.startswith(b"HTTP/1.1 431 ")
    seen, answer = await attack(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_compressed_body_stays_as_it_came(autojump_clock: trio.testing.MockClock) -> None:
    """A gzip bomb in a request is so many bytes and no more: nothing here unpacks requests."""
    lengths: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        lengths.append(size)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    async with in_memory(app) as (_, connect):
        client = connect()
        head = POST + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
        await client.send(head + bomb)
        assert (await client.response())[0] == 200
    assert lengths == [len(bomb)]
