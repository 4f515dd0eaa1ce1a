"""From a key on the terminal to the daemon: a real hub and site, `pitlink tui` on a pty, and between it and the hub's admin
socket a relay that notes when a deed comes by."""

import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.tuipty import Seat
from tests.tui.app.terminal import Terminal

__all__ = ["empty_key_ways", "key_ways"]

START_S = 30.0
SETTLE_S = 0.4
DEED = b"site.reconnect"


class Relay:
    """Passes on what is sent to a Unix socket. `seen`: when the deeds came by."""

    def __init__(self, place: Path, to: Path) -> None:
        self.seen: list[float] = []
        self._to = to
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(place))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX)
        with near, far:
            far.connect(str(self._to))
            while True:
                for ready in select.select([near, far], [], [])[0]:
                    try:
                        data = ready.recv(65536)
                    except ConnectionError:
                        data = b""
                    if not data:
                        return
                    if ready is near:
                        if data.startswith(b"POST") and DEED in data:
                            self.seen.append(time.perf_counter())
                        far.sendall(data)
                    else:
                        near.sendall(data)


def empty_key_ways(count: int) -> list[float]:
    """Return how long a key takes to the handler of an empty Textual app, ms."""
    took: list[float] = []
    with Seat(sys.executable, "-m", "bench.tuichild", "key", "0", size=(80, 24)) as seat:
        seat.see("nothing at all")
        while len(took) < count:
            at = seat.press("x")
            took.append(1000 * (seat.read(lambda: len(seat.said) > len(took)) - at))
            until = time.monotonic() + SETTLE_S / 4
            seat.read(lambda until=until: time.monotonic() > until)  # type: ignore[misc]
    return took


def key_ways(count: int) -> list[float]:
    """Return how long each of so many keys took, ms."""
    with tempfile.TemporaryDirectory() as folder:
        demo = (sys.executable, "-m", "daemons.cli", "demo")
        env = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen(demo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env) as process:
            try:
                hub = _hub(Path(folder), process)
                between = Path(folder) / "between"
                between.mkdir()
                relay = Relay(between / "admin.sock", hub)
                try:
                    return _press(count, between, relay)
                finally:
                    relay.close()
            finally:
                process.terminate()


def _hub(folder: Path, process: "subprocess.Popen[bytes]") -> Path:
    deadline = time.monotonic() + START_S
    while not (found := list(folder.glob("*/cloud/admin.sock"))):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the demo did not start")
        time.sleep(0.05)
    return found[0]


def _press(count: int, place: Path, relay: Relay) -> list[float]:
    took = []
    tui = (sys.executable, "-m", "daemons.cli", "tui", "--connect", str(place))
    with Terminal(*tui) as terminal:
        terminal.see("● demo", "connected", within_s=START_S)
        terminal.press("j\r")
        terminal.see("Site demo", "Allowlist")
        for number in range(1, count + 1):
            terminal.press(":reconnect\r")
            terminal.see("Reconnect site demo?")
            terminal.press("\t")
            _read_for(terminal, SETTLE_S)  # Enter comes when the question stands still, as from a person
            at = time.perf_counter()
            terminal.press("\r")
            while len(relay.seen) < number:
                time.sleep(0.001)
                if time.perf_counter() - at > START_S:
                    raise TimeoutError(terminal.text)
            took.append(1000 * (relay.seen[-1] - at))
            terminal.read(lambda: "Reconnect site demo?" not in terminal.text)
            _read_for(terminal, SETTLE_S)
    return took


def _read_for(terminal: Terminal, seconds: float) -> None:
    until = time.monotonic() + seconds
    terminal.read(lambda: time.monotonic() > until)
