"""The relays-off helper: every line is tried, a held one by pinctrl, and it is quick."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.doubles.house.lgpio import RecordingLgpio
from daemons.heating.hardware.latchpins import LatchLgpio
from daemons.heating.hardware.offnote import Note, read_note, write_note
from daemons.heating.hardware.relays_off import main, relays_off
from tests.daemons.heating.hardware.latch import Latch, run_latch

HELPER = [sys.executable, "-m", "daemons.heating.hardware.relays_off", "--wiring"]


@pytest.fixture(scope="module")
def latch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Latch]:
    with run_latch(tmp_path_factory.mktemp("latch")) as latch:
        yield latch


def test_every_line_is_tried(lgpio: RecordingLgpio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    lgpio.fails.add(("claim_output", 17))
    said = relays_off(Note("pi", 4, {17: 0, 6: 1, 22: 0}))
    assert lgpio.calls == [
        ("open", 4),
        ("claim_output", 17, 0, "down"),
        ("claim_output", 6, 1, "up"),
        ("claim_output", 22, 0, "down"),
    ]
    assert len(said) == 1
    assert said[0].startswith("GPIO 17 could not be driven off: claim_output of GPIO 17 failed; pinctrl: ")


def test_without_lgpio_pinctrl_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)  # type: ignore[arg-type]
    pinctrl = tmp_path / "pinctrl"
    pinctrl.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/done\n[ "$2" != 22 ] || {{ echo no such pin >&2; exit 1; }}\n'
    )
    pinctrl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    write_note(tmp_path / "note", Note("pi", 0, {17: 0, 6: 1, 22: 0}))
    assert main(["--wiring", str(tmp_path / "note")]) == 1
    assert (tmp_path / "done").read_text().splitlines() == [
        "set 17 op pd dl",
        "set 6 op pu dh",
        "set 22 op pd dl",
    ]
    told = capsys.readouterr()
    assert "GPIO 22 could not be driven off" in told.err
    assert "no such pin" in told.err
    assert "2 of 3 lines are off" in told.out


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"gpio": "pi", "chip": 0, "lines": []}',
        '{"gpio": "pi", "chip": 0, "lines": {"a": 0}}',
    ],
)
def test_a_note_that_is_none_is_said(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "note").write_text(text)
    assert main(["--wiring", str(tmp_path / "note")]) == 1
    assert "could not be driven off" in capsys.readouterr().err


def test_a_note_that_is_not_there_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--wiring", str(tmp_path / "none")]) == 0
    assert "no relay was ever driven" in capsys.readouterr().out
    assert main([]) == 2


def test_a_note_is_whole_or_the_one_before(tmp_path: Path) -> None:
    path, note = tmp_path / "relays.json", Note("latch:/run/x", 4, {17: 0, 6: 1})
    write_note(path, note)
    assert read_note(path) == note
    (tmp_path / "relays.json.new").write_text('{"gpio"')  # a power cut in the midst of the next
    assert read_note(path) == note
    write_note(path, note._replace(chip=0))
    assert read_note(path).chip == 0


@pytest.mark.process
def test_it_needs_nothing_that_takes_long_or_may_be_broken() -> None:
    asked = "import sys, daemons.heating.hardware.relays_off as _; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True
    )
    assert not {"trio", "attr", "structlog", "gpiozero", "apsw", "asyncio"} & set(loaded.stdout.split())


@pytest.mark.process
def test_as_a_program_it_is_quick_and_takes_what_a_dead_one_left(latch: Latch, tmp_path: Path) -> None:
    relays = {17: 0, 6: 1, 13: 0}
    for pin, off in relays.items():
        latch.ask("relay", pin=pin, active_low=bool(off))
    lgpio = LatchLgpio()
    handle = lgpio.gpiochip_open(str(latch.path))
    for pin, off in relays.items():
        lgpio.gpio_claim_output(handle, pin, 1 - off)
    lgpio.gpiochip_close(handle)
    latch.until(lambda: len([call for call in latch.calls() if call[2] == "gone"]) >= 3)
    assert all(latch.relay(pin)["energised"] for pin in relays)
    write_note(tmp_path / "note", Note(f"latch:{latch.path}", 0, relays))
    took = []
    for _ in range(3):
        began = time.monotonic()
        done = subprocess.run(
            [*HELPER, str(tmp_path / "note")], capture_output=True, text=True, timeout=60, check=False
        )
        took.append(time.monotonic() - began)
        assert done.returncode == 0, done.stderr
        assert "3 of 3 lines are off" in done.stdout
    assert not any(latch.relay(pin)["energised"] for pin in relays)
    print(f"relays-off as a program: {[round(s * 1000) for s in took]} ms")
    assert min(took) < 1.5  # 300 ms, on a machine five times slower


@pytest.mark.process
def test_a_line_that_is_held_by_a_daemon_that_hangs_is_driven_by_pinctrl(
    latch: Latch, tmp_path: Path
) -> None:
    """A stand-in for pinctrl, which writes the registers whoever owns a line."""
    pinctrl = tmp_path / "pinctrl"
    pinctrl.write_text(
        f"#!{sys.executable}\nimport json, socket, sys\ns = socket.socket(socket.AF_UNIX); s.connect({str(latch.path)!r})\n"
        's.sendall(json.dumps({"op": "force", "pin": int(sys.argv[2]), "level": int(sys.argv[5] == "dh")}).encode() + b"\\n")\n'
        "assert b'ok' in s.recv(999)\n"
    )
    pinctrl.chmod(0o755)
    latch.ask("relay", pin=19, active_low=False)
    lgpio = LatchLgpio()
    handle = lgpio.gpiochip_open(str(latch.path))
    lgpio.gpio_claim_output(handle, 19, 1)
    assert latch.relay(19)["energised"]
    write_note(tmp_path / "note", Note(f"latch:{latch.path}", 0, {19: 0}))
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment, command = {**os.environ, "PATH": path}, [*HELPER, str(tmp_path / "note")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not latch.relay(19)["energised"]
    lgpio.gpiochip_close(handle)
