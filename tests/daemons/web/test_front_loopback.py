"""The front on real sockets: the link's hand-over, TLS, stopping beside a client that stopped reading."""

import socket
import ssl
import struct
from typing import Any

import pytest
import trio
import trio_websocket
import trustme

from daemons.ops.errors import ConfigError, RefusedToStart
from daemons.web.front import FrontConfig, FrontStream, open_listeners, reject, tls_context
from daemons.web.head import Head
from tests.conftest import ErrorLogs
from tests.daemons.web.fronts import Client, Events, on_loopback, starlette_app


async def echo_link(stream: FrontStream, head: Head, peer: str) -> None:
    """What the link does with a connection: judge the head, then let trio-websocket parse it again."""
    assert peer == "127.0.0.1"
    if head.header("Authorization") != "Bearer right":
        await reject(stream, 401, [(b"www-authenticate", b"Bearer")], b"no token")
        return
    async with trio.open_nursery() as nursery:
        request = await trio_websocket.wrap_server_stream(nursery, stream)
        assert request.path == head.target
        ws = await request.accept(subprotocol="pitlink")
        try:
            while True:
                await ws.send_message(await ws.get_message())
        except trio_websocket.ConnectionClosed:
            nursery.cancel_scope.cancel()


RIGHT = [(b"authorization", b"Bearer right")]


async def test_the_link_and_http_share_a_port() -> None:
    async with on_loopback(starlette_app(), on_control=echo_link) as front:
        async with trio_websocket.open_websocket(
            "127.0.0.1",
            front.port,
            "/control?v=1",
            use_ssl=False,
            subprotocols=["pitlink"],
            extra_headers=RIGHT,
        ) as ws:
            assert ws.subprotocol == "pitlink"
            for size in (1, 100_000):
                await ws.send_message(b"x" * size)
                assert await ws.get_message() == b"x" * size
            assert (await (await front.connect()).get("/page"))[2] == b"hello /page"
            await ws.ping()
        # Without the upgrade, or anywhere else, it is a page like any other.
        assert (await (await front.connect()).get("/control"))[2] == b"hello /control"
        upgrade = "connection: upgrade\r\nupgrade: websocket\r\n"
        client = await front.connect()
        assert (await client.get("/elsewhere", headers=upgrade))[0] == 200
        assert (await client.get("/again"))[0] == 200


async def test_the_link_comes_up_on_a_connection_that_served_pages_before() -> None:
    async with on_loopback(starlette_app(), on_control=echo_link) as front:
        tcp = await front.open_tcp()
        assert (await Client(tcp).get("/page"))[0] == 200
        async with tcp, trio.open_nursery() as nursery:
            ws = await trio_websocket.wrap_client_stream(
                nursery, tcp, "x", "/control", subprotocols=["pitlink"], extra_headers=RIGHT
            )
            await ws.send_message("hello")
            assert await ws.get_message() == "hello"
            await ws.aclose()


async def test_a_client_that_does_not_wait_for_101_loses_nothing() -> None:
    received: list[bytes] = []

    async def on_control(stream: FrontStream, head: Head, peer: str) -> None:
        while data := await stream.receive_some(7):
            received.append(bytes(data))
            assert len(data) <= 7

    request = b"GET /control HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\n"
    async with on_loopback(starlette_app(), on_control=on_control) as front:
        client = await front.connect()
        await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" + request + b"early ")
        assert (await client.response())[2] == b"hello /"
        await client.send(b"late")
        assert isinstance(client.stream, trio.SocketStream)
        await client.stream.send_eof()
        assert await client.at_end()
    assert b"".join(received) == request + b"early late"


async def test_an_upgrade_can_be_answered_with_plain_http() -> None:
    rejections: list[trio_websocket.ConnectionRejected] = []

    def keep(rejection: trio_websocket.ConnectionRejected) -> bool:
        rejections.append(rejection)
        return True

    async with on_loopback(starlette_app(), on_control=echo_link) as front:
        stream = await front.open_tcp()
        with pytest.RaisesGroup(pytest.RaisesExc(trio_websocket.ConnectionRejected, check=keep)):
            async with stream, trio.open_nursery() as nursery:
                await trio_websocket.wrap_client_stream(nursery, stream, "x", "/control")
    rejection = rejections[-1]
    assert (rejection.status_code, rejection.body) == (401, b"no token")
    assert rejection.headers is not None
    assert (b"www-authenticate", b"Bearer") in rejection.headers


async def test_a_link_that_fails_takes_nothing_with_it(error_logs: ErrorLogs) -> None:
    async def on_control(stream: FrontStream, head: Head, peer: str) -> None:
        raise LookupError("the link's own mistake")

    async with on_loopback(starlette_app(), on_control=on_control) as front:
        for _ in range(2):
            client = await front.connect()
            await client.send(b"GET /control HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\r\n")
            assert await client.at_end()
            error_logs.expect("connection.failed peer='127.0.0.1'")
        assert (await (await front.connect()).get("/"))[0] == 200


async def test_the_link_is_let_in_when_pages_are_full() -> None:
    config = FrontConfig(connections_max=1, linger_s=0.2)
    async with on_loopback(starlette_app(), on_control=echo_link, config=config) as front:
        assert (await (await front.connect()).get("/"))[0] == 200
        refused = await front.connect()
        assert (await refused.get("/"))[0] == 503
        assert await refused.at_end()
        async with trio_websocket.open_websocket(
            "127.0.0.1", front.port, "/control", use_ssl=False, extra_headers=RIGHT, subprotocols=["pitlink"]
        ) as ws:
            await ws.send_message("hello")
            assert await ws.get_message() == "hello"


async def test_stopping_beside_clients_that_stopped_reading() -> None:
    endless = 32 * 1024 * 1024

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(endless)})

    config = FrontConfig(drain_s=0.3, write_timeout_s=60)
    async with on_loopback(app, config=config) as front:
        clients = [await front.connect() for _ in range(4)]
        for client in clients:
            await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert await client.stream.receive_some(100)
        start = trio.current_time()
        await front.front.drain()
        assert trio.current_time() - start < 1.5
        with pytest.raises(OSError, match=r"refused|failed"):
            await front.connect()


async def test_a_slow_reader_is_served_as_long_as_it_reads() -> None:
    size = 2 * 1024 * 1024

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]}
        )
        await send({"type": "http.response.body", "body": bytes(size)})

    # The whole takes longer than the deadline, no 32 KiB of it does.
    async with on_loopback(app, config=FrontConfig(write_timeout_s=0.4)) as front:
        client = await front.connect()
        assert isinstance(client.stream, trio.SocketStream)
        client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        read = 0
        while read < size:
            data = await client.stream.receive_some(128 * 1024)
            assert data, f"given up after {read} bytes"
            read += len(data)
            await trio.sleep(0.02)
        assert front.statistics.write_timeouts == 0


async def test_a_client_that_resets_is_noticed_while_a_stream_is_silent() -> None:
    app = Events()
    async with on_loopback(app) as front:
        client = await front.connect()
        await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await client.stream.receive_some()
        assert isinstance(client.stream, trio.SocketStream)
        client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await client.stream.aclose()
        with trio.fail_after(5):
            await app.left.wait()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /echo HTTP/1.1\r\ncontent-length: 2000000\r\n", 413),
        (b"POST /ignore HTTP/1.1\r\ncontent-length: 1000000\r\n", 202),
        (b"GET /control HTTP/1.1\r\nupgrade: websocket\r\n", 401),
    ],
)
async def test_an_answer_reaches_a_client_that_is_still_sending(head: bytes, status: int) -> None:
    """Closing with unread input resets the connection, and a reset makes the client's kernel drop the answer."""
    config = FrontConfig(linger_s=2)
    async with on_loopback(starlette_app(), on_control=echo_link, config=config) as front:
        client = await front.connect()
        await client.send(head + b"host: x\r\n\r\n" + bytes(20_000))
        for _ in range(8):  # a client that is reset notices soon
            await trio.sleep(0.05)
            await client.send(bytes(20_000))
        assert (await client.response())[0] == status


# --- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA, tmp_path: Any) -> ssl.SSLContext:
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    return tls_context(tmp_path / "cert.pem", tmp_path / "key.pem")


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_http_and_the_link_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with on_loopback(starlette_app(), on_control=echo_link, tls=server_tls) as front:
        stream = trio.SSLStream((await front.connect()).stream, client_tls, server_hostname="localhost")
        client = Client(stream)
        assert (await client.get("/secure"))[2] == b"hello /secure"
        await client.send(
            b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n" + bytes(300_000)
        )
        assert (await client.response())[2] == bytes(300_000)
        async with trio_websocket.open_websocket(
            "localhost",
            front.port,
            "/control",
            use_ssl=client_tls,
            extra_headers=RIGHT,
            subprotocols=["pitlink"],
        ) as ws:
            await ws.send_message(b"x" * 100_000)
            assert await ws.get_message() == b"x" * 100_000


async def test_handshakes_that_fail_or_do_not_come(server_tls: ssl.SSLContext) -> None:
    async with on_loopback(starlette_app(), tls=server_tls, config=FrontConfig(tls_timeout_s=0.3)) as front:
        plain = await front.connect()
        await plain.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        silent = await front.connect()
        for client in (plain, silent):
            with trio.fail_after(5):
                try:
                    while await client.stream.receive_some():
                        pass
                except trio.BrokenResourceError:
                    pass
        assert front.statistics.failures == 0


async def test_stopping_beside_tls_clients_that_stopped_reading(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(32 * 1024 * 1024)})

    config = FrontConfig(drain_s=0.3, write_timeout_s=60)
    async with on_loopback(app, config=config, tls=server_tls) as front:
        tcp = (await front.connect()).stream
        stream = trio.SSLStream(tcp, client_tls, server_hostname="localhost")
        await stream.send_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await stream.receive_some(100)
        start = trio.current_time()
        await front.front.drain()
        assert trio.current_time() - start < 1.5


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*: No such file"):
        tls_context(tmp_path / "cert.pem", tmp_path / "key.pem")
    (tmp_path / "cert.pem").write_text("not a certificate")
    (tmp_path / "key.pem").write_text("not a key")
    with pytest.raises(ConfigError, match="are not a certificate chain and its key"):
        tls_context(tmp_path / "cert.pem", tmp_path / "key.pem")


# --- ports --------------------------------------------------------------------------------------------------


async def test_every_address_of_a_name_gets_the_same_port() -> None:
    listeners = await open_listeners("localhost", 0)
    assert len({listener.socket.getsockname()[1] for listener in listeners}) == 1
    with pytest.raises(RefusedToStart, match="is taken by another program"):
        await open_listeners("localhost", listeners[0].socket.getsockname()[1])
    for listener in listeners:
        await listener.aclose()


async def test_a_name_that_is_not_this_machine() -> None:
    with pytest.raises(RefusedToStart, match=r"'192.0.2.1' is not an address of this machine"):
        await open_listeners("192.0.2.1", 0)
