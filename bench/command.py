"""How long a command to a house takes, from the nas to its boiler and back, durable at both ends.

From the call at the nas (the command, its place in the queue and what the audit is to say of it: one commit) over the
link into the boiler's settings, with the result (one commit), back into the nas (one commit). Two processes on loopback.
One at a time with a rest between, as people give them, which lets what follows each (rows of the audit, attempts, the
round of control that it causes, what pages are told) end; and one after the other without any rest. Beside it the disk
alone, and the peers of `bench.commandpeers`. The log of every database has its full length before, as after some hours of
work: a commit to a log that still grows waits 0.3 ms longer for the disk here.

    .venv/bin/python -m bench.command --count 300
"""

import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import trio

from bench import commandpeers
from bench.commandpeers import LEFT_OUT
from bench.heathouse import SITE, let_in, run_boiler, run_nas
from bench.peers import Missing, free_port
from bench.report import parser, percentile, table, write
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.options import Address
from daemons.pair.issuing import issue_audited
from daemons.store import Store
from protocol.heating import HeatOverride

P50_MS, P99_MS = 3.0, 10.0
OURS = "pitlink"
ACCEPTED = "pitlink, from its acceptance"


def _boiler(folder: Path, token: str, port: int) -> None:
    async def live() -> None:
        url = f"ws://127.0.0.1:{port}"
        async with run_boiler(folder, token, url, Address("127.0.0.1", 0), time.monotonic) as boiler:
            await lengthen(boiler.store)
            await trio.sleep_forever()

    configure_logs(LogLevel.ERROR)
    trio.run(live)


async def lengthen(store: Store) -> None:
    """Have a store's log grow to the length that it keeps."""
    for work in commandpeers.FULL_LOG:
        await store.transact(work)


async def _ours(folder: Path, count: int, pace_s: float) -> dict[str, list[float]]:
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
            await lengthen(nas.store)
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
            for number in range(count + LEFT_OUT):
                await trio.sleep(pace_s)
                expected, done = lodger.desk.results.total() + 1, trio.Event()
                action = HeatOverride(room, "permanent", celsius=18.0 + number % 2)
                began = time.perf_counter()
                await issue_audited(nas.trail, lodger.desk, action, ann, lifetime_s=60.0)
                queued = time.perf_counter()
                with trio.fail_after(10):
                    await done.wait()
                ended = time.perf_counter()
                whole.append((ended - began) * 1000)
                accepted.append((ended - queued) * 1000)
            failed = {status: n for status, n in lodger.desk.results.items() if status != "DONE"}
            assert not failed, failed
    finally:
        boiler.terminate()
        boiler.join(10)
    return {OURS: whole[LEFT_OUT:], ACCEPTED: accepted[LEFT_OUT:]}


def _measured(count: int, pace_s: float) -> dict[str, dict[str, float]]:
    """Return the shares of ours and of all peers."""
    with tempfile.TemporaryDirectory(prefix="pitlink-bench-") as name:
        folder = Path(name)
        found = trio.run(_ours, folder, count, pace_s)
        found["HTTP POST"] = commandpeers.http_post(folder, count, pace_s)
        try:
            for qos in (1, 2):
                found[f"mosquitto QoS {qos}"] = commandpeers.mosquitto(folder, count, pace_s, qos)
        except Missing as exc:
            print(exc)
        found["three commits alone"] = commandpeers.three_commits(folder, count, pace_s)
        found["one fdatasync alone"] = commandpeers.sync_alone(folder, count, pace_s)
    return {
        name: {f"p{share}": round(percentile(values, share / 100), 2) for share in (50, 95, 99)}
        for name, values in found.items()
    }


def main() -> int:
    """Run the benchmark; return 1 when a bound is missed."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--count", type=int, default=300)
    arguments.add_argument("--pace", type=float, default=0.25, help="seconds of rest between two")
    options = arguments.parse_args()
    figures = {}
    for words, pace_s in ((f"{options.pace:g} s between two", options.pace), ("without a rest", 0.0)):
        figures[words] = found = _measured(options.count, pace_s)
        rows = [[name, *(f"{one[key]:.2f}" for key in ("p50", "p95", "p99"))] for name, one in found.items()]
        title = f"{options.count} commands, {words}, ms; load {os.getloadavg()[0]:.1f}"
        table(title, ["", "p50", "p95", "p99"], rows)
    write(options.json, "command", {"ms": figures, "count": options.count})
    ours = next(iter(figures.values()))[OURS]
    return 0 if ours["p50"] <= P50_MS and ours["p99"] <= P99_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
