"""The stand-in as a program of its own, read by the real library while it writes."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import irsdk
import numpy as np
import pytest

from chaos.doubles.iracing import Race
from chaos.doubles.iracing.program import main
from protocol.irsdk import Header

pytestmark = pytest.mark.process


class Running:
    """The program, and how it is spoken with."""

    def __init__(self, memory: Path, *arguments: str) -> None:
        command = [
            sys.executable,
            "-m",
            "chaos.doubles.iracing",
            "--memory",
            str(memory),
            "--lap-s",
            "20",
            *arguments,
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self.said()

    @property
    def output(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def said(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.output.readline())
        return line

    def order(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        print(line, file=self.process.stdin, flush=True)
        return self.said()

    def end(self) -> dict[str, Any]:
        self.order("quit")
        last = self.said()
        assert self.process.wait(30) == 0
        return last

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture
def running(memory: Path) -> Iterator[Running]:
    found = Running(memory, "--cars", "60", "--seed", "11")
    yield found
    found.close()


def test_every_tick_is_read_as_it_was_made(memory: Path, running: Running) -> None:
    """Two seconds at 60 Hz, read as a collector reads: newest buffer, header again after the copy."""
    race = Race(seed=11, cars=60, lap_s=20.0, drivers=1, swap_every=1)
    ir = irsdk.IRSDK()
    assert ir.startup(test_file=str(memory))
    seen: dict[int, bytes] = {}
    torn = 0
    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        before = (ir._header.cur_buf_tick_count, ir._header.var_buf[ir._header.cur_buf].tick_count_begin)
        ir.freeze_var_buffer_latest()
        tick, row = ir["SessionTick"], ir._var_buffer_latest._frozen_memory
        after = (ir._header.cur_buf_tick_count, ir._header.var_buf[ir._header.cur_buf].tick_count_begin)
        ir.unfreeze_var_buffer_latest()
        if before == after and before[0] > 0:
            seen.setdefault(tick, row)
        else:
            torn += 1
        time.sleep(0.002)
    ir.shutdown()
    said = running.end()
    ticks = sorted(seen)
    assert said["missed"] == 0 or said["latest_ms"] > 400, (
        said
    )  # a machine that stood still loses ticks, and says so
    assert all(bytes(seen[tick]) == race.row(tick) for tick in ticks), "a torn row was taken"
    gaps = ticks[-1] - ticks[0] + 1 - len(ticks)
    assert len(ticks) > 40 and (gaps == 0 or said["late"]), (
        gaps,
        torn,
        said,
    )  # a slow machine is late, and says so


def test_a_torn_row_stands_for_as_long_as_was_asked_and_other_orders(memory: Path, running: Running) -> None:
    before = running.order("status")["published"]
    running.order("torn 300")
    torn, ends = False, time.monotonic() + 20
    while not torn and time.monotonic() < ends:
        header = Header.read(memory.read_bytes()[:112])
        newest = max(header.buffers, key=lambda buffer: buffer.tick_count)
        torn = newest.tick_count_begin == newest.tick_count + 1
    assert torn
    while running.order("status")["published"] < before + 60:
        assert time.monotonic() < ends
        time.sleep(0.05)
    buffers = Header.read(memory.read_bytes()[:112]).buffers
    assert all(buffer.tick_count == buffer.tick_count_begin for buffer in buffers)
    assert running.order("status")["missed"] == 0
    _orders(memory, running)


def _orders(memory: Path, running: Running) -> None:
    assert running.first["variables"] == 335 and running.first["row_bytes"] == 8619
    assert running.order("pit swap")["swap"] is True
    assert "error" in running.order("fly") and "last" in running.order("session")["error"]
    assert "error" in running.order("car spaceship")
    assert running.order("car prototype") == {"car": "prototype", "variables": 334, "row_bytes": 8615}
    assert Header.read(memory.read_bytes()).variables == 334
    assert running.order("double 2") == {"double": 2} and running.order("skip 3") == {"skipped": 3}
    assert "exit" in running.order("exit")
    assert Header.read(memory.read_bytes()).status == 0
    stood = running.order("status")["tick"]
    assert running.order("start") == {"start": stood + 1}
    assert Header.read(memory.read_bytes()).status == 1
    last = running.end()
    assert last["missed"] == 3 and Header.read(memory.read_bytes()).status == 0


def test_a_recording_is_played_to_its_end(memory: Path, tmp_path: Path) -> None:
    from chaos.doubles.iracing.ibt import record

    record(Race(seed=5, cars=8, lap_s=30.0), tmp_path / "a.ibt", 0, 90)
    running = Running(memory, "--play", str(tmp_path / "a.ibt"), "--speed", "20")
    assert running.said()["published"] == 90
    assert running.process.wait(30) == 0
    header = Header.read(memory.read_bytes())
    assert header.status == 0 and header.cur_buf_tick_count == 90
    row = np.frombuffer(
        memory.read_bytes(), np.uint8, header.row_bytes, header.buffers[header.cur_buf].offset
    )
    assert row.any()
    running.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cars", "72"], "72 cars"),
        (["--play", "nowhere.ibt"], "nowhere.ibt"),
        (["--play", __file__], "not iRacing's"),
    ],
)
def test_what_cannot_be_played_is_said(
    memory: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--memory", str(memory), *arguments])
    assert words in capsys.readouterr().err and not memory.exists()
