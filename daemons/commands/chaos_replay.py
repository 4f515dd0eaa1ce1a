"""`pitlink chaos replay`: a drill again, in simulation."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daemons.commands.chaos_sim import worlds
from daemons.ops.errors import RefusedToStart
from daemons.ops.logs import LogLevel

__all__ = ["replay"]

INVALID = 2


def replay(
    report: Annotated[Path, Parameter(help="The JSON of a drill's report.")],
    /,
    *,
    log: Annotated[
        LogLevel, Parameter(help="Show the simulated daemons' logs from this level.")
    ] = LogLevel.ERROR,
) -> int:
    """Play a drill's scenario with its seed in the simulated pair, and show both side by side.

    The same every time, in seconds, to look at what failed as closely as need be. Ends as a drill does: 0 passed,
    1 failed, 2 invalid, 3 aborted, 4 not restored. Needs the source tree: the simulated pair is of its tests.
    """
    try:
        again = worlds("tests.sim.replay")
    except RefusedToStart as exc:
        print(f"pitlink: {exc}", file=sys.stderr)
        return INVALID
    return int(again.run(report, log=log))
