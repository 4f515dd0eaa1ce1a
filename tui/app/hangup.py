"""Whether the terminal is still there."""

import errno
import sys
from typing import Final, TextIO

__all__ = ["HUNG_UP", "is_gone"]

HUNG_UP: Final = 129
"""How a program ends whose terminal has hung up: 128 and the number of the signal."""


def is_gone(terminal: TextIO | None) -> bool:
    """Has the other end of this terminal gone? False where that cannot be asked, for what never was one, and for None.

    Of a hang-up the kernel tells the leader of the session alone, a shell mostly: one that lives on tells nobody.
    """
    if terminal is None or sys.platform == "win32":
        return False
    import termios

    try:
        termios.tcgetattr(terminal)
    except termios.error as exc:
        return bool(exc.args[0] == errno.EIO)
    except (OSError, ValueError):  # closed
        return True
    return False
