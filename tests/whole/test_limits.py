"""Limits of whole daemons: who asks too much is told so and when to come back, and everybody else is served."""

from pathlib import Path
from typing import Any

import attrs
import trio

from chaos.doubles.fpvtrackside import EventTree
from tests.whole.stage import SITE, Stage, open_stage

EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
FILE = f"/events/{EVENT}/Event.json"
COMMANDS = f"/api/sites/{SITE}/commands"
BIG = 8 * 1024 * 1024


def tree(**files: bytes) -> EventTree:
    body = f'[{{"ID": "{EVENT}", "Name": "Club night"}}]'.encode()
    return EventTree({FILE: body, **{f"httpfiles/{name}.json": body for name, body in files.items()}})


async def limit(stage: Stage, **limits: Any) -> None:
    for name, value in limits.items():
        await stage.cloud.limits.set(name, value)


async def metrics(stage: Stage) -> str:
    return (await stage.callers.get("/metrics")).text


async def test_a_limit_set_at_run_time_holds_at_once_and_is_seen_in_the_metrics(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert (await stage.origin(FILE)).status_code == 200
        await limit(stage, client_requests_per_s=0.5, client_requests_burst=2)
        answers = [await stage.callers.get("/api/sites") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert int(answers[-1].headers["retry-after"]) in (1, 2)
        await limit(stage, client_requests_per_s=0)
        assert 'pitlink_http_limited_total{limit="client_requests"} 2' in (await metrics(stage)).replace(
            ".0\n", "\n"
        )
        await stage.connected()  # the link is no request


async def test_fetches_past_the_rate_of_a_site_are_busy_and_say_when_to_come_back(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert (await stage.origin(FILE)).status_code == 200
        await limit(stage, site_fetches_per_s=0.01, site_fetches_burst=2)
        answers = [await stage.origin(FILE) for _ in range(4)]
        busy = [answer for answer in answers if answer.status_code != 200]
        assert busy
        assert {(answer.status_code, answer.json()["code"]) for answer in busy} == {(503, "BUSY")}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in busy)


async def test_commands_past_the_rate_of_their_type_are_429_and_too_large_ones_413(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        await limit(stage, commands_per_s={"purge": 0.1, "pause": 1})
        purge = {"do": "purge", "prefix": "/httpfiles"}
        answers = [await stage.callers.post(COMMANDS, json=purge) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 429]
        assert answers[1].json()["code"] == "BUSY"
        assert int(answers[1].headers["retry-after"]) in range(5, 11)
        assert (await stage.callers.post(COMMANDS, json={"do": "resume"})).status_code == 202
        hostile = b"[" + b"[]," * 300_000 + b"[]]"
        answer = await stage.callers.post(COMMANDS, content=hostile)
        assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


async def test_a_site_that_opens_links_without_end_is_told_to_come_later(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        await limit(stage, site_connections_per_s=0.2, site_connections_burst=1)
        dialer = stage.pits.dialer
        assert dialer is not None
        words: list[str] = []
        dialer.on_status = lambda status: words.append(status.words)
        with trio.fail_after(15):
            while not any("too many links of this site" in text for text in words):
                dialer.reconnect_now()
                await trio.sleep(0.05)
        await limit(stage, site_connections_per_s=0)
        dialer.reconnect_now()
        await stage.connected()
        assert "pitlink_site_links_limited_total" in await metrics(stage)


async def test_a_body_made_to_be_slow_holds_nobody_up(tmp_path: Path) -> None:
    """8 MiB of what a JSON parser needs a second for, at the origin: both daemons go on answering meanwhile."""
    hostile = b"[{" + b",".join(b'"%x":1' % number for number in range(700_000)) + b"}]"
    assert len(hostile) < BIG
    async with open_stage(tmp_path, tree=tree(hostile=hostile)) as stage:
        await stage.connected()
        answers: list[int] = []
        slowest = 0.0

        async def others(scope: trio.CancelScope) -> None:
            nonlocal slowest
            with scope:
                while True:
                    began = trio.current_time()
                    assert (await stage.callers.get("/healthz")).status_code == 200
                    slowest = max(slowest, trio.current_time() - began)
                    answers.append(200)

        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(others, scope)
            answer = await stage.origin("/httpfiles/hostile.json")
            scope.cancel()
        assert answer.status_code in (200, 504)  # all in one process here: it may well take its five seconds
        assert len(answers) > 20


async def test_clients_that_say_nothing_do_not_keep_the_site_out(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert stage.cloud.front is not None
        front = stage.cloud.front
        port = front.ports[0]
        config = attrs.evolve(stage.cloud.config.http, connections_max=30, connections_per_peer_max=10_000)
        front._config = config
        async with trio.open_nursery() as nursery:
            silent: list[trio.SocketStream] = []

            async def flood() -> None:
                while True:
                    silent.append(await trio.open_tcp_stream("127.0.0.1", port))
                    await trio.sleep(0.005)

            nursery.start_soon(flood)
            await stage.until(lambda: front.statistics.evicted > 50)
            assert stage.pits.dialer is not None
            before = stage.pits.peer.attempt
            stage.pits.dialer.reconnect_now()
            await stage.until(
                lambda: stage.pits.peer.attempt > before and stage.pits.peer.connection is not None
            )
            assert front.statistics.open <= 30 + 64 + 5
            nursery.cancel_scope.cancel()
        for stream in silent:
            await trio.aclose_forcefully(stream)
