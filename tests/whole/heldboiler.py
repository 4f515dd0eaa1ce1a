"""boiler itself, with two cold rooms that it heats, and an end of its own choosing when a contact closes:
`python -m tests.whole.heldboiler LATCH FOLDER WAY`.

What is added to the daemon is one function that is called after each round of control.
"""

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from daemons.boiler import Boiler, open_boiler
from daemons.heating.config import BoilerConfig
from daemons.heating.hardware.wiring import RelayPin
from daemons.heating.state import Decision
from daemons.ops.lifecycle import run_daemon, serve_daemon
from daemons.ops.logs import configure_logs
from daemons.ops.options import Address

__all__ = ["ALIVE", "CONTACT", "RELAYS", "ROMS"]

RELAYS = {"high": RelayPin(17), "low": RelayPin(6, active_low=True)}
ROMS = {"high": "28-000000000001", "low": "28-000000000002"}
ALIVE, CONTACT = 22, 5

HOUSE = """
house = "Held"
time_zone = "America/Denver"
{zones}
[wiring]
gpio = "latch:{latch}"
alive = 22
alive_half_s = 0.02
alive_hold_s = 1.0
w1_folder = "{folder}/w1"
read_s = 1
deadline_s = 1
[wiring.relays]
high = {{ pin = 17 }}
low = {{ pin = 6, active_low = true }}
[wiring.contacts]
high = 5
[wiring.ds18b20]
high = "28-000000000001"
low = "28-000000000002"
"""
ZONE = """
[[zones]]
id = "{id}"
title = "{id}"
output = "{id}"
room = "{id}"
{call}
min_on_s = 0
min_off_s = 0
valve_s = 0
on_loss = {{ kind = "off" }}
"""
"""Its room at 3 °C is heated whatever anybody wishes: frost duty."""


class Fell(Exception):
    """Something nobody thought of."""


def main(latch: str, folder: str, way: str) -> int:
    """Run until it is ended."""
    zones = ZONE.format(id="high", call='call = "high"') + ZONE.format(id="low", call="")
    file = Path(folder) / "house.toml"
    file.write_text(HOUSE.format(zones=zones, latch=latch, folder=folder))
    config = BoilerConfig(
        house_file=file, state_dir=Path(folder) / "state", listen=Address("127.0.0.1", 0), clock_is_set=True,
        control_s=5.0, speed=20.0, commit_s=0.5,
    )  # fmt: skip

    async def serve(stop: trio.Event) -> None:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Boiler]:
            async with open_boiler(config) as boiler:

                def after_round(decision: Decision) -> None:
                    if boiler.hardware.inputs().contacts["high"]:
                        _end(way, stop)

                boiler.loop.on_round.append(after_round)
                yield boiler

        await serve_daemon(opened, stop)

    configure_logs()
    return run_daemon(serve)


def _end(way: str, stop: trio.Event) -> None:
    match way:
        case "normal":
            stop.set()
        case "exception":
            raise Fell
        case "abort":
            os.abort()
        case "hang":
            time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
