"""The push-hint endpoint: 200 at once for whatever comes, a nudge, and nothing believed."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request

from daemons.race.hints import BODY_BYTES_MAX, BURST, Hint, HintEndpoint


class Heard:
    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self.endpoint = HintEndpoint(self.hints.append)
        app = Starlette(routes=[self.endpoint.route("/hints/fpvtrackside")])
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pits")

    async def send(self, body: bytes, method: str = "PUT") -> httpx.Response:
        return await self.client.request(method, "/hints/fpvtrackside", content=body)


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    heard = Heard()
    yield heard
    await heard.client.aclose()


async def test_a_notification_is_answered_empty_and_nudges(heard: Heard) -> None:
    body = {"type": "DetectionExt", "ts": "2026-05-03T12:34:56.789Z", "seq": 99, "pilotName": "x"}
    answer = await heard.send(json.dumps(body).encode())
    assert (answer.status_code, answer.content) == (200, b"")
    assert heard.hints == [Hint("DetectionExt")]
    await heard.send(b'{"type": "RaceEnd"}', "POST")
    assert heard.hints[1:] == [Hint("RaceEnd")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"<html>",
        b"[" * 50_000,
        b'{"x":' * 10_000,
        b'{"n": ' + b"1" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_what_is_no_notification_is_a_hint_all_the_same(heard: Heard, body: bytes) -> None:
    assert (await heard.send(body)).status_code == 200
    assert heard.hints == [Hint()]
    assert heard.endpoint.statistics().unreadable == 1


@pytest.mark.parametrize("kind", [None, 3, ["RaceStart"], "x" * 41, "Race\nStart", "Rennen\u2028", "Gerät"])
async def test_an_odd_kind_is_left_out(heard: Heard, kind: Any) -> None:
    assert (await heard.send(json.dumps({"type": kind}).encode())).status_code == 200
    assert heard.hints == [Hint()]
    assert heard.endpoint.statistics().unreadable == 0


@settings(max_examples=50)
@given(st.binary(max_size=64))
async def test_nothing_makes_it_fail(body: bytes) -> None:
    heard = Heard()
    async with heard.client:
        assert (await heard.send(body)).status_code == 200
    assert len(heard.hints) == 1


async def test_other_methods_are_refused(heard: Heard) -> None:
    assert (await heard.send(b"", "DELETE")).status_code == 405
    assert (await heard.send(b"", "GET")).status_code == 405
    assert heard.hints == []


async def test_a_flood_is_swallowed_and_still_answered(heard: Heard, autojump_clock: trio.abc.Clock) -> None:
    for _ in range(100):
        assert (await heard.send(b'{"type": "DetectionExt"}')).status_code == 200
    assert len(heard.hints) == BURST
    assert heard.endpoint.statistics().swallowed == 100 - BURST
    await trio.sleep(1.0)
    for _ in range(100):
        await heard.send(b"{}")
    assert len(heard.hints) == BURST + 10


def _request(*messages: dict[str, Any]) -> Request:
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await trio.sleep_forever()
        return waiting.pop(0)

    return Request({"type": "http", "method": "PUT", "headers": []}, receive)


async def test_a_body_that_does_not_come_is_not_waited_for(autojump_clock: trio.abc.Clock) -> None:
    hints: list[Hint] = []
    endpoint = HintEndpoint(hints.append)
    began = trio.current_time()
    answer = await endpoint.handle(_request({"type": "http.request", "body": b"{", "more_body": True}))
    assert answer.status_code == 200
    assert trio.current_time() - began < 1.5  # FPVTrackside's own patience
    assert hints == [Hint()]


async def test_a_body_that_is_too_large_is_not_read_on() -> None:
    hints: list[Hint] = []
    part = {"type": "http.request", "body": b" " * (BODY_BYTES_MAX // 2 + 1), "more_body": True}
    endpoint = HintEndpoint(hints.append)
    with trio.fail_after(0.5):
        answer = await endpoint.handle(_request(part, part))  # a third would never come
    assert answer.status_code == 200
    assert hints == [Hint()]
    assert endpoint.statistics().unreadable == 1


async def test_a_client_that_goes_has_still_hinted() -> None:
    hints: list[Hint] = []
    await HintEndpoint(hints.append).handle(_request({"type": "http.disconnect"}))
    assert hints == [Hint()]
