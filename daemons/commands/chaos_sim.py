"""`pitlink chaos sim`: hours of whole programs on a simulated network, with everything that goes wrong."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

from cyclopts import Parameter

from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.ops.logs import LogLevel

__all__ = ["sim", "worlds"]

ROOT = Path(__file__).parents[2]
SEEDS_MOST = 1_000_000


def sim(
    *,
    hours: Annotated[
        float | None, Parameter(help="Virtual hours of each seed; 4 of the link, half an hour of the whole.")
    ] = None,
    seeds: Annotated[
        str | None, Parameter(help="Which: 1..20, or 17; without it a fresh one, which is shown.")
    ] = None,
    jobs: Annotated[int | None, Parameter(help="How many at once; as many as there are cores.")] = None,
    what: Annotated[
        Literal["link", "whole"] | None,
        Parameter(help="link: both ends of the link with their channels; whole: pits and cloud."),
    ] = None,
    scenario: Annotated[
        Path | None, Parameter(help="A file that says what goes wrong, instead of what the seed draws.")
    ] = None,
    save: Annotated[Path | None, Parameter(help="Folder for the scenario files of what fails; here.")] = None,
    shrink: Annotated[
        float, Parameter(help="Seconds to make a failure small in, for each kind of failure; 0: do not.")
    ] = 300.0,
    log: Annotated[
        LogLevel, Parameter(help="Show the simulated programs' logs from this level.")
    ] = LogLevel.ERROR,
) -> int:
    """Simulate at length; ends with 0 when nothing failed.

    Each seed is a run of its own, and the same run each time: `trace` is the hash of all that was on its wire. What
    fails is made small, and written to a scenario file that --scenario runs again. Needs the source tree: the worlds
    are its tests'.
    """
    problems = []
    if hours is not None and not 0 < hours <= 10_000:
        problems.append(Problem("--hours", "must be above 0, and 10000 at most"))
    if jobs is not None and not 1 <= jobs <= 1024:
        problems.append(Problem("--jobs", "must be 1 to 1024"))
    if not 0 <= shrink <= 86_400:
        problems.append(Problem("--shrink", "must be 0 to 86400"))
    chosen = None
    if seeds is not None:
        try:
            chosen = _read_seeds(seeds)
        except ValueError as exc:
            problems.append(Problem("--seeds", str(exc)))
    if problems:
        raise ConfigError(problems)
    command = worlds("tests.sim.command")
    asked = command.Asked(
        what=what,
        hours=hours,
        seeds=chosen,
        jobs=jobs,
        scenario=scenario,
        save=save or Path(),
        shrink_s=shrink,
        log=log,
    )
    try:
        return int(command.run(asked))
    except KeyboardInterrupt:
        print("pitlink: interrupted; the seeds that have no line were not judged", file=sys.stderr)
        return 1


def worlds(module: str) -> ModuleType:
    """Return a module of the simulated worlds, which are part of the tests. Raises RefusedToStart without them."""
    if not (ROOT / "tests" / "sim").is_dir():
        raise RefusedToStart(
            "the simulated worlds are part of pitlink's source tree, and this is an installed copy: "
            "run ./pitlink in a checkout"
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(module)


def _read_seeds(text: str) -> range:
    """Read `A..B` or `A`. Raises ValueError."""
    first, dots, last = text.partition("..")
    if not (first.isdecimal() and (last.isdecimal() if dots else not last)):
        raise ValueError("must be a number, or two as in 1..20")
    found = range(int(first), int(last or first) + 1)
    if not 1 <= len(found) <= SEEDS_MOST:
        raise ValueError(f"must be 1 to {SEEDS_MOST} of them, the lower first")
    return found
