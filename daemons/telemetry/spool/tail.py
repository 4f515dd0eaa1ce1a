"""The ticks of a batch that is not closed yet, written one by one: what the kernel has survives the end of the process.

A recording has a few tail files and its batches take turns, so that a file is written anew only when the batch that was in
it is durable. Stale ticks behind the new ones do no harm: they are of the past, and their batch is in a segment.
"""

from contextlib import suppress
from typing import Final

from attrs import define, field

from daemons.telemetry.archive.disk import Disk, File
from daemons.telemetry.spool.frames import HEAD_BYTES, TICK, pack_frame, scan

__all__ = ["TAILS", "Tail", "TailTick", "read_tails", "tail_names"]

TAILS: Final = 3

TailTick = tuple[int, int, bytes]
"""tick, UTC in µs, row."""


def tail_names(recording: bytes) -> list[str]:
    return [f"{recording.hex()}.tail{n}" for n in range(TAILS)]


@define(eq=False)
class Tail:
    """One tail file. Written in Trio's thread: to the kernel's memory, some 20 µs a tick."""

    disk: Disk
    name: str
    recording: bytes
    _file: File | None = field(default=None, init=False)
    _at: int = field(default=0, init=False)
    _is_gone: bool = field(default=False, init=False)

    def open(self) -> None:
        """Open it, unless it was removed already; for a worker thread. Until then nothing is written. Raises OSError."""
        if self._file is None and not self._is_gone:
            self._opened(self.disk.open(self.name))

    def _opened(self, file: File) -> None:
        self._file = file
        if self._is_gone:  # meanwhile: its recording was over before the disk came to it
            self.remove()

    def rewind(self) -> None:
        """Begin a batch."""
        self._at = 0

    def write(self, tick: int, as_of_us: int, row: bytes) -> None:
        """Add a tick. Raises OSError; what was written before stays."""
        if self._file is not None:
            self._file.write(self._at, pack_frame(TICK, self.recording, tick, as_of_us, 0, row))
            self._at += HEAD_BYTES + len(row)

    def remove(self) -> None:
        """Close and delete it, as far as the disk lets that happen."""
        self._is_gone = True
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()
        with suppress(OSError):
            self.disk.remove(self.name)


def read_tails(
    disk: Disk, sizes: dict[str, int], recording: bytes, after: int, row_bytes: int
) -> list[TailTick]:
    """Return the ticks above `after` that the tail files hold, in order and once. Raises OSError."""
    found: dict[int, TailTick] = {}
    for name in tail_names(recording):
        if name in sizes:
            for frame in scan(disk.read(name, 0, sizes[name]), TICK, recording):
                if frame.head.number > after and len(frame.data) == row_bytes:
                    found[frame.head.number] = (frame.head.number, frame.head.as_of_us, frame.data)
    return [found[tick] for tick in sorted(found)]
