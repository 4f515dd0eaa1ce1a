"""A controller as a drill is one: places silence on a relay's only proxy, and renews it until it is gone.

python -m tests.chaos.proxy.controller SOCKET LEASE_S
"""

import sys
from pathlib import Path

import trio

from chaos.drills.relaycarrier import RelayCarrier
from chaos.faults import Placed, Silence
from daemons.ops.ask import Place


async def control(socket: str, lease_s: float) -> None:
    carrier = RelayCarrier(Place(Path(socket)), {"uplink": "relay"})
    await carrier.place("silence", "uplink", Placed("silence", Silence()), lease_s)
    while True:
        await trio.sleep(lease_s / 4)
        await carrier.renew()


if __name__ == "__main__":
    trio.run(control, sys.argv[1], float(sys.argv[2]))
