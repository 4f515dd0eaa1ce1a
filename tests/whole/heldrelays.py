"""A daemon that does nothing but hold two relays on, and ends in the way it is told to when its contact closes:
`python -m tests.whole.heldrelays LATCH FOLDER WAY`. Its life is that of every daemon: signals, notifications, watchdog.

It heats while its sensor, in FOLDER, has a temperature: one that is lost is off.
"""

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import define, field

from daemons.heating.hardware.pi import PiHardware, open_pi
from daemons.heating.hardware.wiring import RelayPin, Wiring
from daemons.ops.lifecycle import notify, run_daemon, serve_daemon
from daemons.ops.logs import configure_logs

__all__ = ["ALIVE", "CONTACT", "RELAYS", "ROM"]

RELAYS = {"high": RelayPin(17), "low": RelayPin(6, active_low=True)}
ALIVE, CONTACT, ROM = 22, 5, "28-000000000001"
CONTROL_S = 0.1


class Fell(Exception):
    """Something nobody thought of."""


@define(eq=False)
class Holder:
    """The daemon."""

    hardware: PiHardware
    way: str
    ended: trio.Event
    cycle: trio.Event = field(factory=trio.Event)

    async def run(self, *, task_status: trio.TaskStatus[object]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.hardware.run)
            poke = trio.Event()

            def changed() -> None:
                poke.set()

            self.hardware.on_change = changed
            task_status.started(None)
            while True:
                inputs = self.hardware.inputs()
                if inputs.contacts["end"]:
                    self._end()
                is_warm = inputs.readings["room"].celsius is not None
                self.hardware.drive(dict.fromkeys(RELAYS, is_warm))
                self.hardware.pulse()
                self.cycle.set()
                self.cycle = trio.Event()
                with trio.move_on_after(CONTROL_S):
                    await poke.wait()

    def _end(self) -> None:
        match self.way:
            case "exception":
                raise Fell
            case "abort":
                os.abort()
            case "hang":
                time.sleep(3600)
            case "normal":
                self.ended.set()

    async def prove(self) -> None:
        while True:
            await self.cycle.wait()
            notify("WATCHDOG=1")

    async def stop(self) -> None:
        self.hardware.all_off()

    def figures_at_start(self) -> dict[str, object]:
        return {}


def main(latch: str, folder: str, way: str) -> int:
    wiring = Wiring(
        gpio=f"latch:{latch}", relays=RELAYS, contacts={"end": CONTACT}, alive=ALIVE, alive_half_s=0.02, alive_hold_s=1.0,
        ds18b20={"room": ROM}, w1_folder=Path(folder), read_s=0.5, deadline_s=1.0,
    )  # fmt: skip

    async def serve(stop: trio.Event) -> None:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Holder]:
            with open_pi(wiring, relays_file=Path(folder) / "relays.json") as hardware:
                yield Holder(hardware, way, stop)

        await serve_daemon(opened, stop)

    configure_logs()
    return run_daemon(serve)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
