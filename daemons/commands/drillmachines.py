"""Machines of a throw-away ground: real processes that can be killed, stopped, put back to a backup, started again.

They are one process group with a warden, a shell that ends them and removes their folder when whoever started them is
gone, however that went.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import define, field

from chaos.carrier import CarrierError, NotCarried
from chaos.faults import Placed
from chaos.scenario import Deed

__all__ = ["Machine", "Machines", "open_warden", "run_command"]

START_S = 30.0
STOP_S = 1.9
TICK_S = 0.02
LOG_TAIL_BYTES = 2000

_WARDEN = 'trap "" INT TERM HUP; cat >/dev/null; kill -TERM 0; sleep 2; rm -rf -- "$1"; kill -KILL 0'
"""Waits until its standard input ends, which it does with the process that holds the other end."""


@asynccontextmanager
async def open_warden(folder: Path) -> AsyncIterator[int]:
    """Give a process group whose members end, and `folder` with them, at the latest 2 s after this process has died.

    At the end of the block the warden goes; its members must have ended by then.
    """
    warden = await trio.lowlevel.open_process(
        ["sh", "-c", _WARDEN, "warden", str(folder)], stdin=subprocess.PIPE, process_group=0
    )
    try:
        yield warden.pid
    finally:
        warden.kill()
        with trio.CancelScope(shield=True):  # it has been killed
            await warden.wait()
            assert warden.stdin is not None
            await warden.stdin.aclose()


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would configure a daemon or speak for systemd."""
    gone = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PITLINK_") and name not in gone
    }


async def run_command(*arguments: str) -> None:
    """Run a command of pitlink to its end. Raises CarrierError with what it said when it fails."""
    ended = await trio.run_process(
        [sys.executable, "-m", "daemons.cli", *arguments],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=clean_environment(),
    )
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip()
        raise CarrierError(f"pitlink {' '.join(arguments[:2])} failed: {said}")


@define(eq=False)
class Machine:
    """A program as a process. `answers`: asks it whether it serves; `command`: what starts it, the same each time."""

    name: str
    command: tuple[str, ...]
    log: Path
    group: int
    answers: Callable[[], Awaitable[bool]]
    process: trio.Process | None = field(default=None, init=False)

    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def start(self) -> None:
        """Start it, and return when it serves. Raises CarrierError when it ends or does not serve in 30 s."""
        if self.is_up():
            return
        self.process = await trio.lowlevel.open_process(
            list(self.command),
            stdin=subprocess.DEVNULL,
            stdout=_appending(self.log),
            stderr=subprocess.STDOUT,
            process_group=self.group,
            env=clean_environment(),
        )
        with trio.move_on_after(START_S):
            while not await self.answers():
                if not self.is_up():
                    raise CarrierError(f"{self.name} ended at its start: {self.last_words()}")
                await trio.sleep(TICK_S)
            return
        raise CarrierError(f"{self.name} does not answer {START_S:g} s after its start: {self.last_words()}")

    async def end(self, number: signal.Signals) -> None:
        """Send a signal, and return when the process has ended. What does not obey in 1.9 s is killed."""
        if self.process is None:
            return
        self.process.send_signal(number)
        with trio.move_on_after(STOP_S):
            await self.process.wait()
        if self.is_up():
            self.process.kill()
            with trio.CancelScope(shield=True):  # it has been killed
                await self.process.wait()

    def last_words(self) -> str:
        """Return the end of its log."""
        try:
            return (
                self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip() or "it said nothing"
            )
        except OSError as exc:
            return f"its log cannot be read: {exc}"


def _appending(log: Path) -> int:
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


@define(eq=False)
class _Down:
    """A machine that a step holds down."""

    machine: Machine
    deed: Deed
    ends_at: float
    lease_s: float


@define(eq=False)
class Machines:
    """Carries the deeds `kill`, `stop` and `restore` (a `chaos.carrier.Carrier`); no faults of connections.

    `machines`: by target; `put_back`: puts an earlier backup into the state folder of a target, which is down then.
    A lease that ends starts the machine again.
    """

    machines: Mapping[str, Machine]
    put_back: Mapping[str, Callable[[], Awaitable[None]]]
    nursery: trio.Nursery
    _down: dict[str, _Down] = field(factory=dict, init=False)
    _touched: dict[str, int] = field(factory=dict, init=False)
    _failed: dict[str, str] = field(factory=dict, init=False)

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        raise NotCarried(f"{step_name}: {placed.fault.type} is a fault of connections, not of a machine")

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        """Kill or stop a machine; returns when its process has ended. Raises NotCarried."""
        machine = self.machines.get(deed.target.partition(":")[0])
        if machine is None:
            raise NotCarried(f"{step_name}: there is no machine for {deed.target}")
        if deed.kind not in ("kill", "stop", "restore"):
            raise NotCarried(f"{step_name}: {deed.kind} cannot be done to a process from outside")
        if deed.kind == "restore" and deed.target.partition(":")[0] not in self.put_back:
            raise NotCarried(f"{step_name}: there are no backups of {deed.target}")
        if step_name in self._down:
            return
        down = _Down(machine, deed, trio.current_time() + lease_s, lease_s)
        self._down[step_name] = down
        self._touched[step_name] = self._touched.get(step_name, 0) + machine.is_up()
        self.nursery.start_soon(self._watch, step_name, down)
        await machine.end(signal.SIGKILL if deed.kind == "kill" else signal.SIGTERM)

    async def remove(self, step_name: str) -> None:
        """Start what the step holds down, when no other step does; returns when it serves. Raises CarrierError."""
        down = self._down.pop(step_name, None)
        if down is None:
            return
        if down.deed.kind == "restore":
            await self.put_back[down.deed.target.partition(":")[0]]()
        if not any(other.machine is down.machine for other in self._down.values()):
            await down.machine.start()

    async def renew(self) -> None:
        now = trio.current_time()
        for down in self._down.values():
            down.ends_at = now + down.lease_s

    async def reset(self) -> None:
        """Start every machine that is down. Raises CarrierError when one does not start, after all the rest."""
        self._down.clear()
        self._failed.clear()
        failed: CarrierError | None = None
        for machine in self.machines.values():
            try:
                await machine.start()
            except CarrierError as exc:
                failed = exc
        if failed is not None:
            raise failed

    async def touched(self, step_name: str) -> int:
        return self._touched.get(step_name, 0)

    async def left_over(self) -> list[str]:
        held = {down.machine.name: step for step, down in self._down.items()}
        return [
            f"{machine.name} is down" + (f" ({held[machine.name]})" if machine.name in held else "")
            for machine in self.machines.values()
            if not machine.is_up()
        ] + [f"{step}: {words}" for step, words in self._failed.items()]

    async def _watch(self, step_name: str, down: _Down) -> None:
        while self._down.get(step_name) is down:
            if down.ends_at > trio.current_time():
                await trio.sleep_until(down.ends_at)
                continue
            try:
                await self.remove(step_name)
            except CarrierError as exc:  # told as left over; whoever heals tries again
                self._failed[step_name] = str(exc)
