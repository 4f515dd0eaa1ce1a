"""The same seed in many processes is one run:

    python -m tests.sim.same --processes 20                   link and whole, half an hour each, a fresh seed
    python -m tests.sim.same --what whole --seed 7 --hours 0.2

Each process has a random PYTHONHASHSEED and an environment of another size. Prints the trace of each run, the hash of
everything on the wire. Exits with 1 when there is more than one.
"""

import argparse
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemons.ops.logs import LogLevel, configure_logs
from tests.sim.batch import HOURS_A_RUN, Job, fresh_seed, run_job

ROOT = Path(__file__).parents[2]
RUN_S = 600.0


def traces(what: str, seed: int, hours: float, processes: int, at_once: int = 1) -> Iterator[tuple[str, str]]:
    """Yield (PYTHONHASHSEED, trace) of each process. Raises AssertionError for a run that failed."""
    surroundings = [(str(random.randrange(2**32)), "x" * random.randrange(5000)) for _ in range(processes)]

    def run(surrounding: tuple[str, str]) -> tuple[str, str]:
        hash_seed, padding = surrounding
        env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
        env |= {"PYTHONHASHSEED": hash_seed, "PADDING": padding}
        command = [sys.executable, "-m", "tests.sim.same", "--child", "--what", what]
        done = subprocess.run(
            [*command, "--seed", str(seed), "--hours", str(hours)],
            cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=RUN_S,
        )  # fmt: skip
        assert done.returncode == 0, f"PYTHONHASHSEED={hash_seed}: {done.stdout}{done.stderr}"
        return hash_seed, done.stdout.strip()

    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(run, surroundings)


def _child(what: str, seed: int, hours: float) -> int:
    configure_logs(LogLevel.ERROR)
    figures = run_job(Job(what, seed, hours))
    print(figures.failure or figures.fingerprint)
    return 1 if figures.failure else 0


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim.same",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--what", choices=sorted(HOURS_A_RUN), action="append")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="so many at once")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    seed = fresh_seed() if args.seed is None else args.seed
    if args.child:
        return _child(args.what[0], seed, args.hours)
    is_one = True
    for what in args.what or sorted(HOURS_A_RUN):
        print(f"{what}, seed {seed}, {args.hours:g} h in {args.processes} processes", flush=True)
        found: Counter[str] = Counter()
        for hash_seed, trace in traces(what, seed, args.hours, args.processes, args.jobs):
            print(f"  PYTHONHASHSEED={hash_seed:>10}  trace {trace}", flush=True)
            found[trace] += 1
        print(f"  {len(found)} trace{'s: they differ' if len(found) > 1 else ''}")
        is_one = is_one and len(found) == 1
    return 0 if is_one else 1


if __name__ == "__main__":
    sys.exit(main())
