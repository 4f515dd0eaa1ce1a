"""Lets go of history that is too old or too much, a little at a time, beside everything else."""

from collections.abc import Callable
from functools import partial

import structlog
import trio

from daemons.heating.history.retention import HistoryKeep, trim
from daemons.store import StorageError, Store

__all__ = ["keep_trimmed"]

_log = structlog.stdlib.get_logger("pitlink.heating")

TRIM_S = 600.0


async def keep_trimmed(store: Store, keep: HistoryKeep, now: Callable[[], float | None]) -> None:
    """Trim every ten minutes, until cancelled. `now()`: UTC seconds as the house has it, None while that is not known."""
    while True:
        at = now()
        gone = int(at is not None)
        try:
            while gone and at is not None:
                gone = await store.transact(partial(trim, keep=keep, now=at))
        except StorageError as exc:  # told by the store's care; what is too old goes at another turn
            _log.debug("history.trim_failed", error=exc.detail)
        await trio.sleep(TRIM_S)
