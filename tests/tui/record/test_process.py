"""The whole program: what it recorded of the real daemons of the demo is what it replays."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tui.app.terminal import Terminal
from tests.tui.app.test_real import daemons  # noqa: F401 the demo, a fixture
from tui.record import Recording

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")]

TUI = (sys.executable, "-m", "daemons.cli", "tui")
WITHIN_S = 30.0


def of(folder: Path) -> list[str]:
    return ["-C", str(folder / "cloud"), "-C", str(folder / "pits")]


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def running(argv: Sequence[str], said: Path, **other: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run it with what it prints in a file; it is ended with the block."""
    with (
        said.open("wb") as out,
        subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, **other) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def replayed(path: Path, *more: str, code: int | None = 0) -> tuple[str, str]:
    """Return what a replay prints, and what it says besides."""
    done = subprocess.run([*TUI, "--replay", str(path), *more], capture_output=True, text=True, timeout=60)
    assert code is None or done.returncode == code, done
    return done.stdout, done.stderr


def has_heard_both(path: Path) -> bool:
    """Does the file hold two blocks, with both daemons and commands to the site? It is read while it is written."""
    if not path.exists() or not path.stat().st_size:
        return False
    with Recording.open(path) as recording:
        told = [(call.name, call.args.get("daemon")) for call in recording.calls()]
    return all(
        told.count(("told", told_by)) > 15 for told_by in {d for n, d in told if n == "watch"}
    ) and any(name == "commanded" for name, _ in told)


def test_recorded_without_a_screen_and_replayed(daemons: Path, tmp_path: Path) -> None:  # noqa: F811
    path, said = tmp_path / "race.rec", tmp_path / "said"
    with running([*TUI, *of(daemons), "--plain", "--record", str(path)], said) as process:
        until(lambda: has_heard_both(path))
        live = json.loads(
            subprocess.run([*TUI, *of(daemons), "--once", "--json"], capture_output=True).stdout
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    out, err = replayed(path, "--once", "--json", code=None)
    told = json.loads(out)
    assert err == "" and told["replay"]["file"] == str(path) and told["replay"]["at_s"] > 4
    for name, daemon in live["daemons"].items():
        then = told["daemons"][name]
        assert (then["called"], then["daemon"]) == (daemon["called"], daemon["daemon"])
        assert then["connection"]["state"] == "live" and then["connection"]["heard_s_ago"] < 2.0
        assert {site: one["state"] for site, one in then["sites"].items()} == {
            site: one["state"] for site, one in daemon["sites"].items()
        }
    lines, _ = replayed(path, "--plain", "--speed", "64")
    printed = said.read_text()
    site_line = next(line for line in printed.splitlines() if line.startswith("  site "))
    assert site_line.partition(":")[0] in lines, "the lines of the replay are those of then, after their time"
    at_begin = json.loads(replayed(path, "--json", "--seek", "+0", code=None)[0])
    assert at_begin["replay"]["at_s"] == 0.0


def test_killed_while_it_recorded(daemons: Path, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "race.rec"
    with running([*TUI, *of(daemons), "--plain", "--record", str(path)], tmp_path / "said") as process:
        until(lambda: has_heard_both(path))
        process.kill()
        process.wait(WITHIN_S)
    out, err = replayed(path, "--once", code=None)
    assert "site demo at cloud: connected" in out
    assert err == f"pitlink: {path}: the recording was not ended: its last seconds may be missing\n"
    path.write_bytes(path.read_bytes()[:-5])
    out, err = replayed(path, "--once", code=None)
    assert "site demo at cloud" in out
    assert "damaged or torn off: it is shown as far as it is whole" in err


def test_recorded_on_a_screen_and_replayed_on_a_screen(daemons: Path, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "race.rec"
    with Terminal(*TUI, *of(daemons), "--record", str(path), size=(110, 24)) as terminal:
        terminal.see("Overview", "REC", "● demo", "pits demo")
        terminal.press("2")
        terminal.see("Requests and errors", "lines")
        terminal.read(lambda: has_heard_both(path), within_s=WITHIN_S)
        terminal.press("q")
        assert terminal.end() == 0 and terminal.is_restored
    with Terminal(*TUI, "--replay", str(path), size=(110, 24)) as terminal:
        terminal.see("Overview", "REPLAY", "UTC 1x", "0:00:0", "● demo")
        terminal.press("p")
        terminal.see("paused")
        terminal.press(":seek +2\r")
        terminal.see("0:00:02 of")
        terminal.press("c")
        terminal.see("this is a replay: nothing is done from here")
        terminal.press("5")
        terminal.see("Commands")
        terminal.press("p}>")
        terminal.see("UTC end")
        terminal.press("q")
        assert terminal.end() == 0 and terminal.is_restored


def test_a_full_disk_is_said_once_and_the_terminal_goes_on(daemons: Path, tmp_path: Path) -> None:  # noqa: F811
    path, said = tmp_path / "race.rec", tmp_path / "said"
    limited = [
        "sh",
        "-c",
        'ulimit -f 16; exec "$@" | cat',
        "sh",
        *TUI,
        *of(daemons),
        "--plain",
        "--record",
        str(path),
    ]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with running(limited, said, env=env, start_new_session=True) as process:
        until(lambda: "recording ended: File too large; race.rec holds what came before" in said.read_text())
        size = len(said.read_bytes())
        until(lambda: len(said.read_bytes()) > size)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        process.wait(WITHIN_S)
    assert said.read_text().count("recording ended") == 1
    out, err = replayed(path, "--once", code=None)
    assert "site demo" in out and "not ended" in err


def test_what_does_not_go_is_said_before_anything_is_done(tmp_path: Path) -> None:
    path = tmp_path / "race.rec"
    path.write_text("mine")

    def refused(*argv: str) -> str:
        done = subprocess.run([*TUI, *argv], capture_output=True, text=True, timeout=60)
        assert done.returncode == 3 and not done.stdout
        assert "Traceback" not in done.stderr
        return " ".join(done.stderr.split())

    assert "is there already: name a new file" in refused(
        "-C", str(tmp_path), "--plain", "--record", str(path)
    )
    assert path.read_text() == "mine"
    assert "no recording of pitlink tui --record" in refused("--replay", str(path), "--once")
    assert "leave out --record and --connect" in refused("--replay", str(path), "--record", "x")
    assert "are for --replay" in refused("--seek", "12:30")
    assert "none of 0.25, 0.5, 1" in refused("--replay", str(path), "--speed", "3")
