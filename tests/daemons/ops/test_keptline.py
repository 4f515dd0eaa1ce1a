"""Questions in a row on one connection: how many are opened, when one is asked again, and when never."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme

from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError, Unreachable
from tests.daemons.ops.admin.office import open_door

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + b'{"result": 1}'


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.01)


async def test_questions_in_a_row_are_one_connection(tmp_path: Path) -> None:
    async with open_door(tmp_path) as (office, plain):
        statistics = office.fronts[0].statistics
        async with plain.kept() as daemon:
            for level in range(1, 6):
                assert (await daemon.status())["daemon"] == "office"
                assert await daemon.act("level.set", level=level) == {"level": level}
                with pytest.raises(AdminError, match="there is no action"):
                    await daemon.act("nothing")
                async with daemon.log(count=3) as lines:
                    assert [line async for line in lines] == []
            assert (statistics.accepted, statistics.open) == (1, 1)
        await until(lambda: statistics.open == 0)
        for _ in range(3):
            await plain.status()
        assert statistics.accepted == 4, "who asks once has a connection for that"


async def test_what_is_asked_at_the_same_time_does_not_wait_and_one_connection_rests(tmp_path: Path) -> None:
    async with open_door(tmp_path) as (office, plain), plain.kept() as daemon:
        statistics = office.fronts[0].statistics
        async with daemon.log(follow=True):
            await daemon.status()
            assert statistics.open == 2, "a log that is followed has its own"
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(daemon.status)
            await until(lambda: statistics.open == 2)
        await until(lambda: statistics.open == 1)
        asked = statistics.accepted
        for _ in range(5):
            await daemon.status()
        assert statistics.accepted == asked


async def test_a_daemon_that_was_started_again_is_asked_on_a_new_connection(tmp_path: Path) -> None:
    async with AdminClient(tmp_path / ADMIN_SOCKET).kept() as daemon:
        async with open_door(tmp_path):
            await daemon.status()
        with pytest.raises(Unreachable, match="no daemon listens there"):
            await daemon.status()
        async with open_door(tmp_path) as (office, _):
            await daemon.status()
            assert office.fronts[0].statistics.accepted == 1
            await daemon.act("level.set", level=2)
            assert (office.level, len(office.rows())) == (2, 1)


async def test_one_that_was_given_up_is_not_used_again(tmp_path: Path) -> None:
    async with open_door(tmp_path) as (office, plain), plain.kept() as daemon:
        await daemon.status()
        async with daemon.log(follow=True) as lines:
            with trio.move_on_after(0.01):
                await anext(lines)
        await daemon.status()
        assert office.fronts[0].statistics.accepted == 2


@asynccontextmanager
async def answering(*turns: bytes) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve on loopback: each request is answered by the next turn, b"" closes instead. Gives the URL and what was asked."""
    asked: list[str] = []
    left = list(turns)

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            while request := await stream.receive_some(65536):
                asked.append(request.partition(b" HTTP")[0].decode())
                answer = left.pop(0)
                if not answer:
                    return
                await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}", asked
        nursery.cancel_scope.cancel()


async def test_what_only_asks_is_asked_once_more_when_a_kept_connection_brings_nothing() -> None:
    async with answering(OK, b"", OK) as (url, asked), AdminClient(url).kept() as daemon:
        await daemon.status()
        await daemon.status()
        assert asked == ["GET /admin/status"] * 3


async def test_only_once_more() -> None:
    async with answering(OK, b"", b"") as (url, asked), AdminClient(url).kept() as daemon:
        await daemon.status()
        with pytest.raises(Unreachable):
            await daemon.status()
        assert len(asked) == 3


async def test_a_deed_is_never_asked_for_twice() -> None:
    async with answering(OK, b"", OK) as (url, asked), AdminClient(url).kept() as daemon:
        await daemon.status()
        with pytest.raises(Unreachable, match="closed without an answer"):
            await daemon.act("pause")
        assert asked == ["GET /admin/status", "POST /admin/actions/pause"]
        assert await daemon.act("pause") == 1


async def test_a_new_connection_that_brings_nothing_is_not_asked_again() -> None:
    async with answering(b"", OK) as (url, asked), AdminClient(url).kept() as daemon:
        with pytest.raises(Unreachable):
            await daemon.status()
        assert len(asked) == 1


async def test_an_end_that_has_come_is_seen_before_a_deed_is_put_there() -> None:
    """The daemon closed it while it rested: the deed is asked for on a new one, the first time."""
    ended = trio.Event()
    asked: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            asked.append(await stream.receive_some(65536))
            await stream.send_all(OK)
        ended.set()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        async with AdminClient(url).kept() as daemon:
            assert await daemon.act("one") == 1
            await ended.wait()
            ended = trio.Event()
            assert await daemon.act("two") == 1
            await ended.wait()
        assert [request.split()[1] for request in asked] == [b"/admin/actions/one", b"/admin/actions/two"]
        nursery.cancel_scope.cancel()


async def test_through_tls_there_is_one_handshake() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    handshakes = 0

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        nonlocal handshakes
        await stream.do_handshake()
        handshakes += 1
        while await stream.receive_some(65536):
            await stream.send_all(OK)
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(
            partial(trio.serve_ssl_over_tcp, serve, 0, context, host="127.0.0.1")
        )
        url = f"https://localhost:{listener.transport_listener.socket.getsockname()[1]}"
        async with AdminClient(url, "pl_x", trust).kept() as daemon:
            for _ in range(5):
                assert await daemon.status() == {"result": 1}
                assert await daemon.act("pause") == 1
        assert handshakes == 1
        nursery.cancel_scope.cancel()
