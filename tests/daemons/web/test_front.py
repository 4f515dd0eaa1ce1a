"""The front over memory streams: what HTTP promises, request by request."""

from typing import Any

import pytest
import trio
import trio.testing
from attrs import fields

from daemons.web import listeners
from daemons.web.connection import FrontStatistics
from daemons.web.front import FrontConfig
from daemons.web.head import Head
from daemons.web.readings import front_readings
from daemons.web.streams import FrontStream
from daemons.web.upgrade import OnControl
from tests.conftest import ErrorLogs
from tests.daemons.web.fronts import Client, in_memory, starlette_app


async def test_answers_and_keeps_the_connection() -> None:
    async with in_memory(starlette_app()) as (front, connect):
        client = connect()
        for number in range(3):
            status, headers, body = await client.get(f"/a%20b/{number}?q=1")
            assert (status, body) == (200, f"hello /a b/{number} q=1".encode())
            assert headers["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
            assert "connection" not in headers
        assert (front.statistics.accepted, front.statistics.requests) == (1, 3)


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with in_memory(starlette_app()) as (_, connect):
        client = connect()
        requests = b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % n for n in range(20))
        await client.send(
            requests + b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabcGET /last HT"
        )
        for number in range(20):
            assert (await client.response())[2] == b"hello /%d" % number
        assert (await client.response())[2] == b"abc"
        await client.send(b"TP/1.1\r\nhost: x\r\n\r\n")
        assert (await client.response())[2] == b"hello /last"


async def test_one_byte_at_a_time() -> None:
    async with in_memory(starlette_app()) as (_, connect):
        client = connect()
        for (
            byte
        ) in b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
            await client.send(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()
        assert (await client.response())[2] == b"abc"


@pytest.mark.parametrize("path", ["/", "/stream"])
async def test_head_has_the_head_of_get_and_no_body(path: str) -> None:
    async with in_memory(starlette_app()) as (_, connect):
        client = connect()
        _, of_get, body = await client.get(path)
        status, of_head, nothing = await client.get(path, method="HEAD")
        assert body
        assert (status, nothing, of_head) == (200, b"", of_get)
        assert (await client.get("/after"))[2] == b"hello /after"


async def test_streams_leave_in_chunks() -> None:
    async with in_memory(starlette_app()) as (_, connect):
        client = connect()
        status, headers, body = await client.get("/stream")
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        assert body == b"part 0\npart 1\npart 2\n"


async def test_http_1_0_and_connection_close_are_closed() -> None:
    async with in_memory(starlette_app()) as (_, connect):
        for request in (b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"):
            client = connect()
            await client.send(request)
            assert (await client.response())[2] == b"hello /"
            assert await client.at_end()


async def test_absolute_targets_and_others() -> None:
    async with in_memory(starlette_app()) as (_, connect):
        client = connect()
        assert (await client.get("http://elsewhere/a?b"))[2] == b"hello /a b"
        assert (await client.get("*", method="OPTIONS"))[0] == 400
        assert await client.at_end()


@pytest.mark.parametrize(
    ("request_head", "status"),
    ids=[
        "garbage",
        "no-host",
        "two-framings",
        "bad-chunk",
        "long-head",
        "endless-head",
        "long",
        "long-chunked",
    ],
    argvalues=[
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nlong: " + b"a" * 17_000 + b"\r\n\r\n", 431),  # whole in one read
        (b"GET / HTTP/1.1\r\nhost: x\r\nlong: " + b"a" * 17_000, 431),  # without an end
        (b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n" + b"a" * 1001, 413),
    ],
)
async def test_what_cannot_be_served_is_refused_and_closed(
    request_head: bytes, status: int, error_logs: ErrorLogs
) -> None:
    async with in_memory(starlette_app(), config=FrontConfig(body_bytes_max=1000, linger_s=0.2)) as (
        front,
        connect,
    ):
        client = connect()
        await client.send(request_head)
        assert (await client.response())[0] == status
        assert await client.at_end()
        assert front.statistics.failures == 0


async def test_a_body_of_the_limit_is_taken() -> None:
    async with in_memory(starlette_app(), config=FrontConfig(body_bytes_max=1000)) as (_, connect):
        client = connect()
        await client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n" + b"a" * 1000)
        assert (await client.response())[2] == b"a" * 1000


async def test_expect_100_continue() -> None:
    async with in_memory(starlette_app()) as (_, connect):
        client = connect()
        await client.send(
            b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n"
        )
        await trio.testing.wait_all_tasks_blocked()
        assert await client.stream.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"abc")
        assert (await client.response())[2] == b"abc"


async def test_a_short_body_nobody_reads_is_skipped_a_long_one_ends_the_connection() -> None:
    async with in_memory(starlette_app()) as (_, connect):
        client = connect()
        await client.send(b"POST /ignore HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n" + b"a" * 1000)
        assert (await client.response())[0] == 202
        assert (await client.get("/on"))[2] == b"hello /on"
        await client.send(
            b"POST /ignore HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n" + b"a" * 200_000
        )
        assert (await client.response())[0] == 202
        with trio.fail_after(5):
            assert await client.at_end()


async def test_a_handler_exception_is_500_once_and_an_error_log(error_logs: ErrorLogs) -> None:
    async with in_memory(starlette_app()) as (front, connect):
        client = connect()
        status, _, body = await client.get("/boom?token=secret")
        assert (status, body) == (500, b"Internal Server Error")  # Starlette's own; the front adds none
        assert (await client.get("/next"))[2] == b"hello /next"
        assert front.statistics.failures == 1
    assert not any("secret" in line for line in error_logs)
    error_logs.expect("request.failed method='GET' path='/boom'")


async def test_a_bare_application_that_fails_is_answered_for(error_logs: ErrorLogs) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/late":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        if scope["path"] != "/nothing":
            raise LookupError(scope["path"])

    async with in_memory(app) as (_, connect):
        for path in ("/early", "/nothing"):
            client = connect()
            assert (await client.get(path))[0] == 500
            assert await client.at_end()
            error_logs.expect(f"request.failed method='GET' path='{path}'")
        client = connect()
        await client.send(b"GET /late HTTP/1.1\r\nhost: x\r\n\r\n")
        with pytest.raises(Exception, match="closed connection without sending complete message body"):
            await client.response()  # torn, so that the client can tell
        error_logs.expect("request.failed method='GET' path='/late'")


async def test_a_ready_answer_comes_before_the_application() -> None:
    prepared = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nready"

    def ready(head: Head) -> bytes | None:
        if head.target == "/bug":
            raise LookupError("in ready")
        return prepared if head.target == "/page" and head.method == "GET" else None

    async with in_memory(starlette_app(), ready=ready) as (front, connect):
        client = connect()
        await client.send(
            b"GET /page HTTP/1.1\r\nhost: x\r\n\r\n" * 3 + b"GET /other HTTP/1.1\r\nhost: x\r\n\r\n"
        )
        for _ in range(3):
            assert (await client.response())[2] == b"ready"
        assert (await client.response())[2] == b"hello /other"
        await client.send(b"GET /page HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await client.response())[2] == b"ready"
        assert await client.at_end()
        assert front.statistics.ready_answers == 4


async def test_a_failing_ready_is_500(error_logs: ErrorLogs) -> None:
    def ready(head: Head) -> bytes | None:
        raise LookupError("in ready")

    async with in_memory(starlette_app(), ready=ready) as (_, connect):
        assert (await connect().get("/bug"))[0] == 500
    error_logs.expect("request.failed")


async def test_the_application_sees_the_client_behind_a_trusted_proxy_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})

    header = "x-forwarded-for: 6.6.6.6, 198.51.100.7, 10.0.0.9\r\n"
    async with in_memory(app) as (_, connect):
        assert (await connect().get("/", headers=header))[2] == b"unknown"
    monkeypatch.setattr(listeners, "UNKNOWN_PEER", ("192.0.2.1", 0))
    async with in_memory(app, config=FrontConfig(trusted_proxies=("192.0.2.1", "10.0.0.9"))) as (_, connect):
        assert (await connect().get("/", headers=header))[2] == b"198.51.100.7"


def test_every_count_is_a_figure_of_its_own() -> None:
    names = {reading.name for reading in front_readings(FrontStatistics())}
    assert names == {f"http_{a.name}" for a in fields(FrontStatistics)} - {"http_open"} | {"http_connections"}


async def test_limits_on_connections() -> None:
    config = FrontConfig(connections_per_peer_max=3, linger_s=0.1)
    async with in_memory(starlette_app(), config=config) as (front, connect):
        clients = [connect() for _ in range(3)]
        for client in clients:
            assert (await client.get("/"))[0] == 200
        refused = connect()
        status, headers, _ = await refused.get("/")
        assert (status, headers["retry-after"], headers["connection"]) == (503, "5", "close")
        assert await refused.at_end()
        await clients[0].stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.2)
        assert (await connect().get("/"))[0] == 200
        assert (front.statistics.open, front.statistics.refused) == (3, 1)


async def test_far_past_the_limit_connections_are_just_closed() -> None:
    release = trio.Event()

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()

    async with in_memory(busy, config=FrontConfig(connections_max=1), on_control=hold(release)) as (
        front,
        connect,
    ):
        held: list[Client] = [connect() for _ in range(65)]
        for client in held:
            await client.send(CONTROL)
        await trio.testing.wait_all_tasks_blocked()
        assert (front.statistics.open, front.statistics.evicted) == (len(held), 0)
        assert await connect().at_end()
        assert front.statistics.refused == 1


CONTROL = b"GET /control HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"


def hold(release: trio.Event) -> OnControl:
    async def on_control(stream: FrontStream, head: Head, address: str) -> None:
        await release.wait()

    return on_control


async def test_one_address_cannot_take_all_the_room() -> None:
    config = FrontConfig(connections_max=1000, connections_per_peer_max=2)
    async with in_memory(starlette_app(), config=config) as (front, connect):
        held = [connect() for _ in range(18)]
        await trio.testing.wait_all_tasks_blocked()
        assert front.statistics.open == len(held)
        assert await connect().at_end()


async def test_who_says_nothing_makes_room_for_who_does(autojump_clock: trio.testing.MockClock) -> None:
    config = FrontConfig(connections_max=3, connections_per_peer_max=1000, header_timeout_s=100)
    async with in_memory(starlette_app(), config=config) as (front, connect):
        silent = []
        for _ in range(3):  # one after the other, so that it is known who has waited longest
            silent.append(connect())
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(1)
        status, headers, _ = await connect().get("/")  # those may be about to ask
        assert (status, headers["retry-after"]) == (503, "5")
        await trio.sleep(2)
        spoken = connect()
        assert (await spoken.get("/"))[0] == 200
        assert await silent[0].at_end()
        assert front.statistics.evicted == 1
        assert (await silent[1].get("/"))[0] == 200
        for _ in range(200):  # a flood of half-open connections turns over among itself
            connect()
            await trio.testing.wait_all_tasks_blocked()
        assert front.statistics.open <= 3 + 64 + 1
        await trio.sleep(3)
        assert (await connect().get("/"))[0] == 200
