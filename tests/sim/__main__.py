"""One run as `pitlink chaos sim` makes it, for tests and for copies of the tree; people use the command.

python -m tests.sim --what link --seed 17 --hours 4 --one
"""

import argparse
import math
import sys

from daemons.ops.logs import LogLevel
from tests.sim.batch import HOURS_A_RUN, fresh_seed
from tests.sim.command import Asked, run


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--what", choices=sorted(HOURS_A_RUN), default="link")
    parser.add_argument("--hours", type=float, default=20.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--one", action="store_true", help="one run of all the hours, in this process")
    parser.add_argument("--log", type=LogLevel, choices=list(LogLevel), default=LogLevel.ERROR)
    args = parser.parse_args()
    seed = fresh_seed() if args.seed is None else args.seed
    runs = 1 if args.one else math.ceil(args.hours / HOURS_A_RUN[args.what])
    hours = args.hours if args.one else HOURS_A_RUN[args.what]
    return run(
        Asked(
            what=args.what,
            hours=hours,
            seeds=range(seed, seed + runs),
            jobs=1 if args.one else args.processes,
            shrink_s=0.0,
            log=args.log,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
