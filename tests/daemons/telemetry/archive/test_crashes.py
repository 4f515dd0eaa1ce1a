"""The archive over a disk that dies at any moment: what was acknowledged is there, the rest can be appended again."""

import errno
from pathlib import Path

import pytest
from attrs import define, field

from daemons.store import StorageError, Store, open_store
from daemons.telemetry.archive.disk import File, RealDisk
from daemons.telemetry.archive.files import open_file_log
from daemons.telemetry.archive.segments import BadFrame, pack_frame, unpack_frame
from daemons.telemetry.archive.tables import MIGRATIONS
from daemons.telemetry.entries import Entry, EntryKind
from tests.conftest import ErrorLogs

A, B = b"a" * 16, b"b" * 16


@define
class Bytes:
    """A file: what is written, and how much of it would survive a power cut."""

    data: bytearray = field(factory=bytearray)
    synced: int = 0


@define
class DyingDisk:
    """A disk in memory that does `left` operations and then only fails; `torn`: how much of the last write it does."""

    files: dict[str, Bytes] = field(factory=dict)
    left: int = 1_000_000
    torn: float = 0.5

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, "the disk is gone")

    def sizes(self) -> dict[str, int]:
        return {name: len(file.data) for name, file in self.files.items()}

    def open(self, name: str) -> File:
        self.spend()
        return DyingFile(self, self.files.setdefault(name, Bytes()))

    def read(self, name: str, at: int, size: int) -> bytes:
        return bytes(self.files[name].data[at : at + size])

    def remove(self, name: str) -> None:
        self.spend()
        self.files.pop(name, None)

    def reboot(self, *, power_cut: bool) -> None:
        """As after kill -9, which leaves what was written, or after a power cut, which leaves a part of it."""
        self.left = 1_000_000
        for file in self.files.values():
            if power_cut:
                del file.data[file.synced + int((len(file.data) - file.synced) * self.torn) :]


@define
class DyingFile:
    disk: DyingDisk
    file: Bytes

    def write(self, at: int, data: bytes) -> None:
        try:
            self.disk.spend()
        except OSError:
            data = data[: int(len(data) * self.disk.torn)]
            self.file.data[at : at + len(data)] = data
            raise
        self.file.data[at : at + len(data)] = data

    def sync(self) -> None:
        self.disk.spend()
        self.file.synced = len(self.file.data)

    def cut(self, size: int) -> None:
        self.disk.spend()
        del self.file.data[size:]

    def close(self) -> None: ...


def entries(first: int, count: int) -> list[Entry]:
    return [
        Entry(number, EntryKind.ROWS, bytes([number % 251]) * 90, number * 60, number * 60 + 59)
        for number in range(first, first + count)
    ]


async def run_until_dead(store: Store, disk: DyingDisk, recordings: dict[bytes, int], upto: int) -> None:
    """Append to all recordings in turn, as their senders would: each from where it was acknowledged."""
    log = await open_file_log(store, disk, segment_bytes=400)
    try:
        while min(recordings.values()) < upto:
            for recording, acknowledged in recordings.items():
                if acknowledged < upto:
                    recordings[recording] = await log.append("anna", recording, entries(acknowledged, 2))
    finally:
        log.close()


@pytest.mark.parametrize("power_cut", [False, True])
async def test_whenever_it_dies_what_was_acknowledged_is_there_once(tmp_path: Path, power_cut: bool) -> None:
    async with open_store(tmp_path / "backend.db", migrations=MIGRATIONS) as store:
        deaths = 0
        for operations in range(40):
            disk = DyingDisk(left=operations, torn=operations * 0.37 % 1)
            recordings = {bytes([operations]) * 15 + b"a": 0, bytes([operations]) * 15 + b"b": 0}
            try:
                await run_until_dead(store, disk, recordings, 8)
            except StorageError:
                deaths += 1
                disk.reboot(power_cut=power_cut)
                acknowledged = dict(recordings)
                log = await open_file_log(store, disk, segment_bytes=400)
                for recording, number in acknowledged.items():
                    assert await log.read(recording, 0, 99) == entries(0, number)
                    assert await log.missing(recording) == []
                log.close()
                await run_until_dead(store, disk, recordings, 8)
            log = await open_file_log(store, disk, segment_bytes=400)
            for recording in recordings:
                assert await log.read(recording, 0, 99) == entries(0, 8)
            log.close()
            # The next round has a disk of its own: the catalogue forgets this one.
            await store.transact(lambda conn: conn.execute("DELETE FROM tele_rows; DELETE FROM tele_segment"))
        assert deaths > 15


async def test_what_was_written_and_not_committed_is_cut(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    async with open_store(tmp_path / "backend.db", migrations=MIGRATIONS) as store:
        log = await open_file_log(store, RealDisk(folder))
        await log.append("anna", A, entries(0, 2))
        log.close()
        segment = folder / "00000001.seg"
        whole = segment.read_bytes()
        segment.write_bytes(whole + b"a frame that was being written when")
        (folder / "00000002.seg").write_bytes(b"a segment that nobody knows")
        log = await open_file_log(store, RealDisk(folder))
        assert segment.read_bytes() == whole and not (folder / "00000002.seg").exists()
        assert await log.append("anna", A, entries(2, 1)) == 3
        assert await log.read(A, 0, 9) == entries(0, 3)
        log.close()


async def test_a_disk_that_lost_what_it_said_it_had(tmp_path: Path, error_logs: ErrorLogs) -> None:
    folder = tmp_path / "telemetry"
    async with open_store(tmp_path / "backend.db", migrations=MIGRATIONS) as store:
        log = await open_file_log(store, RealDisk(folder))
        for number in range(4):
            await log.append("anna", A, entries(number, 1))
        log.close()
        segment = folder / "00000001.seg"
        segment.write_bytes(segment.read_bytes()[:300])
        log = await open_file_log(store, RealDisk(folder))
        error_logs.expect("archive.lost")
        assert await log.read(A, 0, 9) == entries(0, 2)
        assert [(gap.first, gap.last) for gap in await log.missing(A)] == [(2, 3)]
        assert await log.append("anna", A, entries(2, 3)) == 5  # and they can come again
        assert await log.read(A, 0, 9) == entries(0, 5)
        log.close()


async def test_a_spoilt_frame_is_left_out_and_the_others_read(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    async with open_store(tmp_path / "backend.db", migrations=MIGRATIONS) as store:
        log = await open_file_log(store, RealDisk(folder))
        await log.append("anna", A, entries(0, 3))
        segment = folder / "00000001.seg"
        spoilt = bytearray(segment.read_bytes())
        spoilt[len(spoilt) // 2] ^= 1
        segment.write_bytes(spoilt)
        assert [entry.number for entry in await log.read(A, 0, 9)] == [0, 2]
        log.close()


def test_a_frame_is_of_one_entry_only() -> None:
    frame = pack_frame(A, 7, b"data")
    assert unpack_frame(frame, A, 7) == b"data"
    for recording, number, bytes_ in (
        (B, 7, frame),
        (A, 8, frame),
        (A, 7, frame[:-1]),
        (A, 7, frame[:20]),
        (A, 7, b""),
    ):
        with pytest.raises(BadFrame):
            unpack_frame(bytes_, recording, number)
