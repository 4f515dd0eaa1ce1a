"""The API: what is refused in words, leases, metrics while connections are open, and who gets in."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import trio

from chaos.faults import FAULTS, Placed, Stream, read_fault, show_fault
from chaos.proxy.api import Answer, answer
from chaos.proxy.board import Board
from chaos.proxy.http import SocketInUse, serve_tcp_api, serve_unix_api
from tests.chaos.proxy.ends import is_reset, is_silent, open_bench, read


async def ask(board: Board, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    found: Answer = await answer(board, method, path, b"" if body is None else json.dumps(body).encode())
    return found.status, json.loads(found.body) if found.body else None


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/proxies/none", None, 404),
        ("DELETE", "/proxies/none", None, 404),
        ("GET", "/nothing", None, 404),
        ("POST", "/proxies", {"name": "x"}, 400),
        ("POST", "/proxies", {"name": "relay", "upstream": "127.0.0.1:1"}, 409),
        ("POST", "/proxies", {"name": "x", "upstream": "nowhere"}, 400),
        ("POST", "/proxies", {"name": "x/y", "upstream": "127.0.0.1:1"}, 400),
        ("POST", "/proxies", {"name": "x", "upstream": "127.0.0.1:1", "enabled": "yes"}, 400),
        ("POST", "/proxies", [], 400),
        ("POST", "/populate", {}, 400),
        ("POST", "/proxies/relay/toxics", {"type": "nonsense"}, 400),
        ("POST", "/proxies/relay/toxics", {"type": "latency", "stream": "sideways"}, 400),
        ("POST", "/proxies/relay/toxics", {"type": "latency", "toxicity": 2}, 400),
        ("POST", "/proxies/relay/toxics", {"type": "latency", "attributes": {"latency": -1}}, 400),
        ("POST", "/proxies/relay/toxics", {"type": "latency", "attributes": {"latency": "1"}}, 400),
        ("POST", "/proxies/relay/toxics", {"type": "latency", "attributes": {"distribution": "?"}}, 400),
        ("POST", "/proxies/relay/toxics", {"type": "latency", "attributes": [1]}, 400),
        ("POST", "/proxies/relay/toxics", {"type": "latency", "lease_ms": -5}, 400),
        ("POST", "/proxies/relay/toxics/none", {}, 404),
        ("DELETE", "/proxies/relay/toxics/none", None, 404),
    ],
)
async def test_what_cannot_be_is_refused_in_words(method: str, path: str, body: Any, status: int) -> None:
    async with open_bench() as bench:
        got, shown = await ask(bench.board, method, path, body)
        assert got == status
        assert shown["status"] == status
        assert shown["error"]
        assert set(bench.board.proxies) == {"relay"}
        assert not bench.proxy.placed


async def test_no_json_and_a_port_that_is_taken() -> None:
    async with open_bench() as bench:
        assert (await answer(bench.board, "POST", "/proxies", b"{")).status == 400
        assert (await answer(bench.board, "POST", "/proxies", b"[" * 100_000)).status == 400
        taken = {"name": "x", "upstream": "127.0.0.1:1", "listen": bench.proxy.listen}
        assert (await ask(bench.board, "POST", "/proxies", taken))[0] == 500
        assert set(bench.board.proxies) == {"relay"}


@pytest.mark.parametrize("kind", [kind for kind, fault in FAULTS.items() if fault.knows_messages])
async def test_what_needs_to_see_messages_is_refused(kind: str) -> None:
    fault = read_fault(kind, {})
    assert read_fault(kind, show_fault(fault)) == fault
    async with open_bench() as bench:
        status, shown = await ask(bench.board, "POST", "/proxies/relay/toxics", {"type": kind})
        assert (status, bench.proxy.placed) == (400, {})
        assert f"{kind} needs to see messages" in shown["error"]


@pytest.mark.parametrize("kind", [kind for kind, fault in FAULTS.items() if not fault.knows_messages])
async def test_every_fault_goes_there_and_back_and_can_be_set_and_removed(kind: str, tmp_path: Path) -> None:
    (tmp_path / "line").write_text("1\n")
    attributes = {"file": str(tmp_path / "line")} if kind == "trace" else {}
    fault = read_fault(kind, attributes)
    assert read_fault(kind, show_fault(fault)) == fault
    async with open_bench() as bench:
        await bench.pair()
        path = "/proxies/relay/toxics"
        asked = {"type": kind, "stream": "both", "attributes": attributes}
        status, shown = await ask(bench.board, "POST", path, asked)
        assert (status, shown["name"], shown["stream"]) == (200, f"{kind}_both", "both")
        assert (await ask(bench.board, "POST", path, asked))[0] == 409
        assert (await ask(bench.board, "PATCH", f"{path}/{kind}_both", {"toxicity": 0.5}))[1][
            "toxicity"
        ] == 0.5
        assert (await ask(bench.board, "DELETE", f"{path}/{kind}_both"))[0] == 204
        assert (await ask(bench.board, "GET", path)) == (200, [])
        if kind not in ("timeout", "half_open", "reset_peer", "fin", "limit_time", "limit_data", "outage"):
            assert bench.proxy.counts.resets == 0


async def test_what_nobody_renews_ends_by_itself() -> None:
    async with open_bench(lease_s=0.3) as bench:
        client, server = await bench.pair()
        path = "/proxies/relay/toxics"
        _, shown = await ask(bench.board, "POST", path, {"type": "silence", "stream": "both"})
        assert 0 < shown["lease_left_ms"] <= 300
        await client.send_all(b"x")
        for _ in range(4):
            assert await is_silent(server, 0.15)
            assert (await ask(bench.board, "POST", "/renew"))[1] == {"renewed": 1}
        assert await read(server, 1) == b"x"
        assert bench.proxy.counts.leases_ended == 1
        await ask(bench.board, "POST", "/proxies/relay", {"enabled": False, "lease_ms": 100})
        assert not bench.proxy.enabled
        while not bench.proxy.enabled:
            await trio.sleep(0.02)
        _, shown = await ask(bench.board, "POST", path, {"type": "reset_peer", "lease_ms": 60_000})
        assert await is_reset(await bench.dial())
        assert shown["lease_left_ms"] > 50_000
        assert (await ask(bench.board, "POST", "/reset"))[0] == 204
        assert (await ask(bench.board, "POST", "/renew"))[1] == {"renewed": 0}


async def test_metrics_count_while_connections_are_open() -> None:
    async with open_bench() as bench:
        client, server = await bench.pair()
        bench.proxy.place(Placed("late", read_fault("latency", {"latency": 50}), Stream.UPSTREAM))
        await client.send_all(bytes(1000))
        await read(server, 1000)
        found = await answer(bench.board, "GET", "/metrics", b"")
        lines = found.body.decode().splitlines()
        assert 'pitlink_chaos_open_connections{proxy="relay"} 1' in lines
        assert 'pitlink_chaos_connections_total{proxy="relay"} 1' in lines
        assert 'pitlink_chaos_sent_bytes_total{proxy="relay",direction="upstream"} 1000' in lines
        assert 'pitlink_chaos_applied_total{proxy="relay",type="latency"} 1' in lines
        delay = next(line for line in lines if line.startswith("pitlink_chaos_delay_seconds_total"))
        assert float(delay.split()[1]) > 0.045


async def raw(stream: trio.SocketStream, head: str, body: bytes = b"") -> bytes:
    await stream.send_all(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    with trio.fail_after(10):
        return bytes(await stream.receive_some(65536))


async def test_on_loopback_nobody_gets_in_without_the_token() -> None:
    token = "the-token-of-this-test"
    basic = base64.b64encode(f"any:{token}".encode()).decode()
    async with open_bench() as bench, trio.open_nursery() as nursery:
        port = await nursery.start(serve_tcp_api, bench.board, "127.0.0.1", 0, token)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            head = "GET /version HTTP/1.1\nHost: x"
            for wrong in (
                "",
                "\nAuthorization: Bearer nope",
                "\nAuthorization: Basic !",
                "\nAuthorization: x",
            ):
                assert (await raw(stream, head + wrong)).startswith(b"HTTP/1.1 401 ")
            for right in (f"\nAuthorization: Bearer {token}", f"\nAuthorization: Basic {basic}"):
                assert (await raw(stream, head + right)).startswith(b"HTTP/1.1 200 ")
                assert (await raw(stream, f"{head}{right}\nUser-Agent: Mozilla/5.0")).startswith(
                    b"HTTP/1.1 403 "
                )
            post = f"POST /renew HTTP/1.1\nHost: x\nContent-Length: 2000000{right}"
            assert (await raw(stream, post, bytes(1_100_000))).startswith(b"HTTP/1.1 413 ")
        nursery.cancel_scope.cancel()


async def test_a_unix_socket_is_for_its_user_alone_and_a_left_over_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "chaos.sock"
    async with open_bench() as bench:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_unix_api, bench.board, path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            async with await trio.open_unix_socket(str(path)) as stream:
                found = await raw(stream, "GET /proxies HTTP/1.1\nHost: x")
                assert found.startswith(b"HTTP/1.1 200 ")
            with pytest.RaisesGroup(SocketInUse):
                async with trio.open_nursery() as second:
                    await second.start(serve_unix_api, bench.board, path)
            nursery.cancel_scope.cancel()
        assert not path.exists()
        left = trio.socket.socket(trio.socket.AF_UNIX)
        await left.bind(str(path))
        left.close()
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_unix_api, bench.board, path)
            nursery.cancel_scope.cancel()
        path.write_text("mine")
        with pytest.RaisesGroup(SocketInUse):
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_unix_api, bench.board, path)
