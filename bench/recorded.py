"""The two worst recorded uplinks, LTE while driving and a moving Starlink, through pits and cloud.

Simulated, for their whole length, on a virtual clock; or with `--live MINUTES` in real time: `pits`, `cloud`, a relay
and FPVTrackside's stand-in as processes of their own, on the part of each recording that is out most. Wanted: nothing
lost, nothing doubled, the cloud's board fresh within 2 s of every outage's end, commands within 1 s (p95) while the
line is up. Exits with 1 when one of these is missed.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import trio

from bench.recorded_live import run_live
from bench.report import parser, table, write
from chaos.recording import Recording, load_recording
from chaos.simnet import run_world
from daemons.ops.logs import LogLevel, configure_logs
from tests.sim.recorded import FRESH_S, Measured, outages_of, run_recorded

COMMAND_S = 1.0
LINKS = {
    "LTE, driving": "mahimahi_100ms_bins.json#ATT-LTE-driving.{way}",
    "Starlink, driving": "starlink_autobahn_1s.json#{way}",
}


def worst_part(lines: list[Recording], length_s: float) -> float:
    """Return where the part of this length begins that is out longest. It begins and ends with a line that is up."""

    def out_s(from_s: float) -> float:
        return sum(until - since for since, until in outages_of(lines, from_s, length_s) if since >= 0)

    ends = [until for _, until in outages_of(lines, 0.0, lines[0].length_s)]
    return max((0.0, *(end + FRESH_S for end in ends if end + length_s < lines[0].length_s)), key=out_s)


def _simulated(up: str, down: str, seed: int) -> dict[str, Any]:
    lines = [load_recording(up), load_recording(down)]
    run = run_world(seed, partial(run_recorded, up=lines[0], down=lines[1]))
    # the run has failed, with words, when a message was lost or came twice
    return {"of": f"{lines[0].length_s:.0f} s in {run.wall_s:.0f} s", "lost": 0, "doubled": 0} | _row(
        run.value
    )


def _live(up: str, down: str, seed: int, minutes: float) -> dict[str, Any]:
    lines = [load_recording(up), load_recording(down)]
    from_s = worst_part(lines, minutes * 60)
    began = time.monotonic()
    live = trio.run(run_live, up, down, from_s, minutes * 60, seed)
    of = f"{from_s:.0f}…{from_s + minutes * 60:.0f} s in {time.monotonic() - began:.0f} s"
    return {"of": of, "lost": live.lost, "doubled": live.doubled} | _row(live.measured)


def _row(found: Measured) -> dict[str, Any]:
    return {
        "outages": len(found.outages),
        "missed": found.missed,
        "longest_s": max(until - since for since, until in found.outages),
        "out_s": sum(until - since for since, until in found.outages),
        "fresh_s": found.fresh_s,
        "commands": len(found.commands) + found.hit,
        "hit": found.hit,
        "p50_s": found.took_s(0.5),
        "p95_s": found.took_s(0.95),
        "p99_s": found.took_s(0.99),
    }


def _holds(row: dict[str, Any]) -> bool:
    return (
        not row["lost"]
        and not row["doubled"]
        and len(row["fresh_s"]) == row["outages"]
        and max(row["fresh_s"]) <= FRESH_S
        and row["p95_s"] <= COMMAND_S
    )


def main() -> int:
    options = parser(__doc__ or "")
    default = Path(os.environ.get("PITLINK_SAMPLES", Path(__file__).parents[2] / "shared" / "data"))
    options.add_argument(
        "--traces", type=Path, default=default / "traces", help="the folder of the recordings"
    )
    options.add_argument("--live", type=float, metavar="MINUTES", help="in real time, so long each")
    options.add_argument("--only", default="", help="a part of the link's name")
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    configure_logs(LogLevel.ERROR)
    rows = {}
    for name, place in LINKS.items():
        if arguments.only not in name:
            continue
        up, down = (str(arguments.traces / place.format(way=way)) for way in ("up", "down"))
        if arguments.live is None:
            rows[name] = _simulated(up, down, arguments.seed)
        else:
            rows[name] = _live(up, down, arguments.seed, arguments.live)
        print(f"{name}: done", flush=True)
    table(
        "Pits and cloud over recorded links" + ("" if arguments.live is None else ", in real time"),
        (
            "",
            "played",
            "outages",
            "with news",
            "out s",
            "longest s",
            "fresh after s (worst)",
            "lost",
            "doubled",
        ),
        [
            (
                name,
                row["of"],
                row["outages"],
                row["missed"],
                f"{row['out_s']:.0f}",
                f"{row['longest_s']:.1f}",
                f"{max(row['fresh_s'], default=0.0):.2f}",
                row["lost"],
                row["doubled"],
            )
            for name, row in rows.items()
        ],
    )
    table(
        "Commands, one every 2 s",
        ("", "given", "struck by an outage", "p50 s", "p95 s", "p99 s", ""),
        [
            (
                name,
                row["commands"],
                row["hit"],
                *(f"{row[key]:.2f}" for key in ("p50_s", "p95_s", "p99_s")),
                "as wanted" if _holds(row) else "MISSED",
            )
            for name, row in rows.items()
        ],
    )
    write(arguments.json, "recorded", {"links": rows})
    return 0 if all(_holds(row) for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
