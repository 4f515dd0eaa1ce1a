"""How much telemetry one backend process takes: decoded, range-checked, laps found, synced to the disk before each ack.

The drivers are those of the simulator's double; what they send is made beforehand. First as it comes: so many drivers at
tiers, a batch of 0.25 s each time, so many complete, a batch of 1 s, in real time: how long an ack takes, what it costs.
Then as fast as it goes, one batch of each driver under way. Beside it Redis Streams, on the same disk (TMPDIR), fed as usual: one
client, a JSON text a sample of the dashboard's 17 values (which Redis neither decodes nor checks), one by one and in
pipelines of 100, with appendfsync everysec and always. Exits with 1 when a bound is missed.

    .venv/bin/python -m bench.ingest [--seconds 20] [--drivers 200] [--complete 20]
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import trio
from attrs import define, field, frozen

from bench.columns import dashboard
from bench.report import parser, percentile, table, write
from chaos.doubles.iracing.race import Race
from daemons.store import open_store
from daemons.telemetry.archive.disk import RealDisk
from daemons.telemetry.archive.files import open_file_log
from daemons.telemetry.archive.tables import MIGRATIONS
from daemons.telemetry.entries import Entry, EntryKind, pack_head
from daemons.telemetry.ingest import Ingest, Limits
from daemons.telemetry.quarantine import Quarantine
from daemons.telemetry.recording import Recording
from protocol.columns import SNAPSHOT, Group, Wish, encode, encode_info, groups_of
from protocol.irsdk import Layout

RACES = 4
TICK_RATE = 60
ACK_S_MAX = 1.0
CHANGED_A_SECOND = 1_000_000


@frozen
class Tape:
    """What a driver sends, batch after batch, of `batch_ticks` each; it is played round and round with later ticks."""

    layout: Layout
    info: bytes
    batches: Sequence[bytes]
    batch_ticks: int


@define
class Taken:
    """What came of one way of sending."""

    what: str
    drivers: int
    took_s: float = 0.0
    busy_s: float = 0.0
    batches: int = 0
    ticks: int = 0
    changed: int = 0
    constant: int = 0
    laps: int = 0
    syncs: int = 0
    bytes: int = 0
    bad: int = 0
    acks_s: list[float] = field(factory=list)


def tape(race: Race, seconds: float, batch_ticks: int, groups: Sequence[Group]) -> Tape:
    """Return what a race is, as a driver sends it."""
    batches = []
    for first in range(0, int(seconds * TICK_RATE), batch_ticks):
        rows = np.ascontiguousarray(race.rows(first, batch_ticks))
        batches.append(encode(race.layout, rows, np.arange(first, first + batch_ticks), groups))
    return Tape(race.layout, race.session_info(0), batches, batch_ticks)


@asynccontextmanager
async def backend(folder: Path) -> AsyncIterator[Ingest]:
    """Open all that takes part in ingest, as the daemon does."""
    async with open_store(folder / "backend.db", migrations=MIGRATIONS) as store:
        log = await open_file_log(store, RealDisk(folder / "recordings"))
        ingest = Ingest(
            store, log, Quarantine(folder / "quarantine"), limits=Limits(bytes_s=0.0, recordings_s=0.0)
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(ingest.run)
            yield ingest
            nursery.cancel_scope.cancel()
        log.close()


@define
class Driver:
    """One who sends: his tape, and when that is over the same again, as another recording."""

    ingest: Ingest
    number: int
    tape: Tape
    taken: Taken
    recordings: int = 0

    @property
    def name(self) -> str:
        return f"driver{self.number}"

    async def open(self) -> bytes:
        """Begin a recording."""
        self.recordings += 1
        id_ = (self.number << 32 | self.recordings).to_bytes(16, "big")
        recording = Recording(
            id=id_, driver=self.name, layout=self.tape.layout, started_utc_us=1, source="bench"
        )
        info = encode_info(self.tape.info, None)
        await self.ingest.take(
            self.name, id_, [Entry(0, EntryKind.HEAD, pack_head(recording)), Entry(1, EntryKind.INFO, info)]
        )
        return id_

    async def send(self, id_: bytes, begun: float, until_s: float, *, paced: bool) -> None:
        """Send until then: each batch when it is due, or when the one before is acknowledged."""
        every_s = self.tape.batch_ticks / TICK_RATE
        share = self.number * 0.6180339887 % 1.0
        while True:
            for index, batch in enumerate(self.tape.batches):
                due = begun + (index + share) * every_s if paced else trio.current_time()
                if due >= until_s:
                    return
                await trio.sleep_until(due)
                await self.ingest.take(self.name, id_, [Entry(2 + index, EntryKind.ROWS, batch)])
                self.taken.acks_s.append(trio.current_time() - due)
                self.taken.ticks += self.tape.batch_ticks
                self.taken.bytes += len(batch)
                if trio.current_time() >= until_s:
                    return
            if paced:
                return
            id_ = await self.open()


async def measure(what: str, tapes: Sequence[Tape], drivers: int, seconds: float, *, paced: bool) -> Taken:
    """Have so many drivers send for so long, from when all have begun."""
    taken = Taken(what, drivers)
    with tempfile.TemporaryDirectory() as folder:
        async with backend(Path(folder)) as ingest:
            senders = [Driver(ingest, number, tapes[number % len(tapes)], taken) for number in range(drivers)]
            opened = [await sender.open() for sender in senders]
            syncs = ingest.log.statistics().syncs
            begun, busy = trio.current_time(), time.process_time()
            async with trio.open_nursery() as nursery:
                for sender, id_ in zip(senders, opened, strict=True):
                    nursery.start_soon(partial(sender.send, id_, begun, begun + seconds, paced=paced))
            taken.took_s, taken.busy_s = trio.current_time() - begun, time.process_time() - busy
            figures = ingest.statistics()
            taken.batches, taken.changed, taken.constant = figures.batches, figures.changed, figures.constant
            taken.laps, taken.bad = figures.laps, figures.refused + figures.odd
            taken.syncs = ingest.log.statistics().syncs - syncs
    return taken


# --- Redis -------------------------------------------------------------------------------------------------------------


async def redis(samples: Sequence[str], appendfsync: str, together: int, seconds: float) -> tuple[int, float]:
    """Feed a Redis of its own with samples, round and round; return how many were acknowledged, and in how long."""
    import coredis

    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder).resolve() / "redis.sock"
        process = subprocess.Popen(  # noqa: ASYNC220 (no time is measured here)
            ["redis-server", "--port", "0", "--unixsocket", str(socket), "--dir", folder, "--appendonly", "yes",
             "--appendfsync", appendfsync, "--save", ""],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            with trio.fail_after(20):
                while not socket.exists():
                    await trio.sleep(0.05)
            async with coredis.Redis(unix_socket_path=str(socket)) as client:
                done, begun = 0, trio.current_time()
                while trio.current_time() - begun < seconds:
                    part = [samples[(done + index) % len(samples)] for index in range(together)]
                    if together == 1:
                        await client.xadd("telemetry:driver", {"data": part[0]})
                    else:
                        async with client.pipeline(transaction=False) as pipe:
                            for sample in part:
                                pipe.xadd("telemetry:driver", {"data": sample})
                    done += together
                return done, trio.current_time() - begun
        finally:
            process.terminate()
            process.wait(20)


def snapshots(race: Race, seconds: int) -> list[str]:
    """Return the dashboard's 17 values of each tick, as JSON texts."""
    table = dashboard(race.layout, race.rows(0, seconds * TICK_RATE)).view(SNAPSHOT.dtype)[:, 0]
    names = [variable.name for variable in SNAPSHOT.variables]
    return [json.dumps(dict(zip(names, row, strict=True)), default=_plain) for row in table.tolist()]


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


# --- all of it ---------------------------------------------------------------------------------------------------------


def shown(taken: Taken) -> list[object]:
    """Return a row of the table."""
    took = taken.took_s
    return [
        taken.what, taken.drivers, f"{taken.batches / took:,.0f}", f"{taken.ticks / took / TICK_RATE:,.0f}",
        f"{taken.changed / took:,.0f}", f"{taken.constant / took:,.0f}",
        f"{1000 * percentile(taken.acks_s, 0.5):.0f}", f"{1000 * percentile(taken.acks_s, 0.95):.0f}",
        f"{100 * taken.busy_s / took:.0f} %", f"{taken.syncs / took:.0f}", taken.laps, taken.bad,
    ]  # fmt: skip


async def run(
    drivers: int, complete: int, seconds: float, *, peers: bool
) -> tuple[list[Taken], dict[str, float]]:
    """Measure everything; return what was taken, and samples a second of each peer."""
    races = [Race(seed=seed, cars=40, lap_s=10.0) for seed in range(1, RACES + 1)]
    wish = Wish(batch_ticks=15)
    tiers = [tape(race, max(seconds, 12.0), 15, groups_of(race.layout, wish)) for race in races]
    whole = [tape(race, max(seconds, 12.0), 60, [Group()]) for race in races]
    found = [
        await measure("tiers, 0.25 s, as it comes", tiers, drivers, seconds, paced=True),
        await measure("complete, 1 s, as it comes", whole, complete, seconds, paced=True),
        await measure("tiers, 0.25 s, flat out", tiers, drivers, seconds, paced=False),
        await measure("complete, 1 s, flat out", whole, complete, seconds, paced=False),
    ]
    others = {}
    if peers:
        samples = snapshots(races[0], 20)
        for appendfsync in ("everysec", "always"):
            for together in (1, 100):
                done, took = await redis(samples, appendfsync, together, seconds)
                others[f"Redis, {appendfsync}, {together} at a time"] = done / took
    return found, others


def main() -> int:
    arguments = parser("How much telemetry one backend process takes, beside Redis Streams.")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    arguments.add_argument("--drivers", type=int, default=200, help="at tiers")
    arguments.add_argument("--complete", type=int, default=20, help="who send everything")
    args = arguments.parse_args()
    peers = shutil.which("redis-server") is not None
    found, others = trio.run(partial(run, args.drivers, args.complete, args.seconds, peers=peers))
    heads = (
        "what is sent", "drivers", "batches/s", "driver-seconds/s", "changed values/s", "constant values/s",
        "ack p50 ms", "p95 ms", "of one core", "syncs/s", "laps", "bad",
    )  # fmt: skip
    table("One backend process", heads, [shown(taken) for taken in found])
    flat = found[3]
    values_s = (flat.changed + flat.constant) / flat.took_s
    if others:
        table(
            "Redis Streams, one client, a JSON text a sample of 17 values",
            ("how", "samples/s", "values/s", "ours, complete and flat out: values/s times as many", "changed values only"),
            [
                (name, f"{rate:,.0f}", f"{17 * rate:,.0f}", f"{values_s / rate / 17:,.0f}",
                 f"{flat.changed / flat.took_s / rate / 17:,.1f}")
                for name, rate in others.items()
            ],
        )  # fmt: skip
    else:
        print("\nNo redis-server here: apt-get install redis-server")
    missed = [
        f"{taken.what}: p95 of acks {percentile(taken.acks_s, 0.95):.2f} s, at most {ACK_S_MAX} s"
        for taken in found[:2]
        if percentile(taken.acks_s, 0.95) > ACK_S_MAX
    ]
    missed += [f"{taken.what}: {taken.bad} bad batches" for taken in found if taken.bad]
    if flat.changed / flat.took_s < CHANGED_A_SECOND:
        missed.append(f"{flat.changed / flat.took_s:,.0f} changed values/s, {CHANGED_A_SECOND:,} at least")
    print("\n" + ("\n".join(missed) or "All bounds are kept."))
    write(
        args.json, "ingest",
        {
            "taken": [
                {"what": t.what, "drivers": t.drivers, "took_s": t.took_s, "busy_s": t.busy_s, "batches": t.batches,
                 "changed": t.changed, "constant": t.constant, "laps": t.laps, "ack_p95_s": percentile(t.acks_s, 0.95)}
                for t in found
            ],
            "redis_samples_s": others,
        },
    )  # fmt: skip
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
