"""How many files a process may have open: every viewer of a page is one."""

import sys

__all__ = ["WANTED", "allow_open_files"]

WANTED = 8192
"""Twice the connections that the front takes, which are the most of it."""


def allow_open_files(wanted: int = WANTED) -> int | None:
    """Raise this process's own limit towards `wanted`, as far as it may; return what holds now, None where unknown.

    A shell gives 1,024 as a rule, which the 1,001st viewer would meet as a refused connection.
    """
    if sys.platform == "win32":  # counts sockets otherwise
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    best = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= best:
        return None if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))
    return best
