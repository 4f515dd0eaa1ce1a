"""What a boiler costs a Raspberry Pi: the share of one core and the memory of the whole process, with fourteen zones in the
double of a house before it, at real speed.

The process is `pitlink boiler` as it is started by systemd; latch and house are processes of their own and are not
counted. The first seconds, in which it reads its pages and asks its sensors for the first time, are not counted either.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.report import parser, table, write
from chaos.doubles.house.housefile import house_file
from chaos.doubles.house.plan import colorado
from chaos.doubles.house.wires import Wires

SETTLE_S = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")
ENDS_S = 20.0


def _started(stack: ExitStack, *arguments: str) -> "subprocess.Popen[bytes]":
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE)
    )
    stack.callback(process.wait, ENDS_S)
    stack.callback(process.terminate)
    assert process.stdout is not None
    assert process.stdout.readline(), f"{arguments[0]} has ended"
    return process


def _cpu_s(number: int) -> float:
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident_bytes(number: int) -> int:
    status = Path(f"/proc/{number}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def measure(folder: Path, seconds: float, control_s: float) -> dict[str, float]:
    """Run everything for so long; return the figures."""
    plan = colorado()
    wires, latch, w1 = Wires.of(plan), folder / "latch", folder / "w1"
    (folder / "house.toml").write_text(house_file(plan, wires, latch, w1), "utf-8")
    (folder / "boiler.toml").write_text(
        f'site = "home"\nhouse_file = "{folder / "house.toml"}"\nstate_dir = "{folder / "state"}"\n'
        f'listen = "127.0.0.1:0"\nclock_is_set = true\ncontrol_s = {control_s}\n',
        "utf-8",
    )
    with ExitStack() as stack:
        _started(stack, "chaos.doubles.house.latch", str(latch))
        _started(stack, "chaos.doubles.house", "--folder", str(w1), "--latch", str(latch))
        with open(folder / "log", "wb") as log:
            command = [sys.executable, "-m", "daemons.cli", "boiler", "--config", str(folder / "boiler.toml")]
            boiler = stack.enter_context(subprocess.Popen(command, stderr=log))
        try:
            while b"daemon.ready" not in (folder / "log").read_bytes():
                assert boiler.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            time.sleep(SETTLE_S)
            began, cpu_s = time.monotonic(), _cpu_s(boiler.pid)
            time.sleep(seconds)
            spent_s, passed_s = _cpu_s(boiler.pid) - cpu_s, time.monotonic() - began
            resident = _resident_bytes(boiler.pid)
            boiler.send_signal(signal.SIGTERM)
            stopping = time.monotonic()
            code = boiler.wait(ENDS_S)
        finally:
            boiler.kill()
    return {
        "cpu_share": spent_s / passed_s, "resident_bytes": resident, "stop_s": time.monotonic() - stopping, "exit": code,
        "seconds": passed_s,
    }  # fmt: skip


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--control-s", type=float, default=10.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.seconds, given.control_s)
    row = [
        f"{found['cpu_share'] * 100:.2f} %", f"{found['resident_bytes'] / 1e6:.1f} MB", f"{found['stop_s']:.2f} s",
    ]  # fmt: skip
    table(f"14 zones, a round every {given.control_s:g} s", ["of one core", "memory", "to its end"], [row])
    write(given.json, "boiler", found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
