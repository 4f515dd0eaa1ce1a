"""What a command says when nobody reads it any more: `pitlink logs -f | head`, or a terminal that was closed."""

import os
import signal
import sys
from typing import Final

__all__ = ["UNREAD", "hush", "is_unread"]

UNREAD: Final = 128 + signal.SIGPIPE
"""The exit code, as a shell has it of a program that does not look after itself."""


def is_unread(exc: BaseException) -> bool:
    """Whether this, or all that it gathers, is that a pipe has no reader."""
    if isinstance(exc, BaseExceptionGroup):
        return all(map(is_unread, exc.exceptions))
    return isinstance(exc, BrokenPipeError)


def hush() -> None:
    """Let what is still to be written to stdout vanish, so that the interpreter does not fail of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdout.flush()
