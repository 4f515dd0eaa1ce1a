"""The far end of a link that asks or sends too much: told BUSY, or slowed down."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from daemons.link.limiter import PAUSE_MAX_S, LinkLimiter, per_type
from daemons.link.requests import Reply
from protocol.errors import ErrorCode, RequestError
from protocol.tokenbucket import Buckets
from tests.daemons.link.pair import open_hub, open_site, taken


def test_each_type_has_its_rate_and_ten_seconds_worth_at_once() -> None:
    limiter = LinkLimiter(rates=lambda: {"fetch": 2.0, "purge": 0.01})
    assert [limiter.on_request("fetch", 0) > 0 for _ in range(21)] == [False] * 20 + [True]
    assert [limiter.on_request("purge", 0) for _ in range(2)] == [0.0, 100.0]
    assert not any(limiter.on_request("watch", 0) for _ in range(1000))
    assert limiter.on_request("fetch", 0.5) == 0.0
    assert limiter.busy == {"fetch": 1, "purge": 1}


def test_types_are_counted_apart_for_each_of_many() -> None:
    buckets = Buckets()
    rates = {"purge": 0.1}
    assert per_type(buckets, "purge", rates, 0, of="a") == 0.0
    assert per_type(buckets, "purge", rates, 0, of="b") == 0.0
    assert per_type(buckets, "purge", rates, 0, of="a") == 10.0


def test_bytes_pause_the_reader_and_never_for_long() -> None:
    limiter = LinkLimiter(flow=lambda: (1000.0, 5000.0))
    assert limiter.on_bytes(5000, 0) == 0.0
    assert limiter.on_bytes(500, 0) == 0.5
    assert limiter.on_bytes(100_000, 0) == PAUSE_MAX_S
    assert limiter.paused_s == 0.5 + PAUSE_MAX_S
    assert LinkLimiter().on_bytes(10**12, 0) == 0.0


async def _answer(params: Mapping[str, Any]) -> Reply:
    return Reply({"ok": True})


async def test_requests_past_the_rate_are_busy_and_the_others_are_not(tmp_path: Path) -> None:
    limiter = LinkLimiter(rates=lambda: {"dear": 0.2})
    handlers = {"dear": _answer, "cheap": _answer}
    async with (
        open_hub(tmp_path / "h") as hub,
        open_site(tmp_path / "s", hub.port, handlers=handlers, limiter=limiter),
    ):
        with trio.fail_after(10):
            await hub.peer.wait_connected()
            for _ in range(2):
                await hub.peer.request("dear", {})
            with pytest.raises(RequestError, match="too many requests 'dear'") as caught:
                await hub.peer.request("dear", {})
            assert caught.value.code is ErrorCode.BUSY
            for _ in range(20):
                await hub.peer.request("cheap", {})
    assert limiter.busy == {"dear": 1}


async def test_a_site_that_floods_is_slowed_down_and_loses_nothing(tmp_path: Path) -> None:
    limiter = LinkLimiter(flow=lambda: (1e6, 1000.0))
    async with open_hub(tmp_path / "h", limiter=limiter) as hub, open_site(tmp_path / "s", hub.port) as site:
        with trio.fail_after(20):
            for number in range(100):
                await site.peer.durable.send("event", "t", 1, b"%d" % number + bytes(2000))
            await site.peer.durable.drained("event")
        assert len(await taken(hub.store)) == 100
    assert limiter.paused_s > 0.1
