"""Which recordings give room when the quota is reached."""

from collections.abc import Sequence

import structlog

from daemons.telemetry.spool.shelf import Shelf

__all__ = ["make_room"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")


def make_room(shelves: Sequence[Shelf], quota_bytes: int, *, acknowledged_only: bool = False) -> list[Shelf]:
    """Drop segments until no more than `quota_bytes` are taken: first what the peer has, then the oldest, whoever lacks it.

    `shelves`: the oldest first. `acknowledged_only`: drop nothing that the peer lacks. Returns those of which nothing is
    left. For a worker thread. Raises OSError.
    """
    taken = sum(shelf.bytes for shelf in shelves)
    gone: list[Shelf] = []
    for acknowledged in (True,) if acknowledged_only else (True, False):
        for shelf in shelves:
            before = shelf.dropped
            while taken > quota_bytes and shelf.oldest(acknowledged=acknowledged):
                taken -= shelf.drop_oldest()
            if shelf.dropped > before:
                _log.warning(
                    "spool.dropped", recording=shelf.id.hex(), entries=shelf.dropped - before,
                    words="the spool is full: rows that the backend does not have made room for newer ones",
                )  # fmt: skip
            if (
                taken > quota_bytes
                and shelf.is_done
                and not shelf.oldest(acknowledged=True)
                and shelf not in gone
            ):
                taken -= shelf.bytes
                shelf.remove()
                gone.append(shelf)
    return gone
