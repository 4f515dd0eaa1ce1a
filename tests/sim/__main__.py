"""Simulate more hours than the tests do:

    python -m tests.sim --hours 1000 --seed 1                 the link pair, 250 runs with seeds 1, 2, …
    python -m tests.sim --what whole --hours 50               pits and cloud; without --seed a fresh one, printed
    python -m tests.sim --what link --seed 17 --hours 4 --one a single run of exactly this seed (a replay)

Runs on all cores. Prints a paragraph a run: simulated hours, wall seconds, hours per wall second, the fingerprint of
everything on the wire, what became of the messages, and how often each fault and each notable event came about. A
failing run prints its seed and the command that replays it; PITLINK_SIM_TRACE=FILE writes the wire of a replay, and
--log LEVEL its log. Exits with 1 when a run failed.
"""

import argparse
import sys
import time

from daemons.ops.logs import LogLevel, configure_logs
from tests.sim.batch import HOURS_A_RUN, Job, fresh_seed, jobs_for, run_batch, run_job
from tests.sim.figures import Figures


def main() -> int:
    """Parse, run, print."""
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
    print(f"seed {seed}", flush=True)
    total = Figures(args.what, None)
    failures = []
    began = time.perf_counter()
    configure_logs(args.log)
    if args.one:
        every = iter([run_job(Job(args.what, seed, args.hours))])
    else:
        every = run_batch(jobs_for(args.what, args.hours, seed), processes=args.processes)
    for figures in every:
        print(figures.failure or figures, flush=True)
        failures += [figures.failure] if figures.failure else []
        total.add(figures)
    total.wall_s = time.perf_counter() - began
    print(f"\n{total}\n  failed runs {len(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
