"""Does the API do what its document says? `python -m tests.daemons.race.apicheck --examples 200`

The stand-in with a played event, pits and a cloud that knows of a second site where nothing was read yet, on loopback;
schemathesis, which knows nothing of this project, reads the document of each and tries every operation but the event
streams with all its checks: answers are of the documented status, type and shape, what is malformed is refused, other
methods answer 405 with Allow, nothing answers 5xx.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

from chaos.doubles.fpvtrackside import EventTree
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.race.pocketbase.collections import COLLECTIONS
from daemons.race.publicapi.document import EVENT_STREAMS
from tests.whole.stage import SITE, open_stage

from . import makers as make
from .pocketbase.days import played

HOOKS = "tests.daemons.race.apihooks"
CONFIG = Path(__file__).with_name("apicheck.toml")
ROOT = Path(__file__).parents[3]
EMPTY = "spare"
PHASES = "examples,coverage,fuzzing,stateful"
LINE_CHARACTERS_MAX = 400
"""What it sent can be a megabyte."""

_ONE = "/api/v1/sites/{site}"
_PARTS = ("now", "races", "pilots", "rounds", "stages", "bests", "board", "tree")


@attrs.frozen
class Served:
    """Addresses of a hub and a site, and the path parameters that lead somewhere, by path."""

    hub: str
    site: str
    known: dict[str, list[dict[str, str]]]


@attrs.frozen
class Checked:
    """What schemathesis said. `code` 0: nothing is wrong."""

    code: int
    said: str


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    """Serve, from when the hub shows the whole event and has kept its files."""
    TokenTable(folder / "cloud" / TOKENS_FILE).add(EMPTY, Role.SITE, EMPTY)
    _, day = played()
    files = EventTree({path: body for path, body in day.files.items() if path.endswith(".json")})
    async with open_stage(folder, tree=files, well_mannered=False) as stage:
        assert stage.pits.front is not None
        race = f"{_ONE}/races/{{race}}".format(site=SITE, race=make.race_id(101))
        async with httpx.AsyncClient(base_url=stage.page, trust_env=False) as client:
            with trio.fail_after(60):
                while (
                    answer := await client.get(f"{race}/versions")
                ).status_code != 200 or not await _is_whole(client):
                    await trio.sleep(0.05)
            versions = [version["sha256"] for version in answer.json()["versions"]]
            known = await _known(client, versions)
        yield Served(stage.page, f"http://127.0.0.1:{stage.pits.front.ports[0]}", known)


async def _is_whole(client: httpx.AsyncClient) -> bool:
    listed = (await client.get("/api/v1/sites")).json()["sites"]
    results = (await client.get("/api/collections/results/records")).json()
    return [site["races"] for site in listed] == [3, 0] and results["totalItems"] == 2


async def _known(client: httpx.AsyncClient, versions: list[str]) -> dict[str, list[dict[str, str]]]:
    sites = [{"site": SITE}, {"site": EMPTY}]
    known: dict[str, list[dict[str, str]]] = dict.fromkeys(
        (_ONE, *(f"{_ONE}/{part}" for part in _PARTS)), sites
    )
    known[f"{_ONE}/pilots/{{pilot}}"] = [
        {"site": SITE, "pilot": make.pilot_id(number)} for number in (1, 2, 3)
    ]
    races = [{"site": SITE, "race": make.race_id(number)} for number in (101, 102, 103)]
    for end in ("", "/versions", "/history"):
        known[f"{_ONE}/races/{{race}}{end}"] = races
    known[f"{_ONE}/races/{{race}}/versions/{{digest}}"] = [
        {**races[0], "digest": digest} for digest in versions
    ]
    records = []
    for name in COLLECTIONS:
        page: dict[str, Any] = (await client.get(f"/api/collections/{name}/records?perPage=3")).json()
        records += [{"name": name, "id": record["id"]} for record in page["items"]]
    return {**known, "/api/collections/{name}/records/{id}": records}


async def check(examples: int, seed: int, *, operation: str = "", phases: str = PHASES) -> list[Checked]:
    """Serve, and have every operation of the hub (or one), and what a site has beside, tried with so many examples."""
    which, phased = ["--include-operation-id", operation] if operation else [], ["--phases", phases]
    for name in EVENT_STREAMS:
        which += ["--exclude-operation-id", name]
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder)) as served:
            return [
                await _try(folder, served.hub, served, examples, seed, *phased, *which),
                await _try(
                    folder, served.site, served, examples, seed, *phased, "--include-operation-id", "status"
                ),
            ]


async def _try(folder: str, address: str, served: Served, examples: int, seed: int, *which: str) -> Checked:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIG),
        "run", f"{address}/api/v1/openapi.json", "--url", address, *which,
        "--checks", "all", "--max-examples", str(examples), "--seed", str(seed), "--no-color",
        "--generation-database", "none", "--workers", "1",
    ]  # fmt: skip
    known = json.dumps(served.known)
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": HOOKS,
        "API_CHECK_KNOWN": known,
        "PYTHONPATH": str(ROOT),
    }
    done = await trio.run_process(
        command, cwd=folder, env=environment, check=False, stderr=subprocess.STDOUT, capture_stdout=True
    )
    said = (done.stdout or b"").decode(errors="replace")
    return Checked(done.returncode, "\n".join(line[:LINE_CHARACTERS_MAX] for line in said.splitlines()))


def main() -> int:
    parser = argparse.ArgumentParser(description="Does the API do what its document says?")
    parser.add_argument("--examples", type=int, default=200, help="of an operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default=PHASES, help="of schemathesis")
    parser.add_argument("--operation", default="", help="this one alone, by its operationId")
    args = parser.parse_args()
    checked = trio.run(partial(check, args.examples, args.seed, operation=args.operation, phases=args.phases))
    print("\n".join(one.said for one in checked))
    return max(one.code for one in checked)


if __name__ == "__main__":
    sys.exit(main())
