"""The demo of a house as a person starts it: a house that goes by at sixty times its speed, told by the nas; set from the
command line; a sensor that dies is named; Ctrl-C ends everything, the house's own processes too."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from daemons.demohouse import SITE, HouseDemo, HouseDemoOptions, open_house_demo
from daemons.heating.state import HouseState

LONG_S = 60.0


def _ask_house(control: Path, **asked: Any) -> dict[str, Any]:
    """Ask the house behind the pins; it answers with a line."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(LONG_S)
        line.connect(str(control))
        line.sendall(json.dumps(asked).encode() + b"\n")
        answer: dict[str, Any] = json.loads(line.makefile().readline())
    return answer


def _commands() -> Iterator[bytes]:
    """Yield the command line of every process that there is."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            yield file.read_bytes()


def _state(demo: HouseDemo) -> HouseState | None:
    """Return the house as the nas knows it."""
    look = demo.nas.houses.looks().get(SITE)
    return None if look is None else look.state()


@pytest.mark.process
async def test_a_house_is_heated_told_and_set_and_a_dead_sensor_is_named(tmp_path: Path) -> None:
    async with open_house_demo(HouseDemoOptions(), tmp_path) as demo:
        with trio.fail_after(LONG_S):
            while (state := _state(demo)) is None or not any(zone.is_on for zone in state.zones):
                await trio.sleep(0.05)
            truth = await trio.to_thread.run_sync(lambda: _ask_house(demo.control, truth=True))
            heated = {zone.id for zone in state.zones if zone.is_on}
            assert heated & {zone for zone, energised in truth["truth"]["relays"].items() if energised}
            command = [sys.executable, "-m", "daemons.cli", "heat", "set", "study", "24", "until", "22:00"]
            done = await trio.run_process(
                [*command, "--at", str(tmp_path / "nas"), "--wait", "50"], capture_stdout=True
            )
            assert done.stdout.startswith(b"DONE: study: 24.0 until 22:00")
            await trio.to_thread.run_sync(
                lambda: _ask_house(demo.control, fail="sensor room.study", kind="lost")
            )
            while not any("study" in alarm.of for alarm in getattr(_state(demo), "alarms", ())):
                await trio.sleep(0.05)
            state = _state(demo)
            assert state is not None
            study = next(zone for zone in state.zones if zone.id == "study")
            assert study.celsius is None, "a temperature that is not known is not shown"
            assert study.target is not None and study.target.celsius == 24.0


@pytest.mark.process
def test_ctrl_c_ends_the_demo_and_the_house_behind_it() -> None:
    command = [sys.executable, "-m", "daemons.cli", "demo", "house"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "Ctrl-C ends it" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            folder = re.search(r"--at (\S+)/nas", said)
            assert folder is not None
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            assert process.wait(30) == 0
            assert time.monotonic() - began < 10
        finally:
            process.kill()
    assert not [words for words in _commands() if folder[1].encode() in words]
