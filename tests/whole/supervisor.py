"""What systemd does with a unit of Type=notify: in tests, with real processes, signals and notifications.

Started with NOTIFY_SOCKET and WATCHDOG_USEC; ready when it says READY=1; when WATCHDOG=1 does not come for WatchdogSec it
gets SIGABRT and then SIGKILL; a stop is SIGTERM, and after TimeoutStopSec SIGKILL; after its end, whatever it was,
ExecStopPost is run. Times are those of the machine's monotonic clock.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, field

__all__ = ["Supervisor"]

ABORT_S = 2.0
"""TimeoutAbortSec: from SIGABRT to SIGKILL."""


@define(eq=False)
class Supervisor:
    """One unit, started once. `ended_at`: when its process had ended; `post_at`: when ExecStopPost had."""

    command: Sequence[str]
    folder: Path
    watchdog_s: float
    stop_post: Sequence[str] = ()
    stop_s: float = 5.0
    environment: Mapping[str, str] = field(factory=dict)
    said: list[str] = field(factory=list, init=False)
    ready: threading.Event = field(factory=threading.Event, init=False)
    over: threading.Event = field(factory=threading.Event, init=False)
    fed_at: float = field(default=0.0, init=False)
    bitten_at: float | None = field(default=None, init=False)
    ended_at: float = field(default=0.0, init=False)
    post_at: float = field(default=0.0, init=False)
    post: subprocess.CompletedProcess[str] | None = field(default=None, init=False)
    process: subprocess.Popen[bytes] = field(init=False)
    _kill_at: float | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, and watch over it in a thread."""
        address = self.folder / "notify"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(str(address))
        sock.settimeout(0.01)
        environment = {
            **os.environ,
            **self.environment,
            "NOTIFY_SOCKET": str(address),
            "WATCHDOG_USEC": str(int(self.watchdog_s * 1e6)),
        }
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                list(self.command), env=environment, stdout=log, stderr=log, start_new_session=True
            )
        threading.Thread(target=self._watch, args=(sock,), name="supervisor").start()

    def stop(self) -> float:
        """Ask it to end, as `systemctl stop`; return when."""
        self._kill_at = time.monotonic() + self.stop_s
        return self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> float:
        """Send a signal; return when."""
        at = time.monotonic()
        self.process.send_signal(number)
        return at

    def log(self) -> str:
        """Return what it printed."""
        return (self.folder / "log").read_text()

    def _watch(self, sock: socket.socket) -> None:
        with sock:
            while self.process.poll() is None:
                try:
                    self._told(sock.recv(4096).decode())
                except TimeoutError:
                    pass
                self._bite()
        self.ended_at = time.monotonic()
        if self.stop_post:
            self.post = subprocess.run(
                list(self.stop_post), capture_output=True, text=True, timeout=60, check=False
            )
        self.post_at = time.monotonic()
        self.over.set()

    def _told(self, words: str) -> None:
        for line in words.splitlines():
            self.said.append(line)
            if line == "READY=1":
                self.fed_at = time.monotonic()
                self.ready.set()
            elif line == "WATCHDOG=1":
                self.fed_at = time.monotonic()

    def _bite(self) -> None:
        now = time.monotonic()
        if self._kill_at is not None and now > self._kill_at:
            self.process.kill()
        elif self.ready.is_set() and self.bitten_at is None and now - self.fed_at > self.watchdog_s:
            self.bitten_at = now
            self._kill_at = now + ABORT_S
            self.process.send_signal(signal.SIGABRT)
