"""Files that hold a secret: read only when they are closed to everybody else on the machine."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from daemons.ops.errors import ConfigError, Problem
from daemons.ops.options import shown

__all__ = ["is_credential", "read_secret"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def is_credential(path: Path, environ: Mapping[str, str]) -> bool:
    """Is this one of systemd's credentials? Who may read those, systemd sees to."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder or ".." in path.parts:
        return False
    return path.absolute().is_relative_to(Path(folder).absolute())


def read_secret(path: Path, environ: Mapping[str, str], *, closed: bool = True) -> str:
    """Return what a file holds, without white space around it.

    Raises ConfigError, whose problem has the path: missing, no text, or, if it must be `closed`, open to others.
    """
    where = shown(path)  # a secret written where its file is to be named must not be shown either
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read()
        text = data.decode("utf-8").strip()
    except OSError as exc:
        raise ConfigError([Problem(where, f"cannot be read: {exc.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError([Problem(where, "cannot be read: it is no text")]) from None
    is_open = os.name == "posix" and stat.S_ISREG(status.st_mode) and bool(status.st_mode & _OTHERS)
    if closed and is_open and not is_credential(path, environ):
        raise ConfigError([Problem(where, "is a secret that others can read", f"chmod 600 {where}")])
    return text
