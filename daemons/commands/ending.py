"""How a command ends: what stood in its way in words, and an exit code."""

import sys
from collections.abc import Callable
from typing import Any

from daemons.commands.unread import UNREAD, hush, is_unread
from daemons.ops.errors import ConfigError, RefusedToStart

__all__ = ["end_with"]


def end_with(command: Callable[[], Any]) -> None:
    """Run a command and exit: 0 well, 1 failed, 2 wrong use or configuration, 3 something in the way; 141 when nobody
    reads what it says, as in: pitlink logs -f | head."""
    try:
        code = _run(command)
        sys.stdout.flush()
    except (OSError, BaseExceptionGroup) as exc:
        if not is_unread(exc):
            raise
        hush()
        code = UNREAD
    sys.exit(code)


def _run(command: Callable[[], Any]) -> int:
    try:
        code = command()
    except ConfigError as exc:
        print(f"pitlink: {exc.what}:\n{exc}", file=sys.stderr)
        code = 2
    except RefusedToStart as exc:
        print(f"pitlink: {exc}", file=sys.stderr)
        code = 3
    except KeyboardInterrupt:
        code = 0
    except Exception as exc:
        if not type(exc).__module__.startswith("cyclopts"):
            raise
        code = 2  # cyclopts has said why
    return code if isinstance(code, int) else 0
