"""The house as a process beside the latch, as a boiler's process has it: a folder of sensors, pins, a control socket."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from chaos.doubles.house import Wires, colorado
from chaos.doubles.house.wires import adc_raw

WIRES = Wires.of(colorado())
BOUND_S = 20.0


@contextlib.contextmanager
def _process(*arguments: str) -> Iterator[dict[str, Any]]:
    """Run a module of the double until the block ends; the value is what it says when it is ready."""
    with subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                assert process.wait(BOUND_S) == 0
            finally:
                process.kill()


class _Line:
    """A socket that takes a JSON object a line and answers each."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream, self._came = stream, b""

    async def ask(self, **message: object) -> dict[str, Any]:
        await self._stream.send_all(json.dumps(message).encode() + b"\n")
        while b"\n" not in self._came:
            data = await self._stream.receive_some(65536)
            assert data
            self._came += data
        line, _, self._came = self._came.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _celsius(folder: Path, sensor: str) -> float:
    text = (folder / WIRES.ds18b20[sensor] / "w1_slave").read_text()
    assert "YES" in text
    return int(text.rpartition("t=")[2]) / 1000


async def test_a_relay_at_the_latch_warms_the_pipe_in_the_folder_and_the_thermistor(tmp_path: Path) -> None:
    latch, control, folder = str(tmp_path / "latch"), str(tmp_path / "control"), tmp_path / "w1"
    with (
        _process("chaos.doubles.house.latch", latch),
        _process(
            *("chaos.doubles.house", "--folder", str(folder), "--latch", latch, "--control", control),
            *("--speed", "600", "--utc", "1768200000", "--fail", "sensor room.dining=lost"),
        ),
        trio.fail_after(BOUND_S),
    ):
        async with (
            await trio.open_unix_socket(control) as at_house,
            await trio.open_unix_socket(latch) as at_pins,
        ):
            await _warm_and_break(folder, _Line(at_house), _Line(at_pins))


async def _adc(pins: _Line) -> int:
    """Return what the converter measures at the flow's thermistor."""
    answer = await pins.ask(op="spi", sent=f"01{8 + WIRES.ntc['flow'] << 4:02x}00")
    return int(answer["got"], 16)


async def _warm_and_break(folder: Path, house: _Line, pins: _Line) -> None:
    assert _celsius(folder, "pipe.study") < 25
    assert not (folder / WIRES.ds18b20["room.dining"]).exists()
    for relay in ("study", "burner", "pump"):
        await pins.ask(op="claim_output", pin=WIRES.relays[relay], level=0)  # active low
    while _celsius(folder, "pipe.study") < 40:
        await trio.sleep(0.05)
    assert (await pins.ask(op="levels"))["levels"][str(WIRES.contacts["firing"])] == 0  # closed to ground
    while not 0 < await _adc(pins) < (adc_raw(35.0) or 0):
        await trio.sleep(0.05)
    truth = (await house.ask(truth=True))["truth"]
    assert truth["relays"]["study"]
    assert truth["flow"] > 40

    await house.ask(fail="sensor room.study", kind="power-on")
    await house.ask(mend="sensor room.dining")
    study = folder / WIRES.ds18b20["room.study"] / "w1_slave"
    while (
        "0c 10 1c : crc=1c YES" not in study.read_text()
        or not (folder / WIRES.ds18b20["room.dining"]).exists()
    ):
        await trio.sleep(0.05)
    refused = await house.ask(fail="sensor room.cellar", kind="lost")
    assert "there is no 'sensor room.cellar' here" in refused["error"]
    assert "error" in await house.ask(nonsense=1)


@pytest.mark.parametrize(("said", "raw"), [(25.0, 512), ("open", 1023), ("short", 0), ("lost", None)])
def test_a_thermistor_at_its_converter(said: float | str, raw: int | None) -> None:
    assert adc_raw(said) == raw


def test_every_relay_and_sensor_has_its_place() -> None:
    plan = colorado()
    pins = [*WIRES.relays.values(), *WIRES.contacts.values(), WIRES.alive]
    assert len(set(pins)) == len(pins)
    assert not {4, 7, 8, 9, 10, 11} & set(pins)  # the 1-wire bus, SPI
    assert {*WIRES.ds18b20, *WIRES.ntc} == set(plan.sensors)
    assert set(WIRES.relays) == set(plan.relays)
