"""The spool over a disk that dies at every operation, is full, or is fine: what was durable is there, once and in order."""

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from daemons.telemetry.archive.disk import File, RealDisk
from daemons.telemetry.capture.resuming import ALL
from daemons.telemetry.entries import EntryKind, unpack_head
from daemons.telemetry.spool import Spool, open_spool
from daemons.telemetry.spool.batch import rows_entries
from daemons.telemetry.spool.had import last_tick
from daemons.telemetry.spool.recovery import CUT_SHORT, recover
from daemons.telemetry.spool.room import make_room
from daemons.telemetry.spool.shelf import Shelf
from protocol.columns import decode, decode_info
from protocol.irsdk import Layout, Type, Variable
from protocol.streams import Entry
from tests.daemons.telemetry.spool.world import LAYOUT, DyingDisk, drive, inline, recording, row

QUOTA = 10**9


def all_of(shelf: Shelf) -> list[Entry]:
    entries: list[Entry] = []
    while some := shelf.read(entries[-1].number + 1 if entries else 0, 10_000):
        entries += some
    return entries


def ticks_of(entries: Sequence[Entry]) -> list[int]:
    """Return the ticks of all ROWS, each row held against what the car said."""
    found: list[int] = []
    for entry in entries:
        if entry.kind == EntryKind.ROWS:
            batch = decode(LAYOUT, entry.data, rows_max=4096, bytes_max=10**7)
            found += batch.ticks.tolist()
            assert batch.rows().tobytes() == b"".join(row(int(tick)) for tick in batch.ticks)
    return found


def kinds_of(entries: Sequence[Entry]) -> list[int]:
    return [entry.kind for entry in entries if entry.kind != EntryKind.ROWS]


async def test_a_recording_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    first, second = (
        b"WeekendInfo:\n TrackName: sebring\n" * 5,
        b"WeekendInfo:\n TrackName: sebring\n" * 5 + b"x",
    )
    async with open_spool(RealDisk(tmp_path), quota_bytes=QUOTA) as spool:
        spool.opened(recording(info=first))
        drive(spool, 100, 130)
        spool.info(second)
        drive(spool, 230, 90)
        spool.closed("the simulator ended")
    [shelf] = spool.shelves.values()
    entries = all_of(shelf)
    assert [entry.number for entry in entries] == list(range(len(entries)))
    assert ticks_of(entries) == list(range(100, 320))
    assert kinds_of(entries) == [EntryKind.HEAD, EntryKind.INFO, EntryKind.INFO, EntryKind.END]
    assert unpack_head(entries[0].data, "anna").layout == LAYOUT
    infos = [entry.data for entry in entries if entry.kind == EntryKind.INFO]
    assert decode_info(infos[0], None, bytes_max=10_000) == first
    assert decode_info(infos[1], first, bytes_max=10_000) == second
    assert entries[-1].data == b"the simulator ended"
    assert entries[-1].as_of_us == recording().started_utc_us + 219 * 16_667
    assert {path.suffix for path in tmp_path.iterdir()} == {".head", ".rows"}
    assert recover(RealDisk(tmp_path), 10**6)[0].end == shelf.end


async def test_what_is_there_is_found_again_and_goes_on_under_its_number(tmp_path: Path) -> None:
    for number in (2, 1):
        async with open_spool(RealDisk(tmp_path), quota_bytes=QUOTA) as spool:
            spool.opened(recording(number))
            drive(spool, 0, 60)
            spool.closed("over")
    async with open_spool(RealDisk(tmp_path), quota_bytes=QUOTA) as spool:
        assert [shelf.id[0] for shelf in spool.shelves.values()] == [1, 2]
        spool.opened(recording(1))  # a file that is read once more
        drive(spool, 0, 60)
        spool.closed("over")
    assert len(spool.shelves) == 3


def test_ticks_of_a_killed_process_are_all_there(tmp_path: Path) -> None:
    script = (
        "import sys, os, trio\n"
        "from pathlib import Path\n"
        "from daemons.telemetry.archive.disk import RealDisk\n"
        "from daemons.telemetry.spool import open_spool\n"
        "from tests.daemons.telemetry.spool.world import drive, recording\n"
        "async def main():\n"
        "    async with open_spool(RealDisk(Path(sys.argv[1])), quota_bytes=10**9) as spool:\n"
        "        spool.opened(recording())\n"
        "        while not spool.shelves: await trio.sleep(0.01)\n"
        "        drive(spool, 0, 170)\n"
        "        print('driven', flush=True)\n"
        "        await trio.sleep_forever()\n"
        "trio.run(main)\n"
    )
    root = Path(__file__).parents[4]
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=root, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as out:
        assert out.readline() == b"driven\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    [shelf] = recover(RealDisk(tmp_path), 10**6)
    entries = all_of(shelf)
    assert ticks_of(entries) == list(range(170))  # two batches on their way and one that is not closed
    assert (entries[-1].kind, entries[-1].data) == (EntryKind.END, CUT_SHORT.encode())
    assert not [path for path in tmp_path.iterdir() if "tail" in path.suffix]


async def live_until_dead(disk: DyingDisk, seed: int) -> tuple[dict[bytes, int], dict[bytes, int]]:
    """Drive until the disk has died; return what was durable, and which ticks were given, by recording."""
    rng = random.Random(seed)
    durable: dict[bytes, int] = {}
    given: dict[bytes, int] = {}
    spool = Spool(disk, QUOTA, 0.1, 3000, inline)
    spool.on_grew = lambda shelf: durable.update({shelf.id: shelf.end})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spool.run)
        for number in range(1, 3):
            spool.opened(recording(number))
            await wait_all_tasks_blocked()
            for step in range(rng.randrange(3, 8)):
                count = rng.randrange(1, 9)
                at = given.get(recording(number).id, 0)
                drive(spool, at, count)
                given[recording(number).id] = at + count
                if rng.random() < 0.15:
                    spool.info(b"info: %d\n" % step)
                await wait_all_tasks_blocked()
                if disk.left <= 0:
                    nursery.cancel_scope.cancel()
                    return durable, given
            spool.closed("over")
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return durable, given


@pytest.mark.parametrize("power_cut", [False, True], ids=["kill -9", "power cut"])
@pytest.mark.parametrize("seed", [7, 8])
async def test_wherever_it_dies_what_was_durable_is_there_once_and_in_order(
    power_cut: bool, seed: int
) -> None:
    probe = DyingDisk(random.Random(0))
    await live_until_dead(probe, seed)
    assert probe.spent > 60
    for death in range(1, probe.spent):
        disk = DyingDisk(random.Random(death), left=death)
        durable, given = await live_until_dead(disk, seed)
        disk.revive(power_cut=power_cut)
        if death % 3 == 0:  # and once more, while it is repaired
            disk.left = death % 7
            try:
                recover(disk, 3000)
            except OSError:
                disk.revive(power_cut=power_cut)
        disk.left = 10**9
        shelves = {shelf.id: shelf for shelf in recover(disk, 3000)}
        for id_, end in durable.items():
            entries = all_of(shelves[id_])
            numbers = [entry.number for entry in entries]
            assert numbers[:end] == list(range(end)), "what was durable is lost"
            assert entries[-1].kind == EntryKind.END
            ticks = ticks_of(entries)
            assert ticks == sorted(set(ticks))
            assert set(ticks) <= set(range(given[id_]))
            if not power_cut and id_ != max(durable):
                assert ticks == list(range(given[id_])), "a tick that the kernel had is lost"
        again = {shelf.id: all_of(shelf) for shelf in recover(disk, 3000)}
        assert again == {id_: all_of(shelf) for id_, shelf in shelves.items()}


async def wait_for(condition: object) -> None:
    assert callable(condition)
    with trio.fail_after(20):
        while not condition():
            await trio.sleep(0.01)


async def test_a_full_disk_is_told_and_what_waits_is_written_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daemons.telemetry.spool.spool.RETRY_S", 0.02)
    words: list[str] = []
    disk = DyingDisk(random.Random(1), fault=errno.ENOSPC)
    async with open_spool(
        disk, quota_bytes=QUOTA, batch_s=0.1, in_thread=inline, on_words=words.append
    ) as spool:
        spool.opened(recording())
        drive(spool, 0, 12)
        await wait_for(lambda: spool.shelves)
        disk.left = 0
        drive(spool, 12, 30)
        await wait_for(lambda: "disk is gone" in spool.words)
        disk.left = 10**9
        await wait_for(lambda: not spool.words)
        spool.closed("over")
    [shelf] = spool.shelves.values()
    assert ticks_of(all_of(shelf)) == list(range(42))
    assert (len(words), words[-1], spool.statistics().lost_ticks) == (2, "", 0)


async def test_what_memory_cannot_hold_is_dropped_and_counted_but_no_info(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daemons.telemetry.spool.spool.RETRY_S", 0.02)
    disk = DyingDisk(random.Random(1))
    async with open_spool(disk, quota_bytes=QUOTA, batch_s=0.1, in_thread=inline) as spool:
        spool.opened(recording())
        await wait_for(lambda: spool.shelves)
        disk.left = 0
        drive(spool, 0, 60)
        spool.info(b"a newer info")
        drive(spool, 60, 60)
        assert spool.statistics().lost_ticks == 72
        disk.left = 10**9
        spool.closed("over")
    entries = all_of(next(iter(spool.shelves.values())))
    assert ticks_of(entries) == list(range(72, 120))
    assert kinds_of(entries) == [EntryKind.HEAD, EntryKind.INFO, EntryKind.INFO, EntryKind.END]
    assert [entry.number for entry in entries] == list(range(len(entries)))


async def test_the_quota_takes_what_the_peer_has_first_and_keeps_how_to_read_the_rest(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    shelves = []
    for number in (1, 2):
        async with open_spool(disk, quota_bytes=QUOTA, batch_s=0.1) as spool:
            spool.opened(recording(number))
            for step in range(20):
                drive(spool, step * 24, 24)
                await spool.room()
            spool.closed("over")
        shelf = Shelf(disk, recording(number).id, 1000)
        shelf.load(disk.sizes())
        shelves.append(shelf)
    old, new = shelves
    new.acknowledged = new.end
    taken = sum(shelf.bytes for shelf in shelves)
    assert make_room(shelves, taken) == []
    assert make_room(shelves, taken - 1) == []
    assert (old.dropped, new.dropped, new.read(2, 1)[0].kind) == (0, 0, EntryKind.END)
    assert make_room(shelves, 1) == [new]
    entries = all_of(old)
    assert kinds_of(entries) == [EntryKind.HEAD, EntryKind.INFO, EntryKind.END]
    assert (old.dropped, entries[-1].number) == (80, 82)
    assert {path.name[:2] for path in tmp_path.iterdir()} == {"01"}


async def test_an_entry_that_is_damaged_is_left_out_and_counted(tmp_path: Path) -> None:
    async with open_spool(RealDisk(tmp_path), quota_bytes=QUOTA, batch_s=0.1) as spool:
        spool.opened(recording())
        drive(spool, 0, 30)
        spool.closed("over")
    [shelf] = spool.shelves.values()
    whole = all_of(shelf)
    [path] = tmp_path.glob("*.rows")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    left = all_of(shelf)
    assert len(left) == len(whole) - 1
    assert shelf.broken > 0


async def test_rows_that_do_not_compress_are_split_into_entries_that_may_be_sent() -> None:
    rng = np.random.default_rng(1)
    layout = Layout((Variable("Noise", Type.DOUBLE, 0, 4096),), 8 * 4096)
    rows = rng.integers(0, 256, (60, layout.row_bytes), np.uint8)
    entries = rows_entries(layout, rows, np.arange(60), 5, 1)
    assert [entry.number for entry in entries] == list(range(5, 5 + len(entries)))
    assert len(entries) > 1
    back = b"".join(decode(layout, e.data, rows_max=60, bytes_max=10**7).rows().tobytes() for e in entries)
    assert back == rows.tobytes()


class HangingDisk(RealDisk):
    """A disk that does not come back from the first file that is opened, until `let_go`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.let_go = threading.Event()

    def open(self, name: str) -> File:
        self.let_go.wait()
        return super().open(name)


async def test_a_disk_that_hangs_holds_up_the_end_no_longer_than_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.telemetry.spool.spool.LAST_S", 0.05)
    disk = HangingDisk(tmp_path / "spool")
    try:
        with trio.fail_after(10):
            async with open_spool(disk, quota_bytes=QUOTA, batch_s=0.1) as spool:
                spool.opened(recording())
                drive(spool, 0, 12)
                await wait_all_tasks_blocked()
    finally:
        disk.let_go.set()
    assert not spool.shelves


async def test_a_recording_that_is_over_before_the_disk_begins_leaves_no_tails(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    async with open_spool(disk, quota_bytes=QUOTA, batch_s=0.1) as spool:
        spool.opened(recording())
        drive(spool, 0, 12)
        spool.closed("over")
    assert sorted(name[32:] for name in disk.sizes()) == ["-0000000002.rows", ".head"]


async def test_it_knows_how_far_a_recording_is_there_also_where_it_was_gone_on_with(tmp_path: Path) -> None:
    async with open_spool(RealDisk(tmp_path), quota_bytes=QUOTA, batch_s=0.1) as spool:
        assert await last_tick(spool, recording().id) is None
        spool.opened(recording())
        drive(spool, 0, 12)
        await wait_for(lambda: spool.shelves)
        assert await last_tick(spool, recording().id) == ALL
    async with open_spool(RealDisk(tmp_path), quota_bytes=QUOTA, batch_s=0.1) as spool:
        assert await last_tick(spool, recording().id) == 11
        spool.opened(recording())
        drive(spool, 12, 8)
        spool.closed("over")
        await wait_for(lambda: all(shelf.is_ended for shelf in spool.shelves.values()))
        await wait_for(lambda: len(spool.shelves) == 2)
        assert await last_tick(spool, recording().id) == 19
