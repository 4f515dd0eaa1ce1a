"""A command every 300 ms while an 8 MiB body goes up a 2 Mbit/s line with a 256 KB modem buffer.

Over the daemons' own link, through a user-space throttle. A command is a durable message to the site and its durable
result back: two fsyncs and all. Four cases: as said · at 600 ms round trip · with the round trip switching from 40 to
600 ms in the middle · behind a backlog of 10,000 events. The body is also measured alone.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw
import trio
from attrs import frozen

from bench.report import parser, percentile, table, write
from chaos.profiles import Profile
from chaos.relay import Relay
from chaos.simnet.link import Conditions
from daemons.link.requests import Reply
from daemons.ops.logs import LogLevel, configure_logs
from protocol.frames import Message
from tests.daemons.link.pair import Taken, open_hub, open_site

MIB = 1024 * 1024
RATE_BYTES_S = 2_000_000 / 8
BUFFER_BYTES = 256 * 1024
COMMAND_EVERY_S = 0.3
BACKLOG = 10_000
SWITCH_AFTER_S = 10.0


@frozen
class Case:
    name: str
    round_trip_s: float = 0.0
    then_s: float | None = None  # the round trip after SWITCH_AFTER_S
    backlog: int = 0
    commands: bool = True


def _line(round_trip_s: float) -> Conditions:
    return Conditions(latency_s=round_trip_s / 2, rate_bytes_s=RATE_BYTES_S, queue_bytes=BUFFER_BYTES)


@frozen
class Outcome:
    latencies_s: list[float]
    body_s: float


async def _run(case: Case, body: bytes, folder: Path) -> Outcome:
    sent: dict[bytes, float] = {}
    latencies: list[float] = []

    async def blob(params: Mapping[str, Any]) -> Reply:
        return Reply({}, body)

    class Answering(Taken):
        """The site's command effect: writes it, and its result, in one transaction."""

        def many(self, conn: apsw.Connection, messages: Any) -> None:
            super().many(conn, messages)
            for message in messages:
                site.peer.durable.append_in(conn, "result", "done", 1, message.body)

    class Heard(Taken):
        def many(self, conn: apsw.Connection, messages: Any) -> None:
            super().many(conn, messages)
            hub.store.after_commit(lambda: self.note(messages))

        def note(self, messages: list[Message]) -> None:
            done = [message.body for message in messages if message.type == "done"]
            latencies.extend(trio.current_time() - sent.pop(body) for body in done)

    profile = Profile("bench", "", up=_line(case.round_trip_s), down=_line(case.round_trip_s))
    async with (
        open_hub(folder / "hub", effect=Heard(), result_channel=True) as hub,
        trio.open_nursery() as nursery,
    ):
        relay = Relay("127.0.0.1", hub.port, profile)
        port = await nursery.start(relay.run)
        async with open_site(
            folder / "site", port, handlers={"blob": blob}, effect=Answering(), result_channel=True
        ) as site:
            await hub.peer.wait_connected()
            await trio.sleep(1 + 4 * case.round_trip_s)
            if case.backlog:
                rows = [("event", 1, os.urandom(200)) for _ in range(100)]
                for _ in range(case.backlog // 100):
                    await site.peer.durable.send_many("event", rows)

            async def commands() -> None:
                number = 0
                while True:
                    number += 1
                    key = b"command %d" % number
                    sent[key] = trio.current_time()
                    await hub.peer.durable.send("command", "do", 1, key)
                    await trio.sleep(COMMAND_EVERY_S)

            async def switch() -> None:
                await trio.sleep(SWITCH_AFTER_S)
                assert case.then_s is not None
                relay.change(_line(case.then_s), _line(case.then_s))

            async with trio.open_nursery() as inner:
                if case.commands:
                    inner.start_soon(commands)
                if case.then_s is not None:
                    inner.start_soon(switch)
                began = time.perf_counter()
                with trio.fail_after(300):
                    answer = await hub.peer.request("blob", {}, body_bytes_max=len(body))
                took = time.perf_counter() - began
                assert answer.body == body
                inner.cancel_scope.cancel()
        nursery.cancel_scope.cancel()
    return Outcome(latencies, took)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--mib", type=int, default=8, help="size of the body")
    arguments = options.parse_args()
    configure_logs(LogLevel.ERROR)
    body = os.urandom(arguments.mib * MIB)
    cases = [
        Case("body alone", commands=False),
        Case("command behind the body"),
        Case("at 600 ms round trip", round_trip_s=0.6),
        Case("switch 40 → 600 ms", round_trip_s=0.04, then_s=0.6),
        Case(f"and {BACKLOG:,} events", backlog=BACKLOG),
    ]
    rows, figures = [], {}
    alone_s = 0.0
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            outcome = trio.run(_run, case, body, Path(folder))
        alone_s = alone_s or outcome.body_s
        found = [1000 * latency for latency in outcome.latencies_s]
        p50, p95, top = (
            (statistics.median(found), percentile(found, 0.95), max(found)) if found else (0.0, 0.0, 0.0)
        )
        rows.append(
            (case.name, len(found), f"{p50:.0f}", f"{p95:.0f}", f"{top:.0f}", f"{outcome.body_s:.1f}",
             f"{outcome.body_s / alone_s:.3f}")
        )  # fmt: skip
        figures[case.name] = {"p50_ms": p50, "p95_ms": p95, "max_ms": top, "body_s": outcome.body_s}
        print(f"{case.name}: done", flush=True)
    columns = ("", "commands", "p50 ms", "p95 ms", "max ms", "body s", "× alone")
    table(f"A command every 300 ms, {arguments.mib} MiB at 2 Mbit/s, 256 KB modem buffer", columns, rows)
    write(arguments.json, "priority", figures)


if __name__ == "__main__":
    main()
