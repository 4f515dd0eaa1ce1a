"""What a throw-away ground does to its machines: kill, stop, put back to a backup, fill the disk."""

import errno
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import define, field

from chaos.carrier import CarrierError, NotBack, NotCarried
from chaos.faults import Placed
from chaos.scenario import Deed
from daemons.commands.drillmachines import Machine

__all__ = ["Machines", "open_small_disk"]

DISK_BYTES = 64 * 1024 * 1024
FILLER = "filler"
_PIECE = bytes(1024 * 1024)


@asynccontextmanager
async def open_small_disk(folder: Path) -> AsyncIterator[None]:
    """Mount a disk of 64 MiB at a folder for the body of the block. Raises CarrierError: it takes root, and Linux."""
    await trio.Path(folder).mkdir(parents=True, mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "pitlink-drill", str(folder)]
    await _run(command, "a disk that can be filled takes root on Linux")
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):  # lazy: it does not wait for anybody
            await _run(["umount", "-l", str(folder)], "a disk cannot be taken away")


async def _run(command: list[str], words: str) -> None:
    try:
        ended = await trio.run_process(command, capture_stderr=True, check=False)
    except OSError as exc:
        raise CarrierError(f"{words}: {exc}") from exc
    if ended.returncode:
        raise CarrierError(f"{words}: {ended.stderr.decode(errors='replace').strip()}")


@define(eq=False)
class _Hold:
    """What a step has done to a machine, until it is undone."""

    machine: Machine
    deed: Deed
    ends_at: float
    lease_s: float

    @property
    def target(self) -> str:
        return self.deed.target.partition(":")[0]

    @property
    def takes_down(self) -> bool:
        return self.deed.kind != "disk_full"

    @property
    def words(self) -> str:
        return (
            f"{self.machine.name} is down" if self.takes_down else f"the disk of {self.machine.name} is full"
        )


@define(eq=False)
class Machines:
    """Carries the deeds `kill`, `stop`, `restore` and `disk_full` (a `chaos.carrier.Carrier`); no faults of connections.

    `machines`: by target; `put_back`: puts an earlier backup into the state folder of a target, which is down then;
    `disks`: the folders of targets that have a disk of their own. A lease that ends undoes the deed.
    """

    machines: Mapping[str, Machine]
    put_back: Mapping[str, Callable[[], Awaitable[None]]]
    disks: Mapping[str, Path]
    nursery: trio.Nursery
    _holds: dict[str, _Hold] = field(factory=dict, init=False)
    _touched: dict[str, int] = field(factory=dict, init=False)
    _failed: dict[str, str] = field(factory=dict, init=False)

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        raise NotCarried(f"{step_name}: {placed.fault.type} is a fault of connections, not of a machine")

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        """Do something to a machine; returns when its process has ended, or its disk is full. Raises NotCarried."""
        target = deed.target.partition(":")[0]
        machine = self.machines.get(target)
        if machine is None:
            raise NotCarried(f"{step_name}: there is no machine for {deed.target}")
        self._check(step_name, deed, target)
        if step_name in self._holds:
            return
        hold = _Hold(machine, deed, trio.current_time() + lease_s, lease_s)
        self._holds[step_name] = hold
        self._touched[step_name] = self._touched.get(step_name, 0) + machine.is_up()
        self.nursery.start_soon(self._watch, step_name, hold)
        if deed.kind == "disk_full":
            await trio.to_thread.run_sync(_fill, self.disks[target])
        else:
            await machine.end(signal.SIGKILL if deed.kind == "kill" else signal.SIGTERM)

    def _check(self, step_name: str, deed: Deed, target: str) -> None:
        if deed.kind not in ("kill", "stop", "restore", "disk_full"):
            raise NotCarried(f"{step_name}: {deed.kind} cannot be done to a process from outside")
        if deed.kind == "restore" and target not in self.put_back:
            raise NotCarried(f"{step_name}: there are no backups of {deed.target}")
        if deed.kind == "disk_full" and target not in self.disks:
            raise NotCarried(f"{step_name}: {deed.target} has no disk of its own that could be filled")

    async def remove(self, step_name: str) -> None:
        """Undo a deed; what is down is started, when no other step holds it down. Raises NotBack."""
        hold = self._holds.pop(step_name, None)
        if hold is None:
            return
        if not hold.takes_down:
            self._empty(hold.target)
            return
        if hold.deed.kind == "restore":
            await self.put_back[hold.target]()
        if not any(other.takes_down and other.machine is hold.machine for other in self._holds.values()):
            await hold.machine.start()

    def _empty(self, target: str) -> None:
        if not any(not other.takes_down and other.target == target for other in self._holds.values()):
            (self.disks[target] / FILLER).unlink(missing_ok=True)

    async def renew(self) -> None:
        now = trio.current_time()
        for hold in self._holds.values():
            hold.ends_at = now + hold.lease_s

    async def reset(self) -> None:
        """Empty every disk, and start every machine that is down. Raises NotBack of one that does not start, after all
        the rest."""
        self._holds.clear()
        self._failed.clear()
        for target in self.disks:
            self._empty(target)
        failed: NotBack | None = None
        for machine in self.machines.values():
            try:
                await machine.start()
            except NotBack as exc:
                failed = exc
        if failed is not None:
            raise failed

    async def touched(self, step_name: str) -> int:
        return self._touched.get(step_name, 0)

    async def left_over(self) -> list[str]:
        held = [f"{hold.words} ({step})" for step, hold in self._holds.items()]
        known = {hold.machine.name for hold in self._holds.values() if hold.takes_down}
        down = [
            f"{machine.name} is down"
            for machine in self.machines.values()
            if not machine.is_up() and machine.name not in known
        ]
        return [*held, *down, *(f"{step}: {words}" for step, words in self._failed.items())]

    async def _watch(self, step_name: str, hold: _Hold) -> None:
        while self._holds.get(step_name) is hold:
            if hold.ends_at > trio.current_time():
                await trio.sleep_until(hold.ends_at)
                continue
            try:
                await self.remove(step_name)
            except NotBack as exc:  # told as left over; whoever heals tries again
                self._failed[step_name] = str(exc)


def _fill(folder: Path) -> None:
    """Write until not a byte is free."""
    with (folder / FILLER).open("wb", buffering=0) as file:
        for size in (len(_PIECE), 4096, 1):
            try:
                while True:
                    file.write(_PIECE[:size])
            except OSError as exc:
                if exc.errno != errno.ENOSPC:
                    raise
