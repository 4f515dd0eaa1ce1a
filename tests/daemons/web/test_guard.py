"""Limits at the front: who asks for too much is told so, and when to come back; who can best wait goes first."""

from typing import Any

import attrs
import pytest
import trio
import trio.testing

from daemons.ops.limits import FrontLimits
from daemons.web import listeners
from daemons.web.front import FrontConfig
from daemons.web.guard import REASONS, Guard, Rank
from daemons.web.head import Head
from daemons.web.readings import guard_readings
from tests.daemons.web.fronts import Events, in_memory, starlette_app

GET = Head("GET", "/", ())
OPEN = FrontLimits(requests_per_s=0, client_requests_per_s=0, client_bytes_per_s=0, client_upgrades_per_s=0)


def guard_with(**limits: Any) -> Guard:
    return Guard(lambda: attrs.evolve(OPEN, **limits))


def test_a_client_over_its_rate_is_told_when_to_come_back() -> None:
    guard = guard_with(client_requests_per_s=0.5, client_requests_burst=2)
    assert guard.on_request("192.0.2.1", 0) is None
    assert guard.on_request("192.0.2.1", 0) is None
    refusal = guard.on_request("192.0.2.1", 0)
    assert refusal is not None
    assert (refusal.status, refusal.retry_after_s, refusal.reason) == (429, 2, "client_requests")
    assert guard.on_request("192.0.2.2", 0) is None
    assert guard.on_request("192.0.2.1", 2) is None


def test_all_addresses_of_a_64_are_one_client() -> None:
    guard = guard_with(client_upgrades_per_s=1, client_upgrades_burst=2)
    found = [guard.on_upgrade(f"2001:db8::{number}", 0) for number in range(4)]
    assert [refusal is None for refusal in found] == [True, True, False, False]
    assert guard.on_upgrade("2001:db8:0:1::1", 0) is None


def test_bytes_are_paid_off() -> None:
    guard = guard_with(client_bytes_per_s=1000, client_bytes_burst=5000)
    guard.moved("192.0.2.1", 10_000, 0)
    refusal = guard.on_request("192.0.2.1", 0)
    assert refusal is not None
    assert (refusal.status, refusal.retry_after_s, refusal.reason) == (429, 5, "client_bytes")
    assert guard.on_request("192.0.2.1", 5) is None


def test_what_can_best_wait_is_refused_first() -> None:
    guard = Guard(
        lambda: attrs.evolve(OPEN, requests_per_s=1, requests_burst=8),
        lambda head: Rank(int(head.target)),
    )

    def served(rank: Rank) -> int:
        count = 0
        while guard.begin("192.0.2.1", Head("GET", str(int(rank)), ()), 0) is None:
            guard.end("192.0.2.1")
            count += 1
        return count

    assert [served(rank) for rank in (Rank.OTHER, Rank.LIVE, Rank.ESSENTIAL)] == [4, 2, 2]
    assert guard.refused == {"requests": 3}


def test_a_limit_changed_holds_at_once() -> None:
    limits = [OPEN]
    guard = Guard(lambda: limits[0])
    assert all(guard.on_request("192.0.2.1", 0) is None for _ in range(100))
    limits[0] = attrs.evolve(OPEN, client_requests_per_s=1, client_requests_burst=1)
    assert guard.on_request("192.0.2.1", 0) is None
    assert guard.on_request("192.0.2.1", 0) is not None


def test_every_limit_has_a_figure() -> None:
    assert [reading.labels[0][1] for reading in guard_readings(Guard())] == list(REASONS)


async def test_over_the_wire(autojump_clock: trio.testing.MockClock) -> None:
    guard = guard_with(client_requests_per_s=1, client_requests_burst=3)
    async with in_memory(starlette_app(), guard=guard) as (_, connect):
        client = connect()
        for _ in range(3):
            assert (await client.get("/"))[0] == 200
        status, headers, body = await client.get("/")
        assert (status, headers["retry-after"], headers["connection"]) == (429, "1", "close")
        assert b"too many requests" in body
        assert await client.at_end()
        await trio.sleep(1)
        assert (await connect().get("/"))[0] == 200
    assert guard.refused == {"client_requests": 1}


async def test_streams_of_one_client_are_counted_for_as_long_as_they_last() -> None:
    app = Events()
    guard = guard_with(client_requests_in_flight=2)
    async with in_memory(app, guard=guard) as (_, connect):
        streams = [connect() for _ in range(2)]
        for client in streams:
            await client.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        status, headers, _ = await connect().get("/")
        assert (status, headers["retry-after"]) == (429, "1")
        await streams[0].stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        client = connect()
        await client.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200" in await client.stream.receive_some()
    assert guard.refused == {"client_in_flight": 1}


@pytest.mark.parametrize("target", ["/echo", "/ignore"])
async def test_bytes_of_requests_and_answers_count(target: str) -> None:
    guard = guard_with(client_bytes_per_s=1, client_bytes_burst=20_000)
    async with in_memory(starlette_app(), guard=guard) as (_, connect):
        client = connect()
        for _ in range(3):
            body = b"x" * 9_000
            head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (target.encode(), len(body))
            await client.send(head + body)
            if (await client.response())[0] == 429:
                break
        else:
            await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await client.response())[0] == 429
    assert guard.refused == {"client_bytes": 1}


async def test_behind_a_proxy_its_clients_are_counted_and_not_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "UNKNOWN_PEER", ("192.0.2.1", 0))
    guard = guard_with(client_requests_per_s=1, client_requests_burst=1)
    config = FrontConfig(trusted_proxies=("192.0.2.1",), linger_s=0.1)
    async with in_memory(starlette_app(), guard=guard, config=config) as (_, connect):
        client = connect()
        for number in range(5):
            headers = f"x-forwarded-for: 198.51.100.{number}\r\n"
            assert (await client.get("/", headers=headers))[0] == 200
        assert (await client.get("/", headers="x-forwarded-for: 6.6.6.6, 198.51.100.1\r\n"))[0] == 429


async def test_upgrades_are_limited_before_anybody_is_asked_who_he_is() -> None:
    asked = 0

    async def on_control(stream: Any, head: Any, address: str) -> None:
        nonlocal asked
        asked += 1

    upgrade = b"GET /control HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    guard = guard_with(client_upgrades_per_s=1, client_upgrades_burst=2)
    async with in_memory(starlette_app(), guard=guard, on_control=on_control) as (_, connect):
        for _ in range(5):
            client = connect()
            await client.send(upgrade)
            await trio.testing.wait_all_tasks_blocked()
        status, headers, _ = await client.response()
        assert (status, headers["retry-after"]) == (429, "1")
    assert (asked, guard.refused) == (2, {"client_upgrades": 3})
