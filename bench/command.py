"""How long a command to a house takes, from the nas to its boiler and back, durable at both ends.

From the call at the nas (an audit row, then the command with its place in the queue: two commits) over the link into the
boiler's settings, with the result (one commit), back into the nas (one commit). Two processes on loopback. Beside it: an
HTTP POST on a kept connection, with one commit at each end before the answer and one after it.

    .venv/bin/python -m bench.command --count 500
"""

import http.client
import http.server
import multiprocessing
import os
import socketserver
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import trio

from bench.heathouse import SITE, let_in, run_boiler, run_nas
from bench.peers import free_port
from bench.report import parser, percentile, table, write
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.options import Address
from protocol.heating import HeatOverride

P50_MS, P99_MS = 3.0, 10.0


def _boiler(folder: Path, token: str, port: int) -> None:
    async def live() -> None:
        url = f"ws://127.0.0.1:{port}"
        async with run_boiler(folder, token, url, Address("127.0.0.1", 0), time.monotonic):
            await trio.sleep_forever()

    configure_logs(LogLevel.ERROR)
    trio.run(live)


async def _ours(folder: Path, count: int) -> dict[str, list[float]]:
    """Return milliseconds of `count` commands, one after the other: whole, and from the moment each was accepted."""
    configure_logs(LogLevel.ERROR)
    token, port = let_in(folder / "nas"), free_port()
    ann = Identity("user", "ann", Role.OPERATOR, (SITE,), "")
    boiler = multiprocessing.get_context("spawn").Process(
        target=_boiler, args=(folder / "boiler", token, port), daemon=True
    )
    boiler.start()
    whole, accepted = [], []
    try:
        async with run_nas(folder / "nas", Address("127.0.0.1", port)) as nas:
            lodger = nas.houses[SITE]
            with trio.fail_after(60):
                while lodger.look.settings() is None:
                    await trio.sleep(0.05)
            done = trio.Event()

            def changed() -> None:
                if lodger.desk.results.total() == expected:
                    done.set()

            lodger.desk.on_change.append(changed)
            plan = lodger.look.plan()
            assert plan is not None
            room = next(zone.id for zone in plan.zones if zone.room)
            for number in range(count + 20):
                expected, done = lodger.desk.results.total() + 1, trio.Event()
                action = HeatOverride(room, "permanent", celsius=18.0 + number % 2)
                began = time.perf_counter()
                id_ = await _issue(lodger, nas, action, ann)
                queued = time.perf_counter()
                with trio.fail_after(10):
                    await done.wait()
                ended = time.perf_counter()
                if number >= 20:
                    whole.append((ended - began) * 1000)
                    accepted.append((ended - queued) * 1000)
                assert id_
            failed = {status: n for status, n in lodger.desk.results.items() if status != "DONE"}
            assert not failed, failed
    finally:
        boiler.terminate()
        boiler.join(10)
    return {"pitlink, with its audit row": whole, "pitlink, from its acceptance": accepted}


async def _issue(lodger: Any, nas: Any, action: HeatOverride, ann: Identity) -> str:
    from daemons.pair.issuing import issue_audited

    return await issue_audited(nas.trail, lodger.desk, action, ann, lifetime_s=60.0)


# --- the peer
# ----------------------------------------------------------------------------------------------------------


def _open(file: Path) -> apsw.Connection:
    conn = apsw.Connection(str(file))
    conn.pragma("journal_mode", "wal")
    conn.pragma("synchronous", "full")
    conn.execute("CREATE TABLE IF NOT EXISTS c (id INTEGER PRIMARY KEY, body TEXT, status TEXT)")
    return conn


def _http_server(file: Path, port: int) -> None:
    conn = _open(file)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            conn.execute("INSERT INTO c (body, status) VALUES (?, 'DONE')", (body,))
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"DONE")

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(6, 1, 1)  # TCP_NODELAY

        def log_message(self, *args: Any) -> None:
            pass

    with socketserver.TCPServer(("127.0.0.1", port), Handler) as server:
        server.serve_forever()


def _http(folder: Path, count: int) -> list[float]:
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(
        target=_http_server, args=(folder / "far.db", port), daemon=True
    )
    server.start()
    conn = _open(folder / "near.db")
    took = []
    try:
        deadline = time.monotonic() + 30
        client = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            try:
                client.connect()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        for number in range(count + 20):
            began = time.perf_counter()
            conn.execute("INSERT INTO c (body, status) VALUES (?, NULL)", (f"living {number}",))
            client.request("POST", "/", f"living {number}")
            answer = client.getresponse().read()
            conn.execute("UPDATE c SET status = ? WHERE id = last_insert_rowid()", (answer.decode(),))
            if number >= 20:
                took.append((time.perf_counter() - began) * 1000)
    finally:
        server.terminate()
        server.join(10)
    return took


def main() -> int:
    """Run the benchmark; return 1 when a bound is missed."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--count", type=int, default=500)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="pitlink-bench-") as folder:
        found = trio.run(partial(_ours, Path(folder), options.count))
        found["HTTP POST and SQLite"] = _http(Path(folder), options.count)
    figures = {
        name: {f"p{share}": round(percentile(values, share / 100), 2) for share in (50, 95, 99)}
        for name, values in found.items()
    }
    rows = [[name, *(f"{one[key]:.2f}" for key in ("p50", "p95", "p99"))] for name, one in figures.items()]
    table(f"{options.count} commands, ms; load {os.getloadavg()[0]:.1f}", ["", "p50", "p95", "p99"], rows)
    write(options.json, "command", {"ms": figures, "count": options.count})
    ours = figures["pitlink, from its acceptance"]
    return 0 if ours["p50"] <= P50_MS and ours["p99"] <= P99_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
