"""Break the protocol on purpose and see whether the ordinary tests notice:

    python -m tests.mutants                       every mutant, one after the other
    python -m tests.mutants --only resume --jobs 2    those with this in their name
    python -m tests.mutants --stages simulation   what the simulation alone would have noticed
    python -m tests.mutants --only daemons/race --stages first    what is broken in these files, by its own tests
    python -m tests.mutants --list

A mutant is a patch of the real source, put into a copy of the tree. Its own area's tests run first, then those of
protocol, link and store, then hours of the simulated link; the first failure kills it. Exits with 1 when one survived,
with 2 when the tree fails without any patch or a patch no longer fits.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.mutants.catalogue import MUTANTS
from tests.mutants.patch import DoesNotFit, Mutant
from tests.mutants.run import judge

STAGES = ("first", "wide", "simulation")


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", action="append", help="a part of the name or of a file; may be given again", default=[]
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--stages", default=",".join(STAGES), help="of " + ", ".join(STAGES))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--sound", action="store_true", help="first run the stages on the tree as it is")
    args = parser.parse_args()
    chosen = [one for one in MUTANTS if not args.only or any(_is_meant(one, part) for part in args.only)]
    if args.list:
        for one in chosen:
            print(f"{one.name}: {one.breaks}")
        return 0
    stages = frozenset(args.stages.split(","))
    if not chosen or not stages <= set(STAGES):
        parser.error("nothing to run")
    if args.sound:
        verdict = judge(None, stages)
        if verdict.by:
            print(f"the tree as it is fails: {verdict.by}")
            return 2
    survived = []
    with ThreadPoolExecutor(args.jobs) as pool:
        try:
            for verdict in pool.map(lambda one: judge(one, stages), chosen):
                print(verdict, flush=True)
                survived += [] if verdict.by else [verdict.mutant.name]
        except DoesNotFit as error:
            print(f"a patch does not fit the source any more: {error}")
            return 2
    print(f"{len(chosen) - len(survived)} of {len(chosen)} killed")
    return 1 if survived else 0


def _is_meant(one: Mutant, part: str) -> bool:
    return part in one.name or any(part in edit.file for edit in one.edits)


if __name__ == "__main__":
    sys.exit(main())
