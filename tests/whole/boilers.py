"""The double of a house before a boiler: latch and house as processes, the boiler in this process or as one of its own."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define

from chaos.doubles.house.housefile import house_file
from chaos.doubles.house.plan import colorado
from chaos.doubles.house.wires import Wires
from daemons.heating.config import BoilerConfig
from daemons.ops.options import Address

PLAN = colorado()
WIRES = Wires.of(PLAN)
START_S = 60.0
QUICK = "min_on_s = 1\nmin_off_s = 1"
"""The study's relay is not waited for."""


@define(eq=False)
class Ground:
    """Where a boiler stands. `control`: the socket at which the house is broken and mended."""

    folder: Path
    latch: Path
    control: Path
    house_file: Path

    def config(self, **more: Any) -> BoilerConfig:
        """Return what a boiler here is configured with."""
        given: dict[str, Any] = {
            "site": "home",
            "house_file": self.house_file,
            "state_dir": self.folder / "state",
            "listen": Address("127.0.0.1", 0),
            "clock_is_set": True,
            "control_s": 1.0,
        }
        return BoilerConfig(**{**given, **more})

    def relays(self) -> dict[str, bool]:
        """Return which relays are energised, by output."""
        told = asked(self.latch, {"op": "relays"})["relays"]
        return {name: told[str(pin)]["energised"] for name, pin in WIRES.relays.items() if str(pin) in told}

    def house(self, message: dict[str, Any]) -> dict[str, Any]:
        """Ask the house for something, such as {"truth": True}."""
        return asked(self.control, message)

    def wait(self, within_s: float, what: Any) -> None:
        """Wait until `what()` is so."""
        deadline = time.monotonic() + within_s
        while not what():
            assert time.monotonic() < deadline, f"not so within {within_s} s: {self.relays()}"
            time.sleep(0.02)


def asked(path: Path, message: dict[str, Any]) -> dict[str, Any]:
    """Ask at a Unix socket where each line is a JSON object; return the answer."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        sock.settimeout(20)
        sock.connect(str(path))
        sock.sendall(json.dumps(message).encode() + b"\n")
        with sock.makefile("rb") as lines:
            answer: dict[str, Any] = json.loads(lines.readline())
    assert "error" not in answer, answer
    return answer


@contextlib.contextmanager
def ground(folder: Path, *arguments: str) -> Iterator[Ground]:
    """Start the latch and the house before it. `arguments`: more of the house's, such as "--speed", "60"."""
    made = Ground(folder, folder / "latch.sock", folder / "house.sock", folder / "house.toml")
    w1 = folder / "w1"
    text = house_file(PLAN, WIRES, made.latch, w1).replace('output = "study"', f'output = "study"\n{QUICK}')
    made.house_file.write_text(text, "utf-8")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_running("chaos.doubles.house.latch", str(made.latch)))
        stack.enter_context(
            _running(
                "chaos.doubles.house",
                "--folder",
                str(w1),
                "--latch",
                str(made.latch),
                "--control",
                str(made.control),
                *arguments,
            )
        )
        yield made


@contextlib.contextmanager
def _running(module: str, *arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), f"{module} ended"
            yield
        finally:
            process.terminate()
            process.wait(START_S)
