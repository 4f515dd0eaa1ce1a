"""What a house of fourteen zones costs a line: bytes of one batch of its state, and of a day of everything.

The real boiler and nas over the simulated network, rounds of control every 10 s, samples of every minute, all that the
link adds to it (WebSocket's frames, acknowledgements, pings) in both directions, inside TLS. Beside it the same states as
the seed of this project sends them: a JSON object a batch with every zone that changed, gzip from 1 KB on; the events
are left out there.

    .venv/bin/python -m bench.heatbytes --hours 2
"""

import gzip
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import trio

from bench.heathouse import SITE, let_in, run_boiler, run_nas
from bench.report import parser, percentile, table, write
from chaos.simnet import World, run_world
from daemons.heating.replica.publish import steadied
from daemons.heating.replica.rows import Told, state_rows
from daemons.heating.state import Decision, HouseState
from daemons.ops.environment import Environment
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.options import Address
from protocol.codec import encode_frame
from protocol.frames import Update
from protocol.segments import Compressor

PORT = 8444
BATCH_BYTES, DAY_BYTES = 200, 500_000
SETTLE_S = 120.0


def environment(world: World, name: str) -> Environment:
    """Return what a daemon of the simulated world takes from outside itself."""
    entropy = world.rng(f"entropy {name}")
    return Environment(world.utc_now, entropy.randbytes, entropy.random, lambda: name.encode())


async def _day(world: World, hours: float) -> dict[str, Any]:
    for host in ("pi", "nas"):
        world.net.add_host(host)
    states: list[HouseState] = []
    with tempfile.TemporaryDirectory(prefix="pitlink-bench-") as folder:
        token = let_in(Path(folder) / "nas", environment(world, "keys"), inline=True)
        with world.net.host("nas"):
            nas_run = run_nas(
                Path(folder) / "nas",
                Address("0.0.0.0", PORT),
                environment=environment(world, "nas"),
                inline=True,
            )
            async with nas_run as nas:
                with world.net.host("pi"):
                    boiler_run = run_boiler(
                        Path(folder) / "boiler", token, f"ws://nas:{PORT}", Address("0.0.0.0", 8091), trio.current_time,
                        environment=environment(world, "pi"), inline=True,
                    )  # fmt: skip
                    async with boiler_run as boiler:
                        await trio.sleep(SETTLE_S)
                        peer = nas.houses[SITE].peer
                        connection = peer.connection
                        assert connection is not None
                        begin, events = peer.figures.traffic(connection), nas.houses[SITE].look.record
                        before = events.events, events.samples

                        def round_(decision: Decision) -> None:
                            states.append(decision.state)

                        boiler.loop.on_round.append(round_)
                        await trio.sleep(hours * 3600.0)
                        end = peer.figures.traffic(connection)
                        return {
                            "in": end.bytes_in - begin.bytes_in,
                            "out": end.bytes_out - begin.bytes_out,
                            "events": events.events - before[0],
                            "sample batches": events.samples - before[1],
                            "states": states,
                        }


def batches(states: list[HouseState]) -> list[int]:
    """Return the bytes of each update that these states lead to, after the compression of one connection."""
    compressor, known = Compressor(), dict[str, bytes]()
    found: list[int] = []
    steady: HouseState | None = None
    for number, state in enumerate(states):
        seq = number + 1
        steady = steadied(state, steady, holds=bool(number % 3))
        rows = state_rows(Told(steady, capacity_days=41))
        changed = {key: row for key, row in rows.items() if known.get(key) != row}
        removed = [key for key in known if key not in rows]
        if not changed and not removed:
            continue
        known = rows
        digest = seq.to_bytes(8)[::-1]
        update = Update("heat.state", 2**61 + 1, seq, changed, removed, digest, round(state.at * 1e6), 0)
        found.append(len(compressor.wrap(encode_frame(update), counted=True, compress=True)))
    return found[1:]


def as_json(states: list[HouseState]) -> list[int]:
    """Return the bytes of each batch as the seed sends it."""
    known: dict[str, Any] = {}
    found: list[int] = []
    for state in states:
        zones = {}
        for zone in state.zones:
            told = {
                "zone_name": zone.id, "current_temp": zone.celsius, "supply_temp": zone.supply,
                "setpoint": None if zone.target is None else zone.target.celsius, "control_mode": str(zone.mode).upper(),
                "state": "ON" if zone.is_on else "OFF", "updated_at": state.at,
            }  # fmt: skip
            mine = {key: value for key, value in told.items() if key != "updated_at"}
            if known.get(zone.id) != mine:
                zones[zone.id], known[zone.id] = told, mine
        body = json.dumps(
            {
                "type": "zone_state_update",
                "timestamp": state.at,
                "sequence": len(found),
                "zones": list(zones.values()),
            }
        ).encode()
        found.append(len(gzip.compress(body)) if len(body) > 1024 else len(body))
    return found[1:]


def main() -> int:
    """Run the benchmark; return 1 when a bound is missed."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--hours", type=float, default=2.0, help="simulated; 24 takes minutes")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    configure_logs(LogLevel.ERROR)
    found = run_world(options.seed, partial(_day, hours=options.hours)).value
    ours, theirs = batches(found["states"]), as_json(found["states"])
    a_day = 24.0 / options.hours
    day, json_day = (found["in"] + found["out"]) * a_day, sum(theirs) * a_day
    rows = [
        [name, round(percentile(one, 0.5)), round(percentile(one, 0.99)), max(one)]
        for name, one in (("pitlink", ours), ("JSON", theirs))
    ]
    table("Bytes of a batch of the state", ["", "p50", "p99", "most"], rows)
    table(
        f"Bytes of a day, from {options.hours:g} h: {found['events']} events, {found['sample batches']} batches of samples",
        ["", "from the house", "to the house", "both"],
        [
            ["pitlink, everything", round(found["in"] * a_day), round(found["out"] * a_day), round(day)],
            ["JSON, states alone", round(json_day), "-", round(json_day)],
        ],
    )
    write(options.json, "heatbytes", {"batch": ours, "day": day, "json_day": json_day})
    return 0 if percentile(ours, 0.99) <= BATCH_BYTES and day <= DAY_BYTES else 1


if __name__ == "__main__":
    raise SystemExit(main())
