"""A field of spectators at once: 350 phones open the page within 2 s, then 1,000 stay on it through a race of 4 pilots.

The stand-in for FPVTrackside, the shipped `pits` and `cloud`, and the phones are a process each, on this machine's
cores together. A phone connects, loads the page and every file that it names, asks the API and opens the stream
(`bench.crowdload`); its first page is complete with the first event of the stream. A lap's arrival is from
FPVTrackside's write to the event at each viewer. Exits with 1 when something was refused or a bound is missed.

    .venv/bin/python -m bench.crowd
    .venv/bin/python -m bench.crowd --only ready        # beside Hypercorn: see bench.crowdready
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import define

from bench import crowdready
from bench.report import parser, percentile, table, write
from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Notifier, RaceControl
from daemons.cloud import open_cloud
from daemons.ops.environment import Environment
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.memory import look_for_garbage_rarely
from daemons.ops.openfiles import allow_open_files
from daemons.ops.options import Address, Secret
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.pits import NOTIFY_PATH, open_pits
from daemons.race.config import CloudConfig, PitsConfig

SITE = "field"
PILOTS = 4
GAPS_S = (0.83, 1.37, 0.61, 1.11)
"""Between two laps; four pilots on laps of 30 s are faster than that together."""

FIRST_PAGE_MS = 300.0
LAP_MS = 300.0
CLOUD_MB = 200.0


# --- the daemons, each a process of its own -------------------------------------------------------------------------


async def _be(what: str, folder: Path, origin: str, cloud: str, token: str) -> None:
    listen = Address("127.0.0.1", 0)
    if what == "cloud":
        made = open_cloud(CloudConfig(state_dir=folder / "cloud", listen=listen))
    else:
        config = PitsConfig(
            site=SITE, origin_url=origin, cloud_url=cloud, token=Secret(token), state_dir=folder / "pits",
            listen=listen, time_zone="Australia/Brisbane",
        )  # fmt: skip
        made = open_pits(config)  # type: ignore[assignment]
    async with made as daemon, trio.open_nursery() as nursery:
        await nursery.start(daemon.run)
        assert daemon.front is not None
        print(json.dumps({"port": daemon.front.ports[0]}), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)  # until the bench has ended
        await daemon.stop()
        nursery.cancel_scope.cancel()


@define(eq=False)
class Child:
    """A process that says lines of JSON."""

    process: trio.Process
    _rest: bytes = b""

    async def line(self) -> Any:
        """Return what it says next."""
        assert self.process.stdout is not None
        while b"\n" not in self._rest:
            got = await self.process.stdout.receive_some(1 << 20)
            if not got:
                raise SystemExit("a process of the bench has ended")
            self._rest += got
        first, _, self._rest = self._rest.partition(b"\n")
        return json.loads(first)

    async def end_input(self) -> None:
        """Have it end by itself."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    def cpu_s(self) -> float:
        """Return the processor time that it used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def child(*arguments: str) -> AsyncIterator[Child]:
    """Run `python -m …` as a process for the body of the block."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Child(process)
    finally:
        process.terminate()
        with trio.CancelScope(shield=True), trio.move_on_after(5):
            await process.wait()


async def metrics_of(page: str) -> dict[str, float]:
    """Return the figures of a daemon by name and labels."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        text = (await client.get(f"{page}/metrics")).text
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


# --- the run --------------------------------------------------------------------------------------------------------


async def run(phones: int, stay: int, within_s: float, laps: int) -> dict[str, Any]:
    """Return what was measured."""
    with tempfile.TemporaryDirectory(prefix="pitlink-crowd-") as name:
        folder = Path(name)
        token = TokenTable(folder / "cloud" / TOKENS_FILE).add("site", Role.SITE, SITE)
        double = FPVTrackside(EventTree(), None, utc_now=Environment().utc_now)
        async with trio.open_nursery() as nursery:
            origin_port = await nursery.start(partial(double.serve, 0))
            own = ["bench.crowd", "--folder", name]
            async with child(*own, "--be", "cloud") as cloud:
                page = f"http://127.0.0.1:{(await cloud.line())['port']}"
                where = ["--origin", f"http://localhost:{origin_port}", "--cloud", page.replace("http", "ws")]
                async with child(*own, "--be", "pits", *where, "--token", token) as pits:
                    field = f"http://127.0.0.1:{(await pits.line())['port']}"
                    notifier = Notifier(f"{field}{NOTIFY_PATH}", time.time)
                    await nursery.start(notifier.run)
                    control = RaceControl(double, 1, target_laps=laps, notifier=notifier)
                    found = await _crowd(control, cloud, pits, page, phones, stay, within_s, laps)
                    await pits.end_input()
                    await cloud.end_input()
            nursery.cancel_scope.cancel()
    return found


async def _crowd(
    control: RaceControl,
    cloud: Child,
    pits: Child,
    page: str,
    phones: int,
    stay: int,
    within_s: float,
    laps: int,
) -> dict[str, Any]:
    await control.open_event(pilots=8)
    round_id = await control.add_round()
    races = [
        await control.add_race(round_id, [row["ID"] for row in control.pilots[:PILOTS]]) for _ in range(3)
    ]
    race = races[0]
    await control.start_race(race)
    for pilot in race.pilots:
        await control.add_lap(race, pilot)  # the holeshot
    await _until(lambda tree: tree.get("now", {}).get("phase") == "live", page)
    await trio.sleep(3)  # the day's lists are read
    load = [
        *("127.0.0.1", page.rsplit(":", 1)[1], "--phones", str(phones), "--stay", str(stay)),
        *("--within", str(within_s), "--api", f"/api/v1/sites/{SITE}/tree"),
    ]
    cpu_s = cloud.cpu_s()
    async with child("bench.crowdload", *load) as crowd:
        first = await crowd.line()
        opening_s = cloud.cpu_s() - cpu_s
        print(f"{first['there']} of {phones} phones have the page", file=sys.stderr)
        there = await crowd.line()
        print(f"{there['there']} of {stay} stay; the race is on", file=sys.stderr)
        before, cpu_s, began = await metrics_of(page), cloud.cpu_s(), time.monotonic()
        written: dict[tuple[str, int], float] = {}
        flown = dict.fromkeys(race.pilots, 0)
        for lap in range(laps * PILOTS):
            await trio.sleep(GAPS_S[lap % len(GAPS_S)])
            pilot = race.pilots[lap % PILOTS]
            await control.add_lap(race, pilot)
            flown[pilot] += 1
            at_s = control.double.tree.writes[-1].at_s
            written[pilot, flown[pilot]] = at_s + (time.monotonic() - trio.current_time())
        await trio.sleep(2)
        lasted_s, used_s = time.monotonic() - began, cloud.cpu_s() - cpu_s
        after = await metrics_of(page)
        await crowd.end_input()
        last = await crowd.line()
    took_s = [s for s in first["took_s"] if s is not None]
    arrivals = _arrivals(last["arrivals"], last["patches"], written)
    rises = {key: after[key] - before.get(key, 0.0) for key in after if "race_tree" in key}
    return {
        "phones": phones, "stay": stay, "there": there["there"], "statuses": last["statuses"],
        "failures": last["failures"], "connections": last["connections"],
        "page_ms": [s * 1000 for s in took_s], "page_bytes": first["body_bytes"] / max(1, len(took_s)),
        "lap_ms": [ms for own in arrivals.values() for ms in own], "laps": len(written),
        "laps_told": [len(own) for own in arrivals.values()], "snapshots": last["snapshots"],
        "refused": {key: value for key, value in after.items() if "refused" in key or "evicted" in key},
        "tree": rises, "cloud_mb": after["process_resident_memory_bytes"] / 1e6,
        "cloud_cpu": used_s / lasted_s, "opening_ms": opening_s / phones * 1000,
        "lap_bytes": last["stream_bytes"] / max(1, stay) / len(written),
        "lasted_s": lasted_s,
    }  # fmt: skip


async def _until(condition: Callable[[Any], bool], page: str) -> None:
    async with httpx.AsyncClient(base_url=page, trust_env=False, timeout=10) as client:
        with trio.fail_after(60):
            while True:
                answer = await client.get(f"/api/v1/sites/{SITE}/tree")
                if answer.status_code == 200 and condition(answer.json()):
                    return
                await trio.sleep(0.1)


def _arrivals(
    arrived: dict[str, list[float]], patches: dict[str, Any], written: dict[tuple[str, int], float]
) -> dict[tuple[str, int], list[float]]:
    """Return the milliseconds of each lap at each viewer. A patch that joins several laps tells of each of them."""
    found: dict[tuple[str, int], list[float]] = {}
    told = dict.fromkeys((pilot for pilot, _ in written), 0)
    for name in sorted(arrived, key=lambda name: min(arrived[name])):
        for race in (patches[name] or {}).get("races", {}).values():
            for pilot, row in race.get("rows", {}).items():
                for lap in range(told.get(pilot, 0) + 1, row.get("laps", 0) + 1):
                    if (pilot, lap) in written:
                        found[pilot, lap] = [(at - written[pilot, lap]) * 1000 for at in arrived[name]]
                        told[pilot] = lap
    return found


def show(found: dict[str, Any]) -> list[str]:
    """Print the table; return what is not as it must be, in words."""
    page, lap = found["page_ms"], found["lap_ms"]
    encodings = {
        key.partition("what=")[2].strip('"}'): value
        for key, value in found["tree"].items()
        if "encodings" in key
    }
    versions = sum(value for key, value in found["tree"].items() if "versions" in key)
    rows = [
        (f"first page, {found['phones']} phones", *_spread(page), f"{FIRST_PAGE_MS:.0f}"),
        (f"arrival of a lap, {found['stay']} viewers", *_spread(lap), f"{LAP_MS:.0f}"),
    ]
    table("Milliseconds", ("", "count", "p50", "p95", "most", "p95 at most"), rows)
    streams_a_core = found["stay"] / found["cloud_cpu"]
    facts = [
        ("memory of the cloud, MB", f"{found['cloud_mb']:.0f}", f"{CLOUD_MB:.0f}"),
        ("changes of the tree in the race", f"{versions:.0f}", ""),
        (
            "encodings for streams",
            f"{encodings.get('patch', 0) + encodings.get('snapshot', 0):.0f}",
            f"{versions:.0f}",
        ),
        ("streams per core, at this rhythm", f"{streams_a_core:.0f}", ""),
        ("bytes per lap per viewer, ages too", f"{found['lap_bytes']:.0f}", ""),
        ("bytes of a first page, packed", f"{found['page_bytes']:.0f}", ""),
        ("processor of the cloud for a first page, ms", f"{found['opening_ms']:.1f}", ""),
        ("share of a core of the cloud in the race", f"{found['cloud_cpu']:.2f}", ""),
    ]
    table("Costs", ("", "", "at most"), facts)
    problems = []
    refused = {key: value for key, value in found["refused"].items() if value}
    wrong = {key: count for key, count in found["statuses"].items() if key != "200"}
    if refused or wrong or found["failures"] or found["there"] != found["stay"]:
        problems.append(
            f"refused: {refused or ''} {wrong or ''} {found['failures'] or ''} there: {found['there']}"
        )
    if (
        any(count != found["stay"] for count in found["laps_told"])
        or len(found["laps_told"]) != found["laps"]
    ):
        problems.append("not every viewer was told of every lap as it came")
    for words, value, most in (
        ("first page p95", percentile(page, 0.95), FIRST_PAGE_MS),
        ("lap p95", percentile(lap, 0.95), LAP_MS),
        ("memory", found["cloud_mb"], CLOUD_MB),
        ("encodings", encodings.get("patch", 0) + encodings.get("snapshot", 0), versions),
    ):
        if value > most:
            problems.append(f"{words}: {value:.0f}, at most {most:.0f}")
    return problems


def _spread(values: list[float]) -> tuple[str, ...]:
    p50, p95 = percentile(values, 0.5), percentile(values, 0.95)
    return (str(len(values)), f"{p50:.0f}", f"{p95:.0f}", f"{max(values):.0f}")


def main() -> None:
    """Measure and print."""
    options = parser(__doc__ or "")
    options.add_argument("--phones", type=int, default=350, help="that open the page at once")
    options.add_argument("--within", type=float, default=2.0, metavar="SECONDS")
    options.add_argument("--stay", type=int, default=1000, help="viewers through the race")
    options.add_argument("--laps", type=int, default=8, help="of each of the 4 pilots")
    options.add_argument("--only", choices=("crowd", "ready"))
    options.add_argument("--seconds", type=float, default=4.0, help="of each measure beside Hypercorn")
    for name in ("--be", "--folder", "--origin", "--cloud", "--token"):
        options.add_argument(name, default="", help="used by itself")
    given = options.parse_args()
    configure_logs(LogLevel.ERROR)
    if given.be:
        allow_open_files()
        look_for_garbage_rarely()
        trio.run(partial(_be, given.be, Path(given.folder), given.origin, given.cloud, given.token))
        return
    problems, figures = [], {}
    if given.only != "ready":
        figures["crowd"] = trio.run(partial(run, given.phones, given.stay, given.within, given.laps))
        problems += show(figures["crowd"])
    if given.only != "crowd":
        figures["ready"] = crowdready.measure(given.seconds)
        problems += crowdready.show(figures["ready"])
    write(given.json, "crowd", figures)
    for words in problems:
        print(f"missed: {words}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
