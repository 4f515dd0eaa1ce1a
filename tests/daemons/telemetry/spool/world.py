"""A relay's spool on a disk that dies by a seed, and a small car to write down."""

import errno
import random
from typing import Any

import numpy as np
from attrs import define, field

from daemons.telemetry.archive.disk import File
from daemons.telemetry.recording import Recording
from daemons.telemetry.spool import Spool
from protocol.irsdk import Layout, Type, Variable

LAYOUT = Layout(
    (
        Variable("SessionTick", Type.INT, 0, unit=""),
        Variable("Speed", Type.FLOAT, 4, unit="m/s"),
        Variable("Lap", Type.INT, 8),
        Variable("LFshockDefl_ST", Type.FLOAT, 12, 6, unit="m", count_as_time=True),
        Variable("CarIdxLapDistPct", Type.FLOAT, 36, 4, unit="%"),
    ),
    52,
)


def row(tick: int) -> bytes:
    """What the car says at a tick: another thing at each."""
    values = np.zeros(1, LAYOUT.dtype)
    values["SessionTick"], values["Speed"], values["Lap"] = tick, 50 + tick % 97 / 7, tick // 600
    values["LFshockDefl_ST"] = tick / 1000 + np.arange(6) / 100
    values["CarIdxLapDistPct"] = (tick % 600) / 600 + np.arange(4) / 10
    return values.tobytes()


def recording(number: int = 1, info: bytes = b"WeekendInfo:\n TrackName: sebring\n") -> Recording:
    return Recording(
        id=bytes([number]) * 16, driver="anna", layout=LAYOUT,
        started_utc_us=1_790_000_000_000_000 + number * 10**9, info=info, source="test",
    )  # fmt: skip


def drive(spool: Spool, first: int, count: int) -> None:
    for tick in range(first, first + count):
        spool.tick(tick, row(tick), tick * 16_667)


async def inline(work: Any) -> Any:
    """In place of a thread: all in one task, so that a disk can die at every operation."""
    return work()


@define
class Bytes:
    """A file: what is written, and what of it would survive a power cut."""

    data: bytearray = field(factory=bytearray)
    synced: bytes = b""


@define
class DyingDisk:
    """A disk in memory that does `left` operations and then only fails, until `revive`. Every failing write is torn."""

    rng: random.Random
    left: int = 10**9
    fault: int = errno.EIO
    files: dict[str, Bytes] = field(factory=dict)
    spent: int = 0

    def spend(self) -> None:
        self.left -= 1
        self.spent += 1
        if self.left < 0:
            raise OSError(self.fault, "the disk is gone")

    def sizes(self) -> dict[str, int]:
        return {name: len(file.data) for name, file in self.files.items()}

    def open(self, name: str) -> File:
        self.spend()
        return DyingFile(self, self.files.setdefault(name, Bytes()))

    def read(self, name: str, at: int, size: int) -> bytes:
        if name not in self.files:
            raise FileNotFoundError(name)
        return bytes(self.files[name].data[at : at + size])

    def remove(self, name: str) -> None:
        self.spend()
        self.files.pop(name, None)

    def revive(self, *, power_cut: bool) -> None:
        """As after kill -9, which leaves all that was written, or after a power cut: of what was not synced any part may be
        there, the end of it not, a piece of it as zeros."""
        self.left = 10**9
        if power_cut:
            for file in self.files.values():
                self._cut(file)

    def _cut(self, file: Bytes) -> None:
        if bytes(file.data) == file.synced:
            return
        if self.rng.random() < 0.3:
            file.data[:] = file.synced
            return
        size = self.rng.randint(min(len(file.synced), len(file.data)), len(file.data))
        del file.data[size:]
        if len(file.synced) < size and self.rng.random() < 0.3:  # the length was written, the data was not
            hole = self.rng.randint(len(file.synced), size)
            file.data[hole:] = bytes(size - hole)


@define
class DyingFile:
    disk: DyingDisk
    file: Bytes

    def write(self, at: int, data: bytes) -> None:
        try:
            self.disk.spend()
        except OSError:
            data = data[: self.disk.rng.randint(0, len(data))]
            self.file.data[at : at + len(data)] = data
            raise
        self.file.data[at : at + len(data)] = data

    def sync(self) -> None:
        self.disk.spend()
        self.file.synced = bytes(self.file.data)

    def cut(self, size: int) -> None:
        self.disk.spend()
        del self.file.data[size:]

    def close(self) -> None: ...
