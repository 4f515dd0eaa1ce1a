"""The port of what keeps recordings: an append-only log of entries per recording, the same over files and over Redis Streams.

`tests/contract/test_telemetry_log.py` says what each must do.
"""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from daemons.telemetry.entries import Entry

__all__ = ["BYTES_MAX", "Kept", "LogFigures", "Missing", "TelemetryLog"]

BYTES_MAX = 4 * 1024 * 1024
"""Of entries that one `read` returns, unless the first alone is larger."""


@frozen(kw_only=True)
class Kept:
    """A recording that is kept. `next_number`: one above the last entry; `rows_bytes`: of ROWS entries that are still here;
    `first_tick`, `last_tick`: of those that ever were, None before the first; `ended`: why it ended, None: it has not."""

    id: bytes
    driver: str
    next_number: int
    rows_bytes: int
    first_tick: int | None
    last_tick: int | None
    ended: str | None


@frozen
class Missing:
    """Numbers of a recording that are not here, both included. `is_trimmed`: they were, and made room for newer ones."""

    first: int
    last: int
    is_trimmed: bool


@frozen(kw_only=True)
class LogFigures:
    """Since it was opened, but `bytes`: what is kept now. `syncs`: how often the disk was waited for."""

    bytes: int
    entries: int
    doubles: int
    syncs: int
    trimmed_bytes: int


class TelemetryLog(Protocol):
    """Keeps entries. Of one recording one task appends at a time; of different ones any number do, with one sync for all.

    Everything that waits raises StorageError when the disk fails: then nothing of it was kept and nothing is lost
    by appending again.
    """

    async def append(self, driver: str, recording: bytes, entries: Sequence[Entry]) -> int:
        """Keep entries, and return the recording's next number when they are durable: all below it is here or given up.

        An entry whose number is here already is left out: to append again is harmless. Numbers ascend within a call; one
        that jumps leaves a gap, and one that fills a gap fills it. Cancelling: either all of them are kept or none.
        """

    async def read(
        self, recording: bytes, first: int, last: int, *, bytes_max: int = BYTES_MAX
    ) -> Sequence[Entry]:
        """Return the entries from number `first` to `last`, both included, in order: as many as `bytes_max` has room for,
        one at least if there is any. None of an unknown recording."""

    async def numbers_at(self, recording: bytes, first_tick: int, last_tick: int) -> tuple[int, int] | None:
        """Return the least and greatest number of ROWS that have a tick of that range; None: there is none."""

    async def missing(self, recording: bytes) -> Sequence[Missing]:
        """Return the gaps below its next number, in order."""

    async def recordings(self, driver: str | None = None) -> Sequence[Kept]:
        """Return what is kept, in the order in which it began to arrive."""

    async def recording(self, recording: bytes) -> Kept | None:
        """Return one recording; None: nothing of it is here."""

    async def trim(self, bytes_max: int) -> int:
        """Give up the oldest ROWS until no more than `bytes_max` are kept; return the bytes that were given up.

        HEAD, INFO and END stay: what is known of a recording outlives its rows. Whole segments go, so that somewhat
        less than `bytes_max` may be left.
        """

    def statistics(self) -> LogFigures:
        """Return what it has done and has."""
