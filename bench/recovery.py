"""Seconds until messages are acknowledged again: a cut, 10 s of refused connections, a silent black hole.

A site sends a reliable message every 20 ms through a relay, which resets the connection (cut), resets and refuses
everything for 10 s (counted from when it lets connections in again), or swallows what the live connection carries
without a word (new connections work). The time ends with the first acknowledgement of a message accepted after the
fault began.
"""

import statistics
import tempfile
from pathlib import Path

import trio

from bench.report import parser, table, write
from chaos.profiles import PROFILES
from chaos.relay import Relay
from daemons.ops.logs import LogLevel, configure_logs
from tests.daemons.link.pair import open_hub, open_site

SEND_EVERY_S = 0.02
REFUSED_S = 10.0
SETTLED_S = 1.0
TARGETS_S = {"cut": 0.3, "refused for 10 s": 1.0, "black hole": 5.0}


async def _fault(relay: Relay, kind: str) -> float:
    """Do it, and return when the clock begins to run."""
    match kind:
        case "cut":
            relay.cut()
        case "refused for 10 s":
            relay.refuse()
            await trio.sleep(REFUSED_S)
            relay.resume()
        case _:
            relay.swallow()
    return trio.current_time()


async def _run(kind: str, folder: Path) -> float:
    async with open_hub(folder / "hub") as hub, trio.open_nursery() as nursery:
        relay = Relay("127.0.0.1", hub.port, PROFILES["clean"])
        port = await nursery.start(relay.run)
        async with open_site(folder / "site", port) as site, trio.open_nursery() as inner:
            durable = site.peer.durable

            async def send() -> None:
                while True:
                    await durable.send("event", "tick", 1, bytes(100))
                    await trio.sleep(SEND_EVERY_S)

            await site.peer.wait_connected()
            inner.start_soon(send)
            await trio.sleep(SETTLED_S)
            began = await _fault(relay, kind)
            epoch, seq = await durable.send("event", "probe", 1, b"")
            with trio.fail_after(60):
                while not durable.is_acked("event", epoch, seq):
                    await trio.sleep(0.002)
            took = trio.current_time() - began
            inner.cancel_scope.cancel()
        nursery.cancel_scope.cancel()
    return took


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    configure_logs(LogLevel.ERROR)
    rows, figures = [], {}
    for kind, target_s in TARGETS_S.items():

        def run(kind: str = kind) -> float:
            with tempfile.TemporaryDirectory() as folder:
                return trio.run(_run, kind, Path(folder))

        found = [run() for _ in range(arguments.rounds)]
        figures[kind] = found
        rows.append((kind, f"{statistics.median(found):.2f}", f"{max(found):.2f}", f"{target_s:g}"))
    table("Seconds until acknowledged again", ("", "median", "worst", "wanted at most"), rows)
    write(arguments.json, "recovery", {"seconds": figures})


if __name__ == "__main__":
    main()
