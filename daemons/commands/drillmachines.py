"""Machines of a throw-away ground: real processes that can be killed, stopped and started again.

They are one process group with a warden, a shell that ends them and removes their folder when whoever started them is
gone, however that went.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio
from attrs import define, field

from chaos.carrier import NotBack

__all__ = ["Machine", "open_warden", "run_command"]

START_S = 30.0
STOP_S = 1.9
TICK_S = 0.02
LOG_TAIL_BYTES = 2000

_WARDEN = """trap "" INT TERM HUP
cat >/dev/null
kill -TERM 0
sleep 2
for disk in "$1"/*/; do umount -l "$disk" 2>/dev/null; done
rm -rf -- "$1"
kill -KILL 0"""
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
    """Run a command of pitlink to its end. Raises NotBack with what it said when it fails."""
    ended = await trio.run_process(
        [sys.executable, "-m", "daemons.cli", *arguments],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=clean_environment(),
    )
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip()
        raise NotBack(f"pitlink {' '.join(arguments[:2])} failed: {said}")


@define(eq=False)
class Machine:
    """A program as a process. `answers`: asks it whether it serves; `command`: what starts it, the same each time."""

    name: str
    command: tuple[str, ...]
    log: Path
    group: int
    answers: Callable[[], Awaitable[bool]]
    process: trio.Process | None = field(default=None, init=False)
    _starting: trio.Lock = field(factory=trio.Lock, init=False)

    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def start(self) -> None:
        """Start it, and return when it serves. Raises NotBack when it ends or does not serve in 30 s."""
        async with self._starting:  # the end of a lease and a heal may come together
            if not self.is_up():
                await self._start()

    async def _start(self) -> None:
        with _appending(self.log) as log:
            self.process = await trio.lowlevel.open_process(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=self.group,
                env=clean_environment(),
            )
        with trio.move_on_after(START_S):
            while not await self.answers():
                if not self.is_up():
                    raise NotBack(f"{self.name} ended at its start: {self.last_words()}")
                await trio.sleep(TICK_S)
            return
        raise NotBack(f"{self.name} does not answer {START_S:g} s after its start: {self.last_words()}")

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


@contextmanager
def _appending(log: Path) -> Iterator[int]:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
