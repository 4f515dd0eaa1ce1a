"""Does the API do what its document says? `python -m tests.daemons.race.apicheck --examples 200`

A real server on loopback with two sites, one of a played event and one where nothing was read yet; schemathesis, which
knows nothing of this project, reads the document from it and tries every operation but the event streams with all its
checks: answers are of the documented status, type and shape, what is malformed is refused, other methods answer 405
with Allow, nothing answers 5xx.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio
from starlette.applications import Starlette

from daemons.race.keeper import BoardKeeper
from daemons.race.pages import race_routes
from daemons.race.pocketbase.realtime import Realtime
from daemons.race.pocketbase.routes import pocketbase_routes
from daemons.race.publicapi.document import EVENT_STREAMS
from daemons.race.publicapi.routes import api_v1_routes
from daemons.web.assets import read_assets
from tests.daemons.web.fronts import on_loopback

from . import makers as make
from .pocketbase.days import played

HOOKS = "tests.daemons.race.apihooks"
CONFIG = Path(__file__).with_name("apicheck.toml")
ROOT = Path(__file__).parents[3]
LINE_CHARACTERS_MAX = 400
"""What it sent can be a megabyte."""

FULL, EMPTY = "field", "empty"


@attrs.frozen
class Checked:
    """What schemathesis said. `code` 0: nothing is wrong."""

    code: int
    said: str


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, dict[str, list[dict[str, str]]]]]:
    """Serve both sites; yields the address, and the path parameters that lead somewhere, by path."""
    full, _ = played()
    keepers = {FULL: full, EMPTY: BoardKeeper()}
    realtime = Realtime(lambda: keepers, time.time, os.urandom)
    routes = [
        *race_routes(lambda: keepers, read_assets(), utc_now=time.time),
        *pocketbase_routes(realtime),
        *api_v1_routes(lambda: keepers, utc_now=time.time),
    ]
    async with on_loopback(Starlette(routes=routes)) as running:
        await realtime.look()
        yield f"http://127.0.0.1:{running.port}", _known(realtime)


def _known(realtime: Realtime) -> dict[str, list[dict[str, str]]]:
    one = "/api/v1/sites/{site}"
    sites = [{"site": FULL}, {"site": EMPTY}]
    known = dict.fromkeys((one, *(f"{one}/{part}" for part in _PARTS)), sites)
    known[f"{one}/races/{{race}}"] = [
        {"site": FULL, "race": make.race_id(number)} for number in (101, 102, 103)
    ]
    known[f"{one}/pilots/{{pilot}}"] = [
        {"site": FULL, "pilot": make.pilot_id(number)} for number in (1, 2, 3)
    ]
    records = [
        {"name": name, "id": key} for name, found in realtime.book.records.items() for key in list(found)[:3]
    ]
    return {**known, "/api/collections/{name}/records/{id}": records}


_PARTS = ("now", "races", "pilots", "rounds", "stages", "bests", "board", "tree")


async def check(examples: int, seed: int) -> Checked:
    """Serve, and have every operation tried with so many examples."""
    async with serving() as (address, known):
        command = [
            str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIG),
            "run", f"{address}/api/v1/openapi.json", "--url", address,
            "--checks", "all", "--max-examples", str(examples), "--seed", str(seed), "--no-color",
            "--generation-database", "none", "--workers", "1",
        ]  # fmt: skip
        for path in EVENT_STREAMS:  # their GET alone does not end
            command += (
                ["--exclude-path", path] if path != "/api/realtime" else ["--exclude-operation-id", "listen"]
            )
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "API_CHECK_KNOWN": json.dumps(known)}
        done = await trio.run_process(
            command, cwd=ROOT, env=environment, check=False, stderr=subprocess.STDOUT,
            capture_stdout=True,
        )  # fmt: skip
        return Checked(done.returncode, (done.stdout or b"").decode(errors="replace"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Does the API do what its document says?")
    parser.add_argument("--examples", type=int, default=200, help="of an operation")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    checked = trio.run(check, args.examples, args.seed)
    print("\n".join(line[:LINE_CHARACTERS_MAX] for line in checked.said.splitlines()))
    return checked.code


if __name__ == "__main__":
    sys.exit(main())
