"""Programs on a terminal of their own, for `bench.tui`: what they write is read at once, and counted.

A program that measures itself is given a pipe, `BENCH_FD`: it says there when it begins, and at the end its figures.
"""

import json
import os
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from fcntl import ioctl
from pathlib import Path
from struct import pack
from types import TracebackType
from typing import Any

__all__ = ["BENCH_FD", "Seat", "figures"]

BENCH_FD = "BENCH_FD"
_NOT_OURS = ("NO_COLOR", "COLORTERM", "SSH_CONNECTION", "TMUX", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")
GIVE_UP_S = 60.0


def _take_terminal() -> None:
    """Make standard input the terminal of this process, in the child itself: another Python that did it would be in what
    is measured."""
    os.login_tty(0)


class Seat:
    """A program and its terminal. `read_bytes`: what it has written so far; `began`: when it was started."""

    def __init__(self, *argv: str, size: tuple[int, int], env: Mapping[str, str] | None = None) -> None:
        self.master, slave = os.openpty()
        ioctl(slave, termios.TIOCSWINSZ, pack("HHHH", size[1], size[0], 0, 0))
        self.pipe, pipe = os.pipe()
        base = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        base |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", BENCH_FD: str(pipe)}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, pass_fds=[pipe], env={**base, **(env or {})},
            preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(slave)
        os.close(pipe)
        self.read_bytes = 0
        self.text = b""
        self.said = b""

    def __enter__(self) -> "Seat":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.master)
        os.close(self.pipe)

    def press(self, keys: str) -> float:
        """Type; return when."""
        at = time.perf_counter()
        os.write(self.master, keys.encode())
        return at

    def read(self, until: Callable[[], bool]) -> float:
        """Read what it writes until something is true; return when that was. TimeoutError after a minute."""
        deadline = time.monotonic() + GIVE_UP_S
        while not until():
            if time.monotonic() > deadline:
                raise TimeoutError(self.text[-2000:].decode(errors="replace"))
            for ready in select.select([self.master, self.pipe], [], [], 0.05)[0]:
                try:
                    got = os.read(ready, 65536)
                except OSError as exc:
                    raise RuntimeError(f"it ended: {self.text[-3000:].decode(errors='replace')}") from exc
                if ready == self.pipe:
                    self.said += got
                else:
                    self.read_bytes += len(got)
                    self.text = (self.text + got)[-200_000:]
        return time.perf_counter()

    def see(self, words: str) -> float:
        """Read until it has written these words in one piece; return when that was."""
        return self.read(lambda: words.encode() in self.text)

    def resident_mb(self) -> float:
        """Return what it keeps in memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise ProcessLookupError(self.process.pid)


def figures(
    *argv: str, size: tuple[int, int], begin: Callable[[Seat], None] = lambda seat: None
) -> dict[str, Any]:
    """Run a program that measures itself; return its figures, and bytes a second. `begin`: presses what it needs."""
    with Seat(*argv, size=size) as seat:
        begin(seat)
        seat.read(lambda: seat.said.startswith(b"begin\n"))
        before, at = seat.read_bytes, time.perf_counter()
        ended = seat.read(lambda: seat.said.endswith(b"}\n"))
        told: dict[str, Any] = json.loads(seat.said.removeprefix(b"begin\n"))
        return {
            **told,
            "bytes_per_s": (seat.read_bytes - before) / (ended - at),
            "rss_mb": seat.resident_mb(),
        }
