"""`pitlink chaos drills`: the drills that come with pitlink."""

import shutil
import sys
import textwrap
from typing import Annotated

from cyclopts import Parameter

__all__ = ["drills"]

INDENT = "    "
WIDTH_MAX = 110


def drills(
    name: Annotated[
        str | None, Parameter(help="Print this one's file, to read or to make another of it.")
    ] = None,
    /,
) -> int:
    """List the drills that come with pitlink, how long each takes, and what it proves."""
    from chaos.drills.library import SHIPPED, shipped_drill, shipped_text

    if name is not None:
        if name not in SHIPPED:
            print(f"pitlink: there is no drill {name!r}, only {', '.join(SHIPPED)}", file=sys.stderr)
            return 2
        print(shipped_text(name), end="")
        return 0
    width = min(shutil.get_terminal_size((WIDTH_MAX, 24)).columns, WIDTH_MAX)
    for each in SHIPPED:
        drill = shipped_drill(each)
        print(f"{each}  {drill.scenario.length_s:.0f} s")
        print(textwrap.fill(drill.proves, width, initial_indent=INDENT, subsequent_indent=INDENT))
    return 0
