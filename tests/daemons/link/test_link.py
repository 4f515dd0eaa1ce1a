"""The link over loopback, with real stores: messages both ways, requests, drops, two sites of one name."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from daemons.link.opening import Refused, receive_hello
from daemons.link.requests import Reply
from daemons.link.transport import client_transport
from daemons.ops.environment import Environment
from protocol.errors import CloseCode, ErrorCode, RequestError
from protocol.linkstatus import Status
from tests.daemons.link.pair import open_hub, open_site, taken

BLOB = bytes(range(256)) * 4096  # 1 MiB


async def _until(condition: Any) -> None:
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.005)


async def test_messages_both_ways_are_durable_at_the_far_side_when_drained(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub, open_site(tmp_path / "s", hub.port) as site:
        with trio.fail_after(20):
            for i in range(500):
                await site.peer.durable.send("event", "t", 1, b"e%d" % i)
            await hub.peer.durable.send("command", "t", 1, b"c")
            await site.peer.durable.drained("event")
            await hub.peer.durable.drained("command")
        assert await taken(hub.store) == [b"e%d" % i for i in range(500)]
        assert await taken(site.store) == [b"c"]


async def test_messages_survive_drops_and_restarts_of_the_site(tmp_path: Path) -> None:
    sent = 0
    async with open_hub(tmp_path / "h") as hub:
        for _ in range(5):
            async with open_site(tmp_path / "s", hub.port) as site:
                for drop in range(3):
                    for _ in range(20):
                        await site.peer.durable.send("event", "t", 1, b"%d" % sent)
                        sent += 1
                    await _until(lambda site=site: site.peer.connection is not None)
                    if drop < 2:
                        site.dialer.reconnect_now()
        async with open_site(tmp_path / "s", hub.port) as site:
            with trio.fail_after(20):
                await site.peer.durable.drained("event")
        assert await taken(hub.store) == [b"%d" % i for i in range(sent)]


async def _blob(params: Mapping[str, Any]) -> Reply:
    return Reply({"asked": params["n"]}, BLOB[: params["n"]])


async def test_request_brings_small_and_large_bodies(tmp_path: Path) -> None:
    async with (
        open_hub(tmp_path / "h") as hub,
        open_site(tmp_path / "s", hub.port, handlers={"blob": _blob}) as site,
    ):
        await _until(lambda: hub.peer.connection is not None)
        for size in (0, 1, 4096, 4097, 100_000, len(BLOB)):
            with trio.fail_after(10):
                answer = await hub.peer.request("blob", {"n": size}, body_bytes_max=len(BLOB))
            assert answer.result == {"asked": size}
            assert answer.body == BLOB[:size]
        assert site.peer.connection is not None


async def test_request_errors_arrive_with_their_code(tmp_path: Path, error_logs: Any) -> None:
    async def fails(params: Mapping[str, Any]) -> Reply:
        raise RequestError(ErrorCode(params["code"]), "said so")

    async def crashes(params: Mapping[str, Any]) -> Reply:
        raise ZeroDivisionError

    async def hangs(params: Mapping[str, Any]) -> Reply:
        await trio.sleep_forever()
        raise AssertionError

    handlers = {"fails": fails, "crashes": crashes, "hangs": hangs, "blob": _blob}
    async with open_hub(tmp_path / "h") as hub, open_site(tmp_path / "s", hub.port, handlers=handlers):
        await _until(lambda: hub.peer.connection is not None)

        async def code_of(method: str, params: dict[str, Any], size: int = 0) -> ErrorCode:
            with pytest.raises(RequestError) as caught, trio.fail_after(10):
                await hub.peer.request(method, params, body_bytes_max=size)
            return caught.value.code

        for code in ErrorCode:
            assert await code_of("fails", {"code": code.value}) is code
        assert await code_of("crashes", {}) is ErrorCode.INTERNAL
        error_logs.expect("request.failed")
        assert await code_of("nothing", {}) is ErrorCode.BAD_REQUEST
        assert await code_of("blob", {"n": 100}, 99) is ErrorCode.TOO_LARGE
        # The far side re-arms the deadline half a round trip early: mostly its TIMEOUT is here before ours.
        with trio.move_on_after(0.5) as scope:
            with pytest.raises(RequestError) as caught:
                await hub.peer.request("hangs", {}, body_bytes_max=0)
            assert caught.value.code is ErrorCode.TIMEOUT
        assert trio.current_time() >= scope.deadline - 0.25
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(lambda: hub.peer.request("hangs", {}, body_bytes_max=0))
            await _until(lambda: hub.peer.connection.requester.in_flight == 8)
            assert await code_of("blob", {"n": 1}, 1) is ErrorCode.BUSY
            nursery.cancel_scope.cancel()
        assert (await hub.peer.request("blob", {"n": 3}, body_bytes_max=3)).body == BLOB[:3]


async def test_losing_the_connection_ends_requests_with_disconnected(tmp_path: Path) -> None:
    async def hangs(params: Mapping[str, Any]) -> Reply:
        await trio.sleep_forever()
        raise AssertionError

    async with (
        open_hub(tmp_path / "h") as hub,
        open_site(tmp_path / "s", hub.port, handlers={"hangs": hangs}) as site,
    ):
        await _until(lambda: hub.peer.connection is not None)
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(RequestError) as caught:
                    await hub.peer.request("hangs", {}, body_bytes_max=0)
                assert caught.value.code is ErrorCode.DISCONNECTED

            nursery.start_soon(ask)
            await _until(lambda: hub.peer.connection.requester.in_flight == 1)
            site.dialer.reconnect_now()


async def test_another_process_of_the_same_site_is_refused_while_the_first_answers(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub, open_site(tmp_path / "a", hub.port) as first:
        await _until(lambda: first.dialer.status.status is Status.READY)
        async with open_site(tmp_path / "b", hub.port) as second:
            await _until(lambda: second.dialer.status.status is Status.REFUSED)
            assert first.peer.instance.hex()[:8] in second.dialer.status.words
            assert first.dialer.status.status is Status.READY
        await first.peer.durable.send("event", "t", 1, b"still here")
        with trio.fail_after(5):
            await first.peer.durable.drained("event")


async def test_an_older_attempt_is_superseded_and_the_new_one_lives(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub, open_site(tmp_path / "s", hub.port) as site:
        await _until(lambda: hub.peer.connection is not None and site.peer.connection is not None)
        old = hub.peer.connection
        assert old is not None and site.peer.connection is not None
        site.peer.connection.end(CloseCode.NORMAL, "test")
        await _until(lambda: hub.peer.connection not in (None, old))
        await site.peer.durable.send("event", "t", 1, b"x")
        with trio.fail_after(5):
            await site.peer.durable.drained("event")


async def test_an_attempt_that_comes_late_is_refused_and_the_newer_one_lives(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub, open_site(tmp_path / "s", hub.port) as site:
        await _until(lambda: hub.peer.connection is not None)
        newer = hub.peer.connection
        headers = [
            (b"Pitlink-Instance", site.peer.instance.hex().encode()),
            (b"Pitlink-Attempt", b"0"),
        ]
        stream = await trio.open_tcp_stream("127.0.0.1", hub.port)
        with trio.fail_after(5):
            async with client_transport(stream, "127.0.0.1", "/control", headers) as late:
                with pytest.raises(Refused) as caught:
                    await receive_hello(late)
        assert caught.value.code == CloseCode.SUPERSEDED
        await site.peer.durable.send("event", "t", 1, b"still here")
        with trio.fail_after(5):
            await site.peer.durable.drained("event")
        assert hub.peer.connection is newer


async def test_draining_hub_tells_the_site_to_come_back(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub, open_site(tmp_path / "s", hub.port) as site:
        await _until(lambda: site.dialer.status.status is Status.READY)
        with trio.fail_after(2):
            await hub.listener.drain()
        await _until(lambda: site.dialer.status.status is Status.LOST)
        assert "stopping" in site.dialer.status.words


async def test_pings_tell_the_round_trip_and_the_peers_clock(tmp_path: Path) -> None:
    ahead = Environment(utc_now=lambda: time.time() + 1000)
    async with (
        open_hub(tmp_path / "h", environment=ahead) as hub,
        open_site(tmp_path / "s", hub.port) as site,
    ):
        await _until(lambda: hub.peer.connection is not None and site.peer.connection is not None)
        here, there = site.peer.connection, hub.peer.connection
        assert here is not None and there is not None
        await _until(lambda: here.liveness.round_trips.quantile_s(0.5) is not None)
        await _until(lambda: there.liveness.round_trips.quantile_s(0.5) is not None)
        for connection in (here, there):
            assert 0 < connection.liveness.round_trips.smoothed_s < 5
        known = here.heartbeat.clock.peer_time(trio.current_time())
        assert known is not None
        assert abs(known.utc_s - time.time() - 1000) <= known.error_s + 0.01
        assert abs(site.peer.peer_utc_now() - time.time() - 1000) < 1
