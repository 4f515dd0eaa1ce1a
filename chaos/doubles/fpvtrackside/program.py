"""The stand-in as a program of its own, that can be killed: `python -m chaos.doubles.fpvtrackside --folder DIR`.

What it serves lies in the folder. Killed and started again it serves what lies there, torn as it was left, and opens
a new event beside it, as an operator does who starts over.
"""

import argparse
import json
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio
from attrs import frozen

from .disk import DiskTree
from .notify import Notifier
from .quirks import Quirks
from .raceday import RaceDay
from .server import FPVTrackside

__all__ = ["Options", "main"]


@frozen(kw_only=True)
class Options:
    """What can be asked. `notify`: a NotificationURL; `torn_s`: how long a file is half written each time."""

    folder: Path
    port: int = 0
    seed: int = 1
    speed: float = 1.0
    laps: int = 4
    torn_s: float = 0.02
    notify: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Prints {"port"} when it can be asked, and at the end how its clients behaved."""
    options = _read(arguments)
    trio.run(_run, options)
    return 0


def _read(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m chaos.doubles.fpvtrackside", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where its files lie")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--seed", type=int, default=1, help="of the race day")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast the day goes")
    parser.add_argument("--laps", type=int, default=4, help="of a race, 2 or more")
    parser.add_argument(
        "--torn-s", type=float, default=0.02, help="how long a file is half written each time"
    )
    parser.add_argument("--notify", default="", help="a NotificationURL")
    return Options(**vars(parser.parse_args(arguments)))


async def _run(options: Options) -> None:
    tree = DiskTree(options.folder)
    double = FPVTrackside(tree, Quirks(torn_write_s=options.torn_s), utc_now=time.time)
    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            port = await nursery.start(double.serve, options.port)
            notifier = None
            if options.notify:
                notifier = Notifier(options.notify, time.time)
                await nursery.start(notifier.run)
            _say({"port": port})
            day = RaceDay(
                double,
                _day_seed(options.seed, tree),
                options.speed,
                start_utc_s=time.time(),
                rounds=None,
                target_laps=options.laps,
                notifier=notifier,
            )
            nursery.start_soon(day.run)  # noqa: ASYNC113
            async for _ in signals:
                break
        _say({"manners": attrs.asdict(double.manners())})
        nursery.cancel_scope.cancel(reason="asked to end")


def _day_seed(seed: int, tree: DiskTree) -> int:
    """Return the seed itself for the first event in a folder, another one for each that follows: ids never repeat."""
    events = sum(path.endswith("/Event.json") for path in tree.paths())
    return seed if not events else random.Random(f"{seed} {events}").getrandbits(32)


def _say(line: dict[str, object]) -> None:
    json.dump(line, sys.stdout)
    print(flush=True)
