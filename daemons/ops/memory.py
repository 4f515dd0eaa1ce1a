"""Memory that is free is given back to the system, and what hangs in rings is looked for without a pause that shows.

glibc keeps freed blocks, and a hub frees a few hundred kilobytes (compression contexts, buffers) with every connection
that ends. Measured with 200 sites whose connections drop about once a minute: what is in use stays the same for as long
as one looks, and the resident size grows by 5 MB a minute all the same, because the free blocks lie between others.
"""

import ctypes
import gc
from collections.abc import Callable

import trio

__all__ = ["GARBAGE", "give_back_memory", "look_for_garbage_rarely"]

EVERY_S = 30.0

GARBAGE = (5_000, 10, 10)
"""By Python's own measure (700, 10, 10) a thousand viewers who come at once had everything looked through three times,
with 0.1 to 0.3 s in which nobody was served; these objects are alive, and nothing is found. So seven times rarer."""


def look_for_garbage_rarely() -> None:
    """Have Python look for rings of objects when there are many more new ones than usual; for a process at its start."""
    gc.set_threshold(*GARBAGE)


def _malloc_trim() -> Callable[[int], int] | None:
    """Return malloc_trim(3), or None with another C library than glibc."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return trim


async def give_back_memory() -> None:
    """Trim the heap twice a minute, beside the event loop. Returns at once where the C library cannot."""
    trim = _malloc_trim()
    while trim is not None:
        await trio.sleep(EVERY_S)
        await trio.to_thread.run_sync(trim, 0)
