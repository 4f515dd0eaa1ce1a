"""The latch as a process, for tests: started, asked, ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define

__all__ = ["Latch", "run_latch"]


@define(eq=False)
class Latch:
    """A latch that runs, and a connection to it."""

    path: Path
    process: subprocess.Popen[bytes]
    sock: socket.socket

    def ask(self, op: str, **fields: object) -> dict[str, Any]:
        """Ask; return the answer. Raises AssertionError when it is an error."""
        self.sock.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
        came = bytearray()
        while not came.endswith(b"\n"):
            data = self.sock.recv(65536)
            assert data, "the latch has gone"
            came += data
        answer: dict[str, Any] = json.loads(came)
        assert answer.get("ok"), answer
        return answer

    def until(self, true: Callable[[], bool], within_s: float = 30.0) -> None:
        """Ask again and again until something is true. Raises TimeoutError."""
        end = time.monotonic() + within_s
        while not true():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {within_s} s; calls: {self.calls()[-10:]}")
            time.sleep(0.002)

    def relay(self, pin: int) -> dict[str, Any]:
        """Return how a relay that was declared is."""
        told: dict[str, Any] = self.ask("relays")["relays"][str(pin)]
        return told

    def edges(self, pin: int) -> int:
        """Return how often an output was driven."""
        return len([call for call in self.calls(pin) if call[2] == "write"])

    def calls(self, pin: int | None = None) -> list[list[Any]]:
        """Return what was done: [at, who, what, pin, level, pull]; to one pin, or any."""
        return [call for call in self.ask("calls")["calls"] if pin is None or call[3] == pin]


@contextmanager
def run_latch(folder: Path, *options: str) -> Iterator[Latch]:
    """Run one, in a process group of its own."""
    path = folder / "latch"
    command = [sys.executable, "-m", "chaos.doubles.house.latch", str(path), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"socket": str(path)}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(30)
            sock.connect(str(path))
            yield Latch(path, process, sock)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
