"""The ground that drills run on: real processes that are killed, put back and started again, and leave nothing."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from chaos.carrier import NotBack, NotCarried
from chaos.faults import Placed, Silence
from chaos.scenario import Deed
from daemons.commands.drillground import GroundOptions, ThrowAwayGround, open_ground
from daemons.commands.drillmachines import Machine, open_warden
from daemons.ops.client import AdminClient, Unreachable
from daemons.store.archive import backups_in

pytestmark = pytest.mark.process

OWNER = """
import contextlib, pathlib, sys, trio
from daemons.commands.drilldeeds import open_small_disk
from daemons.commands.drillmachines import Machine, open_warden
folder = pathlib.Path(sys.argv[1])
async def answers():
    return True
async def main():
    async with contextlib.AsyncExitStack() as stack:
        group = await stack.enter_async_context(open_warden(folder))
        if sys.argv[2:]:
            await stack.enter_async_context(open_small_disk(folder / "disk"))
        obeys = Machine("obeys", ("sleep", "600"), folder / "a", group, answers)
        does_not = Machine("does not", ("sh", "-c", "trap : TERM; while :; do sleep 1; done"), folder / "b", group, answers)
        await obeys.start()
        await does_not.start()
        print(obeys.process.pid, does_not.process.pid, flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


async def _started_at(admin: Path) -> float:
    metrics = await AdminClient(admin).metrics()
    (line,) = [line for line in metrics.splitlines() if line.startswith("process_start_time_seconds ")]
    return float(line.split()[1])


async def _until_linked(ground: ThrowAwayGround) -> None:
    with trio.fail_after(20):
        while True:
            try:
                if (await AdminClient(ground.hub_admin).status())["sites"]["demo"]["connected"]:
                    return
            except Unreachable:
                pass
            await trio.sleep(0.05)


def _may_mount() -> bool:
    if os.geteuid() or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


async def _fill_the_hubs_disk(ground: ThrowAwayGround) -> None:
    disk = ground.folder / "cloud"
    await ground.machines.deed("full", Deed("disk_full", "hub"), 30)
    assert shutil.disk_usage(disk).free == 0
    assert await ground.machines.left_over() == ["the disk of hub is full (full)"]
    with trio.fail_after(20):
        while not _cannot_write(await AdminClient(ground.hub_admin).status()):
            await trio.sleep(0.1)
    await ground.machines.remove("full")
    assert shutil.disk_usage(disk).free > 0
    with trio.fail_after(20):
        while _cannot_write(await AdminClient(ground.hub_admin).status()):
            await trio.sleep(0.1)


def _cannot_write(status: dict[str, Any]) -> bool:
    return "store" in [warning["name"] for warning in status["warnings"]]


async def test_machines_are_killed_put_back_and_started_again_and_all_ends_within_two_seconds() -> None:
    async with open_ground(GroundOptions(seed=5, speed=8, small_disks=_may_mount())) as ground:
        machines, folder = ground.machines, ground.folder
        assert await machines.left_over() == []
        pids = [one.process.pid for one in machines.machines.values() if one.process is not None]
        assert len(set(pids)) == 3

        if machines.disks:
            await _fill_the_hubs_disk(ground)
        before = await _started_at(ground.hub_admin)
        await machines.deed("cut", Deed("kill", "hub"), 30)
        with pytest.raises(Unreachable):
            await AdminClient(ground.hub_admin).status()
        assert await machines.left_over() == ["hub is down (cut)"]
        await machines.deed("also", Deed("stop", "hub"), 30)
        await machines.remove("cut")  # another step still holds it down
        assert await machines.left_over() == ["hub is down (also)"]
        await machines.remove("also")
        assert await machines.left_over() == []
        assert await _started_at(ground.hub_admin) > before
        await _until_linked(ground)

        await machines.deed("back", Deed("restore", "site:demo"), 30)
        await machines.remove("back")
        rows = await AdminClient(ground.site_admin).audit(last=10)
        assert [row["action"] for row in rows][-1] == "backup.restore"
        assert len(list(backups_in(folder / "backups-pits"))) == 1

        await machines.deed("left", Deed("kill", "origin"), 0.2)  # whoever asked for it goes away
        assert await machines.left_over() == ["origin is down (left)"]
        with trio.fail_after(20):
            while await machines.left_over():
                await trio.sleep(0.05)
        assert [await machines.touched(step) for step in ("cut", "also", "back", "left")] == [1, 0, 1, 1]

        with pytest.raises(NotCarried, match="not of a machine"):
            await machines.place("s", "hub", Placed("s", Silence()), 1)
        for kind, target, words in (
            ("clock_step", "hub", "from outside"),
            ("disk_full", "origin", "no disk of its own"),
            ("restore", "origin", "no backups"),
        ):
            with pytest.raises(NotCarried, match=words):
                await machines.deed("s", Deed(kind, target), 1)
        began = time.monotonic()
    assert time.monotonic() - began < 10  # its own 2 s, and what the machine is busy with besides
    assert not folder.exists()
    assert str(folder) not in Path("/proc/mounts").read_text()


async def test_a_machine_that_does_not_come_back_says_its_last_words(tmp_path: Path) -> None:
    async def answers() -> bool:
        return False

    async with open_warden(tmp_path / "ground") as group:
        command = ("sh", "-c", "echo no disk to run on; exit 3")
        machine = Machine("hub", command, tmp_path / "log", group, answers)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(NotBack, match="ended at its start: no disk to run on"):
                await machine.start()
        assert len(os.listdir("/proc/self/fd")) == before
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_who_made_the_ground_is_killed_and_nothing_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "ground"
    folder.mkdir()
    command = [sys.executable, "-c", OWNER, str(folder), *(["small disk"] if _may_mount() else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(_runs, pids))
        owner.kill()
    deadline = time.monotonic() + 20
    while any(map(_runs, pids)) or folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert str(folder) not in Path("/proc/mounts").read_text()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
