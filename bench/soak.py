"""Does the hub grow: 200 sites over loopback, one fetch a second of each, their connections dropped at random.

The hub is the shipped `cloud` in a process of its own. The sites are one other process: each has the daemons' own
dialer, peer, channels and site service on top of a race document in memory; now and then it loses its connection
without a word, or the connection freezes for a while. What is asked of a site comes over the hub's HTTP, as from an API
client. Sampled at the hub: resident memory, file descriptors, tasks, rows in its tables. The first two minutes are
dropped; the last third is compared with the first.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import define, field

from bench.document import refreshes
from bench.report import parser, table, write
from daemons.cloud import open_cloud
from daemons.link import schema
from daemons.link.address import HubAddress
from daemons.link.dial import Dialer
from daemons.link.durable import DurableChannels
from daemons.link.outbox import Keep, OutboxFull, OutChannel
from daemons.link.peer import Peer
from daemons.ops.environment import Environment
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.memory import give_back_memory
from daemons.ops.options import Address
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.race.bodies import validator_for
from daemons.race.config import CloudConfig
from daemons.race.fetched import Fetched
from daemons.race.site import SiteService
from daemons.race.watches import Watches
from daemons.race.watchrows import WATCH_TOPIC
from daemons.store import open_store
from protocol.canonical import digest_of
from protocol.messages import OriginFound, encode_body
from protocol.pathgate import PathGate
from protocol.topics import Publisher

PATH = "/events/soak/race/Race.json"
SAMPLE_S = 5.0
WARM_UP_S = 120.0
DROP_EVERY_S = 60.0
"""Mean life of a site's connection before the bench takes it away."""

GROWTH_MAX = 0.03
EVENT_EVERY_S = 30.0
"""A reliable message a site, so that the tables are in use."""


# --- the hub's process -------------------------------------------------------------------------------------------


async def _hub(folder: Path) -> None:
    """Run the shipped cloud; print its port, then answer each line of standard input with a sample."""
    config = CloudConfig(state_dir=folder, listen=Address("127.0.0.1", 0))
    async with open_cloud(config) as cloud, trio.open_nursery() as nursery:
        await nursery.start(cloud.run)
        assert cloud.front is not None
        nursery.start_soon(give_back_memory)  # as every daemon does
        print(json.dumps({"port": cloud.front.ports[0]}), flush=True)
        async for _ in trio.wrap_file(sys.stdin):
            rows = await cloud.store.read(
                lambda conn: {
                    name: conn.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                    for (name,) in conn.execute(
                        "SELECT name FROM sqlite_schema WHERE type = 'table'"
                    ).fetchall()
                }
            )
            sample = {
                "rss": _resident_bytes(),
                "fds": len(os.listdir("/proc/self/fd")),
                "tasks": trio.lowlevel.current_statistics().tasks_living,
                "rows": rows,
                "connected": sum(m.site.peer.connection is not None for m in cloud.members.values()),
            }
            print(json.dumps(sample), flush=True)
        nursery.cancel_scope.cancel()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


# --- the sites' process ------------------------------------------------------------------------------------------


@define(eq=False)
class _Document:
    """An origin in memory: a race of which one number changes at every tenth read."""

    utc_now: Callable[[], float]
    seed: int
    _bodies: Any = field(default=None, init=False)

    async def fetch(self, path: str, *, method: str = "GET") -> Fetched:
        await trio.lowlevel.checkpoint()
        if self._bodies is None:
            self._bodies = refreshes(1 << 40, 10, self.seed)
        body = next(self._bodies)
        return Fetched(path, body, None, validator_for(path, body), digest_of(body), self.utc_now())


class _Droppable(trio.abc.Stream):
    """A stream that can be cut or frozen from outside."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner
        self._thaw_at = 0.0
        self.is_cut = False

    def freeze(self, seconds: float) -> None:
        self._thaw_at = trio.current_time() + seconds

    async def cut(self) -> None:
        self.is_cut = True
        await trio.aclose_forcefully(self._inner)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.sleep_until(self._thaw_at)
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.sleep_until(self._thaw_at)
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._inner.receive_some(max_bytes)
        await trio.sleep_until(self._thaw_at)
        return data

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _site(name: str, number: int, folder: Path, port: int, token: str, counts: Counter[str]) -> None:
    """Run one site until cancelled, and take its connection away now and then."""
    environment, rng = Environment(), random.Random(number)
    async with open_store(folder / name / "site.db", migrations=schema.MIGRATIONS) as store:
        durable = DurableChannels(
            store,
            "hub",
            out=[OutChannel("event", Keep(60.0)), OutChannel("result")],
            inbound={"command": lambda conn, message: None},
            new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )
        await durable.open()
        origin = _Document(environment.utc_now, number)
        service = SiteService(
            origin,
            PathGate(),
            Watches(origin),
            Publisher(WATCH_TOPIC, environment.new_epoch(), 0.02, max_silence_s=30.0),
            environment.utc_now,
        )
        peer = service.peer = Peer(
            "pits", name, environment, durable,
            handlers=service.handlers, publishers={WATCH_TOPIC: service.publisher}, on_down=[service.link_lost],
        )  # fmt: skip
        streams: list[_Droppable] = []

        def wrap(stream: trio.abc.Stream) -> trio.abc.Stream:
            streams[:] = [_Droppable(stream)]
            return streams[0]

        async def drop() -> None:
            while True:
                await trio.sleep(rng.expovariate(1 / DROP_EVERY_S))
                if streams and rng.random() < 0.8:
                    counts["cut"] += 1
                    await streams[0].cut()
                elif streams:
                    counts["frozen"] += 1
                    streams[0].freeze(rng.uniform(1, 15))

        async def tell() -> None:
            while True:
                await trio.sleep(rng.uniform(0, 2 * EVENT_EVERY_S))
                try:
                    await durable.send("event", *encode_body(OriginFound(environment.utc_now())))
                except OutboxFull:
                    counts["outbox full"] += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.watches.run)
            nursery.start_soon(drop)
            nursery.start_soon(tell)
            nursery.start_soon(
                Dialer(peer, HubAddress.parse(f"ws://127.0.0.1:{port}"), token, wrap_stream=wrap).run
            )


async def _ask(base_url: str, caller: str, name: str, counts: Counter[str]) -> None:
    """Fetch the site's document through the hub, once a second, on a connection of its own."""
    headers = {"Authorization": f"Bearer {caller}"}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=20.0, trust_env=False) as client:
        due = trio.current_time() + random.random()
        while True:
            await trio.sleep_until(due)
            due = max(due + 1.0, trio.current_time())
            try:
                answer = await client.get(f"/api/sites/{name}/origin{PATH}")
                counts[f"HTTP {answer.status_code}"] += 1
            except httpx.HTTPError as exc:
                counts[type(exc).__name__] += 1


# --- the run -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _hub_process(folder: Path) -> AsyncIterator[tuple[int, Callable[[], Any]]]:
    """Yield the hub's port and a function that takes a sample."""
    command = [sys.executable, "-m", "bench.soak", "--hub", str(folder)]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stdin, stdout, rest = process.stdin, process.stdout, b""
    assert stdin is not None
    assert stdout is not None

    async def line() -> Any:
        nonlocal rest
        while b"\n" not in rest:
            got = await stdout.receive_some()
            if not got:
                raise SystemExit("the hub has ended")
            rest += got
        first, _, rest = rest.partition(b"\n")
        return json.loads(first)

    async def sample() -> Any:
        await stdin.send_all(b"\n")
        return await line()

    try:
        yield (await line())["port"], sample
    finally:
        process.terminate()
        with trio.CancelScope(shield=True), trio.move_on_after(5):
            await process.wait()


async def _run(sites: int, minutes: float, folder: Path) -> tuple[list[dict[str, Any]], Counter[str]]:
    names = [f"soak-{number}" for number in range(sites)]
    tokens = TokenTable(folder / "hub" / TOKENS_FILE)
    keys = {name: tokens.add(name, Role.SITE, name) for name in names}
    caller = tokens.add("soak", Role.CALLER, "*")
    samples: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    async with _hub_process(folder / "hub") as (port, sample), trio.open_nursery() as nursery:
        for number, name in enumerate(names):
            nursery.start_soon(_site, name, number, folder, port, keys[name], counts)
            nursery.start_soon(_ask, f"http://127.0.0.1:{port}", caller, name, counts)
        began = trio.current_time()
        while (at := trio.current_time() - began) < minutes * 60:
            await trio.sleep(SAMPLE_S)
            samples.append({"at_s": at + SAMPLE_S, **await sample()})
            if sys.stderr.isatty():
                last = samples[-1]
                print(
                    f"\r\x1b[K{at / 60:.1f} min: {last['rss'] / 1e6:.0f} MB, {last['connected']} connected, "
                    f"{sum(counts[key] for key in counts if key.startswith('HTTP'))} answers",
                    end="", file=sys.stderr, flush=True,
                )  # fmt: skip
        nursery.cancel_scope.cancel()
    return samples, counts


def _mean(samples: list[dict[str, Any]], read: Callable[[dict[str, Any]], float]) -> float:
    return sum(map(read, samples)) / len(samples)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--sites", type=int, default=200)
    options.add_argument("--minutes", type=float, default=20.0)
    options.add_argument("--hub", type=Path, help="used by itself: be the hub, in this folder")
    arguments = options.parse_args()
    configure_logs(LogLevel.ERROR)
    if arguments.hub is not None:
        trio.run(_hub, arguments.hub)
        return
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="pitlink-soak-") as folder:
        samples, counts = trio.run(partial(_run, arguments.sites, arguments.minutes, Path(folder)))
    warm_up_s = min(WARM_UP_S, arguments.minutes * 60 / 10)
    kept = [sample for sample in samples if sample["at_s"] > warm_up_s]
    third = len(kept) // 3
    first, last = kept[:third], kept[-third:]
    rows = []
    for name, read in (
        ("resident memory, MB", lambda sample: sample["rss"] / 1e6),
        ("file descriptors", lambda sample: sample["fds"]),
        ("tasks", lambda sample: sample["tasks"]),
        (
            "rows, but the record's",
            lambda sample: sum(sample["rows"].values()) - sample["rows"]["site_event"],
        ),
        ("sites connected", lambda sample: sample["connected"]),
    ):
        before, after = _mean(first, read), _mean(last, read)
        rows.append((name, f"{before:.1f}", f"{after:.1f}", f"{(after / before - 1) * 100:+.1f} %"))
    title = f"{arguments.sites} sites for {(time.perf_counter() - began) / 60:.1f} min"
    table(title, ("", "first third", "last third", "change"), rows)
    print("\n" + ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    grown = {
        name: (kept[0]["rows"].get(name, 0), count)
        for name, count in kept[-1]["rows"].items()
        if count != kept[0]["rows"].get(name, 0)
    }
    print(
        "rows by table, when warm and at the end: "
        + (", ".join(f"{n} {a} → {b}" for n, (a, b) in grown.items()) or "unchanged")
    )
    write(arguments.json, "soak", {"samples": samples, "counts": counts, "growth_max": GROWTH_MAX})
    rss = [_mean(part, lambda sample: sample["rss"]) for part in (first, last)]
    if rss[1] / rss[0] - 1 > GROWTH_MAX:
        print(f"memory grew by more than {GROWTH_MAX:.0%}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
