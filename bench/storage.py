"""What encryption at rest costs: the daemons' own store with a key and without, rows of 1,000 bytes.

Rows a second handed in by 64 callers at once, each durable before its caller goes on (`synchronous=FULL`); one caller
alone; a scan of all rows by a new reader; a backup, read back.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import apsw
import trio

from bench.report import parser, table, write
from daemons.ops.logs import LogLevel, configure_logs
from daemons.store import Migration, Store, fetch, open_store
from daemons.store.archive import take_backup
from daemons.store.connect import PLAIN, DatabaseKey

TABLE = [Migration("bench", 1, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB) STRICT")]
BODY_BYTES = 1000
CALLERS = 64
ALONE = 200


def _insert(conn: apsw.Connection, bodies: list[bytes]) -> list[None]:
    conn.executemany("INSERT INTO item (body) VALUES (?)", [(body,) for body in bodies])
    return [None] * len(bodies)


async def _many(store: Store, rows: int) -> float:
    body = os.urandom(BODY_BYTES)
    left = rows

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await store.transact_batched(_insert, body)

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(CALLERS):
            nursery.start_soon(caller)
    return rows / (time.perf_counter() - began)


async def _round(folder: Path, key: DatabaseKey, rows: int) -> dict[str, float]:
    async with open_store(folder / "bench.db", migrations=TABLE, key=key) as store:
        many = await _many(store, rows)
        waits = []
        for _ in range(ALONE):
            began = time.perf_counter()
            await store.transact_batched(_insert, os.urandom(BODY_BYTES))
            waits.append(time.perf_counter() - began)
        began = time.perf_counter()
        await store.read(lambda conn: fetch(conn, "SELECT sum(length(body)) FROM item"))
        scan = time.perf_counter() - began
        began = time.perf_counter()
        await trio.to_thread.run_sync(lambda: take_backup(folder, folder / "b", at=0.0, key=key, reserve=0))
        backup = time.perf_counter() - began
    megabytes = rows * BODY_BYTES / 1e6
    return {
        "rows_per_s": many,
        "alone_ms": statistics.median(waits) * 1e3,
        "scan_mb_per_s": megabytes / scan,
        "backup_mb_per_s": megabytes / backup,
    }


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    configure_logs(LogLevel.WARNING)
    kinds = {"plain": PLAIN, "encrypted": DatabaseKey(os.urandom(32).hex())}
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(given.rounds):
        for kind, key in kinds.items():
            with tempfile.TemporaryDirectory() as folder:
                found[kind].append(trio.run(_round, Path(folder), key, given.rows))
    medians = {
        kind: {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        for kind, rounds in found.items()
    }
    columns = ["", "rows/s", "one alone, ms", "scan, MB/s", "backup, MB/s"]
    rows = [
        [
            kind,
            f"{figures['rows_per_s']:,.0f}",
            f"{figures['alone_ms']:.2f}",
            f"{figures['scan_mb_per_s']:,.0f}",
            f"{figures['backup_mb_per_s']:,.0f}",
        ]
        for kind, figures in medians.items()
    ]
    ratios = {name: medians["encrypted"][name] / medians["plain"][name] for name in medians["plain"]}
    rows.append(["encrypted / plain", *(f"{ratio:.2f}" for ratio in ratios.values())])
    table(f"{given.rows:,} rows of {BODY_BYTES} bytes, median of {given.rounds}", columns, rows)
    write(given.json, "storage", {**medians, "encrypted / plain": ratios})


if __name__ == "__main__":
    main()
