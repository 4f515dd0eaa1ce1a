"""Acked messages: 1,000 incompressible bytes, each a reliable message of its own, durable at both ends.

Two processes, joined by the daemons' own link over loopback (dialer, front, listener, channels, SQLite with
synchronous=FULL), beside QoS 1 on mosquitto with paho and JetStream with nats-py. A message counts when the sender has
noted the acknowledgement, which the receiver gives after its commit. The runs take turns.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path

import trio

from bench import peers
from bench.report import parser, table, write
from daemons.link.outbox import OutboxFull
from daemons.ops.logs import LogLevel, configure_logs
from tests.daemons.link.pair import open_hub, open_site

SEND_AT_ONCE = 64
"""Messages that one caller hands over together; several callers share a commit."""

CALLERS = 8


def _hub(folder: str, port: "multiprocessing.Queue[int]", stop: ProcessEvent) -> None:
    async def run() -> None:
        async with open_hub(Path(folder)) as hub:
            port.put(hub.port)
            while not stop.is_set():
                await trio.sleep(0.1)

    configure_logs(LogLevel.ERROR)
    trio.run(run)


def _site(folder: str, port: int, count: int, result: "multiprocessing.Queue[float]") -> None:
    bodies = [os.urandom(peers.BODY_BYTES) for _ in range(256)]

    async def run() -> float:
        async with open_site(Path(folder), port) as site:
            await site.peer.wait_connected()
            durable = site.peer.durable
            began = time.perf_counter()

            async def send(share: int) -> None:
                for first in range(0, share, SEND_AT_ONCE):
                    size = min(SEND_AT_ONCE, share - first)
                    drafts = [("bench", 1, bodies[(first + i) % 256]) for i in range(size)]
                    while True:
                        try:
                            await durable.send_many("event", drafts)
                            break
                        except OutboxFull:  # the outbox is bounded: whoever is faster than the link waits
                            await trio.sleep(0.01)

            async with trio.open_nursery() as nursery:
                for _ in range(CALLERS):
                    nursery.start_soon(send, count // CALLERS)
            await durable.drained("event")
            return count / (time.perf_counter() - began)

    configure_logs(LogLevel.ERROR)
    result.put(trio.run(run))


def pitlink(count: int) -> float:
    """Measure our own link."""
    context = multiprocessing.get_context("spawn")
    stop, port, result = context.Event(), context.Queue(), context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        hub = context.Process(target=_hub, args=(f"{folder}/hub", port, stop), daemon=True)
        hub.start()
        site = context.Process(
            target=_site, args=(f"{folder}/site", port.get(timeout=30), count, result), daemon=True
        )
        site.start()
        rate: float = result.get(timeout=300)
        stop.set()
        site.join(10)
        hub.join(10)
    return rate


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument(
        "--count", type=int, default=100_000, help="messages a run of pitlink; the peers get a third"
    )
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    contenders: list[tuple[str, Callable[[int], float], int]] = [
        ("pitlink", pitlink, arguments.count),
        ("mosquitto QoS 1 + paho", peers.mosquitto, arguments.count // 3),
        ("JetStream + nats-py", peers.jetstream, arguments.count // 3),
    ]
    rates: dict[str, list[float]] = {name: [] for name, _, _ in contenders}
    for _ in range(arguments.rounds):
        for name, run, count in contenders:
            try:
                rates[name].append(run(count))
            except peers.Missing as exc:
                print(f"{name}: {exc}")
    medians = {name: statistics.median(found) for name, found in rates.items() if found}
    ours = medians["pitlink"]
    rows = [
        (name, f"{median:,.0f}", f"{min(rates[name]):,.0f}–{max(rates[name]):,.0f}", f"{ours / median:.2f}")
        for name, median in medians.items()
    ]
    table("1 KB messages, acknowledged, a second", ("", "median", "range", "pitlink is × faster"), rows)
    write(arguments.json, "link", {"rates": rates, "ratios": {name: ours / m for name, m in medians.items()}})


if __name__ == "__main__":
    main()
