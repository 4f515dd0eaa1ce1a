"""Writes a recording beside the terminal: a slow or full disk ends the recording, and holds up nothing else."""

import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from attrs import define, field, frozen

from tui.record.blocks import BlockKind, pack

__all__ = ["RecordingError", "Writer", "create"]

WAITING_BYTES_MAX = 16 * 1024 * 1024
END_S = 3.0


class RecordingError(Exception):
    """A recording cannot be made or read. Says in words which, why, and what to do."""


def create(path: Path) -> int:
    """Return a new file, for its owner alone. Raises RecordingError; what is there already is never touched."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    except FileExistsError:
        words = "is there already: name a new file for the recording (--replay shows what was recorded)"
        raise RecordingError(f"{path} {words}") from None
    except OSError as exc:
        raise RecordingError(f"{path}: no recording can be written there: {exc.strerror or exc}") from exc


@frozen
class _Job:
    kind: BlockKind
    at: float
    utc: float
    raw: Callable[[], bytes]
    waits_bytes: int


@define(eq=False)
class Writer:
    """A thread that writes blocks to `file`, which it closes. Its methods never wait for the disk, but for `close`.

    `failed`: why it writes no more, in words; "" while it does.
    """

    file: int
    failed: str = field(default="", init=False)
    _jobs: "queue.SimpleQueue[_Job | None]" = field(factory=queue.SimpleQueue, init=False)
    _waiting_bytes: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _thread: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        # A daemon thread: a disk that hangs does not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def put(self, kind: BlockKind, at: float, utc: float, raw: bytes) -> None:
        """Have a block written."""
        self._put(_Job(kind, at, utc, lambda: raw, len(raw)))

    def put_later(self, kind: BlockKind, at: float, utc: float, raw: Callable[[], bytes]) -> None:
        """Have a block written that is made by the thread."""
        self._put(_Job(kind, at, utc, raw, 0))

    def close(self) -> None:
        """Write what waits, and end; gives up after 3 s."""
        self._jobs.put(None)
        self._thread.join(END_S)

    def _put(self, job: _Job) -> None:
        with self._lock:
            if self.failed:
                return
            if self._waiting_bytes > WAITING_BYTES_MAX:
                self.failed = "the disk does not keep up"
                return
            self._waiting_bytes += job.waits_bytes
        self._jobs.put(job)

    def _run(self) -> None:
        good = 0
        while (job := self._jobs.get()) is not None:
            if not self.failed:
                try:
                    good += self._write(pack(job.kind, job.at, job.utc, job.raw()))
                except OSError as exc:
                    self.failed = exc.strerror or str(exc)
                    self._cut(good)
                except Exception as exc:  # what cannot be made ends the recording, and nothing else
                    self.failed = f"a {job.kind.name.lower()} cannot be made: {exc!r}"
            with self._lock:
                self._waiting_bytes -= job.waits_bytes
        os.close(self.file)

    def _write(self, data: bytes) -> int:
        written = 0
        while written < len(data):
            written += os.write(self.file, data[written:])
        return written

    def _cut(self, size: int) -> None:
        """Take away the part of a block that did not fit, and so leave a file that is whole."""
        try:
            os.ftruncate(self.file, size)
        except OSError:
            pass
