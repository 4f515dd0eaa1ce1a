"""The origin client against servers that are not FPVTrackside, or FPVTrackside on a bad day."""

import gzip
from collections.abc import Awaitable, Callable

import pytest
import trio

from daemons.race.origin import LocalOrigin, OriginLimits, OriginState, check_origin_url
from protocol.errors import ErrorCode, RequestError
from tests.daemons.race.origins import QUICK, RACE, UTC_S, fails, raw_server, running, until

OK = b"HTTP/1.1 200 OK\r\n"


def answer(body: bytes, headers: bytes = b"", status: bytes = OK) -> bytes:
    return status + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def saying(data: bytes) -> Callable[[trio.SocketStream], Awaitable[None]]:
    async def handler(stream: trio.SocketStream) -> None:
        await stream.send_all(data)

    return handler


BAD = {
    "html where json is due": answer(
        b"<html><body>router login</body></html>", b"Content-Type: text/html\r\n"
    ),
    "a cut of json": answer(b'[{"ID": "x", "Laps": ['),
    "invalid utf-8": answer(b'[{"Name": "\xff"}]'),
    "utf-16": answer('[{"Name": "x"}]'.encode("utf-16")),
    "nested deep": answer(b"[" * 300_000 + b"]" * 300_000),
    "the wrong type": answer(b'{"ID": "x"}', b"Content-Type: application/json\r\n"),
    "a number": answer(b"3"),
    "nan": answer(b'[{"x": NaN}]'),
    "digits without end": answer(b'[{"x": ' + b"1" * 100_000 + b"}]"),
    "zeros": answer(b"\0" * 10_000),
    "compressed unasked": answer(gzip.compress(b"[{}]"), b"Content-Encoding: gzip\r\n"),
    "a bomb": answer(gzip.compress(b" " * 20_000_000), b"Content-Encoding: gzip\r\n"),
    "a json error page": answer(b'[{"error": "x"}]', status=b"HTTP/1.1 500 Internal Server Error\r\n"),
    "a redirect": answer(b"", b"Location: http://localhost:1/x\r\n", b"HTTP/1.1 302 Found\r\n"),
    "a 404 page": answer(b"<html></html>", status=b"HTTP/1.1 404 Not Found\r\n"),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a torn body without length": OK + b"\r\n[{",
}

BROKEN = {
    "nothing": b"",
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a body cut short": OK + b"Content-Length: 100\r\n\r\n[{}",
    "chunks cut short": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[{}]",
    "chunks that are none": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "lengths at odds": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
    "a negative length": OK + b"Content-Length: -1\r\n\r\n[]",
    "a head without end": OK + b"X: " + b"y" * 300_000,
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_answers_are_invalid(name: str) -> None:
    async with raw_server(saying(BAD[name])) as url, running(url, QUICK) as origin:
        await fails(origin, RACE, ErrorCode.ORIGIN_INVALID)
        assert origin.statistics().good == 0
        assert origin.statistics().sent in (1, 3)


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_answers_are_tried_once_more(name: str) -> None:
    async with raw_server(saying(BROKEN[name])) as url, running(url) as origin:
        assert "does not answer" in await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)
        assert origin.statistics().sent == 2
        assert origin.state is OriginState.SILENT


async def test_a_body_without_length_ends_with_the_connection() -> None:
    async with raw_server(saying(OK + b"\r\n[{}]")) as url, running(url) as origin:
        assert (await origin.fetch(RACE)).body == b"[{}]"


async def test_a_huge_body_without_length_is_read_to_its_end_and_never_held() -> None:
    part = b" " * 65_536
    ended = trio.Event()

    async def handler(stream: trio.SocketStream) -> None:
        await stream.send_all(OK + b"\r\n[")
        for _ in range(400):
            await stream.send_all(part)
        ended.set()

    limits = OriginLimits(body_bytes=1_000_000)
    async with raw_server(handler) as url, running(url, limits) as origin:
        await fails(origin, RACE, ErrorCode.TOO_LARGE)
        assert not ended.is_set()
        with trio.fail_after(5):
            await ended.wait()
        await until(lambda: origin.statistics().in_flight == 0)
        assert origin.statistics().too_large == 1
        assert origin.statistics().body_bytes == 0


async def test_a_body_without_end_is_given_up_by_the_last_limit() -> None:
    async def handler(stream: trio.SocketStream) -> None:
        await stream.send_all(OK + b"\r\n[")
        while True:
            await stream.send_all(b" " * 1000)
            await trio.sleep(0.01)

    limits = OriginLimits(body_bytes=3000, fetch_s=0.2, read_s=0.4)
    async with raw_server(handler) as url, running(url, limits) as origin:
        await fails(origin, RACE, ErrorCode.TOO_LARGE)
        await until(lambda: origin.statistics().aborted_late == 1)


async def test_a_server_that_never_answers_is_silent() -> None:
    async def handler(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with raw_server(handler) as url, running(url, OriginLimits(fetch_s=0.1, read_s=0.2)) as origin:
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        assert origin.state is OriginState.SILENT


async def test_a_name_that_does_not_resolve_is_silent() -> None:
    async with running("http://no-such-laptop.invalid:8080") as origin:
        await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)
        assert origin.state is OriginState.SILENT


async def test_no_cookie_comes_back() -> None:
    heads: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        heads.append(await stream.receive_some())
        await stream.send_all(answer(b"[]", b"Set-Cookie: a=b\r\n"))
        await stream.send_eof()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        async with running(f"http://localhost:{listeners[0].socket.getsockname()[1]}") as origin:
            await origin.fetch(RACE)
            await origin.fetch(RACE)
        nursery.cancel_scope.cancel()
    assert len(heads) == 2
    assert not any(b"cookie" in head.lower() for head in heads)


async def test_a_monstrous_content_type_is_left_out() -> None:
    data = answer(b"[]", b"Content-Type: " + b"x" * 500 + b"\r\n")
    async with raw_server(saying(data)) as url, running(url) as origin:
        assert (await origin.fetch(RACE)).content_type is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "https://localhost",
        "http://",
        "http://u:p@localhost",
        "http://localhost/x",
        "http://a?b",
        "http://a:b",
    ],
)
def test_a_url_is_a_host_and_a_port(url: str) -> None:
    with pytest.raises(ValueError, match=r"localhost|not a URL"):
        check_origin_url(url)
    with pytest.raises(ValueError, match=r"localhost|not a URL"):
        LocalOrigin(url, utc_now=lambda: UTC_S)


def test_a_slash_at_the_end_of_the_url_is_no_matter() -> None:
    assert check_origin_url("http://localhost:8080/") == "http://localhost:8080"


async def test_an_error_is_not_shared_between_callers() -> None:
    caught: list[RequestError] = []

    async with raw_server(saying(answer(b"3"))) as url, running(url) as origin:

        async def ask() -> None:
            try:
                await origin.fetch(RACE)
            except RequestError as exc:
                caught.append(exc)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
    first, second = caught
    assert first is not second
    assert (first.code, first.words) == (second.code, second.words)
