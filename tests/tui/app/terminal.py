"""A real terminal for tests: a pty with a program in it, and pyte to see what its user would see."""

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from fcntl import ioctl
from struct import pack
from types import TracebackType

import pyte

__all__ = ["Terminal", "without_unknown"]

_TAKE = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
# What pyte does not know: private modes but those it draws by, strings for the terminal itself.
_UNKNOWN = re.compile(
    rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$?[pu]|\x1b[P\]_][^\x07\x1b]*(?:\x07|\x1b\\)"
)
_ON, _OFF = b"\x1b[?1049h", b"\x1b[?1049l"


_NOT_OURS = ("NO_COLOR", "COLORTERM", "SSH_CONNECTION", "COLUMNS", "LINES", "TMUX", "STY")
"""Of the environment: they would say how the terminal of these tests is."""


def without_unknown(sent: bytes) -> bytes:
    """Leave out what pyte would write on its screen, because it does not know it."""
    return _UNKNOWN.sub(b"", sent)


class Terminal:
    """A program on a terminal of its own. `read` it, `press` keys, look at `lines`; ends it with the block."""

    def __init__(
        self, *argv: str, size: tuple[int, int] = (80, 24), env: Mapping[str, str] | None = None
    ) -> None:
        columns, rows = size
        self.master, self.slave = os.openpty()
        ioctl(self.slave, termios.TIOCSWINSZ, pack("HHHH", rows, columns, 0, 0))
        self._before = termios.tcgetattr(self.slave)
        base = {k: v for k, v in os.environ.items() if k not in _NOT_OURS}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE, *argv],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={
                **base,
                "TERM": "xterm-256color",
                "LC_ALL": "C.UTF-8",
                "XDG_CONFIG_HOME": "/nowhere",
                **(env or {}),
            },
        )
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for end in (self.master, self.slave):
            try:
                os.close(end)
            except OSError:
                pass

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def press(self, text: str) -> None:
        """Type."""
        os.write(self.master, text.encode())

    def read(self, until: Callable[[], bool], within_s: float = 30.0) -> None:
        """Read what it draws until something is true. AssertionError, with the screen, when it does not come true."""
        deadline = time.monotonic() + within_s
        while not until():
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"did not come in {within_s} s:\n{self.text}"
            if select.select([self.master], [], [], min(left_s, 0.1))[0]:
                self._take()

    def see(self, *words: str, within_s: float = 30.0) -> None:
        """Read until these words stand on the screen."""
        self.read(lambda: all(word in self.text for word in words), within_s)

    def end(self, within_s: float = 30.0) -> int:
        """Read until the program has ended; return its exit code."""
        self.read(lambda: self.process.poll() is not None, within_s)
        while select.select([self.master], [], [], 0)[0]:
            self._take()
        return self.process.returncode

    @property
    def is_restored(self) -> bool:
        """Is the terminal as it was: the first screen, a cursor, echo, no mouse?"""
        modes = termios.tcgetattr(self.slave)
        return (
            self.raw.rfind(_OFF) > self.raw.rfind(_ON) >= 0
            and self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l")
            and self.raw.rfind(b"\x1b[?1003l") >= self.raw.rfind(b"\x1b[?1003h")
            and modes[3] == self._before[3]
        )

    def _take(self) -> None:
        got = os.read(self.master, 65536)
        self.raw += got
        self._stream.feed(without_unknown(got))
