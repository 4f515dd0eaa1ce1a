"""Heavy work beside the event loop: in a thread, or in simulations, where there are none, on the spot."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

__all__ = ["Offload", "inline", "threaded"]

R = TypeVar("R")

_AT_ONCE = 2
_limiter: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("pitlink.offload")


class Offload(Protocol):
    """Does `work` and returns its result, or raises what it raises."""

    async def __call__(self, work: Callable[[], R], /) -> R: ...


async def inline(work: Callable[[], R], /) -> R:
    """Do `work` here and now."""
    await trio.lowlevel.checkpoint()
    return work()


async def threaded(work: Callable[[], R], /) -> R:
    """Do `work` in a thread, two at once at most; it must not touch what the loop uses. Cancelling does not wait."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
