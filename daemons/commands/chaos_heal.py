"""`pitlink chaos heal`: end what drills left behind, and see that it has ended."""

import os
import sys
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from chaos.carrier import CarrierError
from chaos.drills import player
from chaos.drills.record import Verdict
from daemons.commands.drillagainst import read_ground
from daemons.commands.place import printable

__all__ = ["heal"]


def heal(
    *, against: Annotated[Path, Parameter(help="The file that names the daemons, as for a drill.")]
) -> int:
    """End every fault that a drill left on running daemons; may be done again. Ends with 4 when something stays."""
    ground = read_ground(against, os.environ)

    async def work() -> tuple[list[str], list[str]]:
        try:
            before = await ground.carrier.left_over()
        except CarrierError as exc:
            before = [str(exc)]
        return before, await player.heal(ground.carrier) if before else []

    before, left = trio.run(work)
    for line in before:
        if line not in left:
            print(f"ended: {printable(line)}")
    for line in left:
        print(f"pitlink: not ended: {printable(line)}", file=sys.stderr)
    if not before:
        print("nothing was left")
    return Verdict.NOT_RESTORED.exit_code if left else 0
