"""The relay gives way to the simulator: its process runs below normal priority."""

import os
import sys

__all__ = ["give_way"]

NICE = 5


def give_way() -> str:
    """Put this process below normal; return in words what was done. Never raises: it is a courtesy."""
    if sys.platform == "win32":
        import ctypes

        below_normal = 0x4000
        kernel = ctypes.windll.kernel32
        if kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal):
            return "below normal"
        return "normal: Windows did not allow less"
    try:
        had = os.getpriority(os.PRIO_PROCESS, 0)
        if had < NICE:
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except OSError as exc:
        return f"normal: {exc}"
    return f"nice {max(had, NICE)}"
