"""`./pitlink` and `python -m daemons`: the screen where it is plainly asked for, else the command line, which takes longer
to import.
"""

import sys
from functools import partial

from daemons.commands.ending import end_with
from daemons.commands.screen import has_screen, plainly_asked, show_screen

__all__ = ["main"]


def main() -> None:
    """Run what was typed, and exit as `daemons.cli` says."""
    asked = plainly_asked(sys.argv[1:])
    if asked is not None and has_screen():
        end_with(partial(show_screen, **asked))
    from daemons.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
