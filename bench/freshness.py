"""How fresh a spectator's page is: from FPVTrackside's write of a lap to its event in the cloud page's stream.

The stand-in, pits and cloud on loopback, in one process, joined as at a race; the measure is the arrival of the first
event whose live race has the new lap, by server-sent events over HTTP. Once with FPVTrackside's own
notification behind every write, once with nothing but the pits' own pace of reading.
"""

import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import evolve

from bench.report import parser, percentile, table, write
from chaos.doubles.fpvtrackside import Notifier, RaceControl
from daemons.ops.logs import LogLevel, configure_logs
from daemons.pits import NOTIFY_PATH
from daemons.race.config import PitsConfig
from daemons.race.mergepatch import apply
from tests.whole.stage import Stage, open_stage

TARGET_MS = {True: 150.0, False: 700.0}
GAPS_S = (0.83, 1.37, 1.11, 0.97, 1.23)
"""Between two laps. No multiple of the reading's period, so that the laps fall anywhere in it."""


def _laps(tree: dict[str, Any]) -> int:
    race = tree["races"].get(tree["now"].get("race"), {"rows": {}})
    return sum(row["laps"] for row in race["rows"].values())


@asynccontextmanager
async def page_trees(page: str) -> AsyncIterator[AsyncIterator[tuple[float, dict[str, Any]]]]:
    """Follow the page's stream: (time of arrival, tree) as they come."""
    async with httpx.AsyncClient(base_url=page, trust_env=False, timeout=None) as client:
        async with client.stream("GET", "/events") as answer:

            async def trees() -> AsyncIterator[tuple[float, dict[str, Any]]]:
                kind, tree = "", {}
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        kind = line.removeprefix("event: ")
                    elif line.startswith("data: ") and kind in ("tree", "patch"):
                        at, told = time.perf_counter(), json.loads(line.removeprefix("data: "))
                        tree = told if kind == "tree" else apply(tree, told)
                        yield at, tree

            yield trees()


async def _measure(stage: Stage, *, hint: bool, laps: int) -> list[float]:
    async with trio.open_nursery() as nursery:
        notifier = None
        if hint:
            assert stage.pits.front is not None
            notifier = Notifier(f"http://127.0.0.1:{stage.pits.front.ports[0]}{NOTIFY_PATH}", time.time)
            await nursery.start(notifier.run)
        control = RaceControl(stage.double, 1, target_laps=laps, notifier=notifier)
        await control.open_event(pilots=4)
        race = await control.add_race(await control.add_round(), [row["ID"] for row in control.pilots[:4]])
        await stage.connected()
        keeper = stage.cloud.members["field"].site.keeper
        await control.start_race(race)
        for pilot in race.pilots:
            await control.add_lap(race, pilot)  # the holeshot
        await stage.until(lambda: keeper.is_live and keeper.board["race"] is not None, 30)
        seen: dict[int, float] = {}
        counted = trio.Event()

        async def follow(*, task_status: trio.TaskStatus[None]) -> None:
            async with page_trees(stage.page) as trees:
                task_status.started()
                async for at, tree in trees:
                    for count in range(1, _laps(tree) + 1):
                        seen.setdefault(count, at)
                    if _laps(tree) >= laps:
                        counted.set()

        await nursery.start(follow)
        await trio.sleep(5)  # the day's lists are read
        written: dict[int, float] = {}
        for lap in range(laps):
            await trio.sleep(GAPS_S[lap % len(GAPS_S)])
            await control.add_lap(race, race.pilots[lap % len(race.pilots)])
            written[lap + 1] = stage.double.tree.writes[-1].at_s
        offset_s = time.perf_counter() - trio.current_time()
        with trio.fail_after(30):
            await counted.wait()
        nursery.cancel_scope.cancel()
    return [(seen[lap] - (at_s + offset_s)) * 1000 for lap, at_s in written.items()]


async def run(laps: int, *, hint: bool) -> list[float]:
    """Return the milliseconds of every lap."""
    with tempfile.TemporaryDirectory(prefix="pitlink-bench-") as folder:
        async with open_stage(Path(folder), pits_config=_as_it_comes) as stage:
            return await _measure(stage, hint=hint, laps=laps)


def _as_it_comes(config: PitsConfig) -> PitsConfig:
    return evolve(config, time_zone="Australia/Brisbane")


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--laps", type=int, default=60, help="laps of each run")
    arguments = options.parse_args()
    configure_logs(LogLevel.ERROR)
    rows, figures = [], {}
    for hint in (True, False):
        took_ms = trio.run(partial(run, arguments.laps, hint=hint))
        name = "with a push hint" if hint else "without"
        p50, p95 = percentile(took_ms, 0.5), percentile(took_ms, 0.95)
        ratio = p95 / TARGET_MS[hint]
        rows.append(
            (
                name,
                len(took_ms),
                f"{p50:.0f}",
                f"{p95:.0f}",
                f"{max(took_ms):.0f}",
                f"{TARGET_MS[hint]:.0f}",
                f"{ratio:.2f}",
            )
        )
        figures[name] = {"p50_ms": p50, "p95_ms": p95, "took_ms": took_ms, "target_p95_ms": TARGET_MS[hint]}
    columns = ("", "laps", "p50 ms", "p95 ms", "most", "p95 at most", "of that")
    table("Origin write → event in the page's stream, on loopback", columns, rows)
    write(arguments.json, "freshness", figures)


if __name__ == "__main__":
    main()
