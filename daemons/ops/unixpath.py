"""Unix sockets have paths of 107 bytes at most; their folders do not know that."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ADMIN_SOCKET", "short_path"]

ADMIN_SOCKET = "admin.sock"
"""Of the admin API, in a daemon's state folder."""

PATH_BYTES_MAX = 107


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Give a path that a socket address can hold, good inside the block. Raises OSError when its folder is not there."""
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
