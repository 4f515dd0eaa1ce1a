"""The app on a real terminal: it is given back however the app ends, and one that stops reading stops nothing."""

import itertools
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.tui.app.terminal import Terminal

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")]


def busy(folder: Path, *words: str, **env: str) -> Terminal:
    """Start the app with numbers that change all the time."""
    file = folder / "number"
    return Terminal(sys.executable, "-m", "tests.tui.app.child", str(file), *words, size=(120, 50), env=env)


def number(folder: Path) -> int:
    return int((folder / "number").read_text() or 0)


@pytest.mark.parametrize(("how", "code"), [("q", 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_terminal_is_given_back(tmp_path: Path, how: str | signal.Signals, code: int) -> None:
    with busy(tmp_path, COLORTERM="truecolor") as terminal:
        terminal.see("site00", "connected")
        assert b"38;2;" not in terminal.raw and b"38;5;" not in terminal.raw, "sixteen colours are enough"
        if isinstance(how, str):
            terminal.press(how)
        else:
            terminal.process.send_signal(how)
        assert terminal.end() == code
        assert terminal.is_restored


def test_a_terminal_that_goes_while_its_shell_stays_is_noticed(tmp_path: Path) -> None:
    """Of a hang-up the kernel tells the leader of the session: a shell that lives on tells nobody."""
    code = tmp_path / "code"
    script = f"trap : HUP; {sys.executable} -m tests.tui.app.child {tmp_path / 'number'}; echo $? > {code}"
    with Terminal("bash", "-c", script) as terminal:
        terminal.see("site00", "connected")
        os.close(terminal.slave)
        os.close(terminal.master)
        terminal.process.wait(timeout=20)
    assert code.read_text().strip() == "129"


def test_a_crash_gives_it_back_and_shows_no_values(tmp_path: Path) -> None:
    with busy(tmp_path, "fails") as terminal:
        assert terminal.end() == 1
        assert terminal.is_restored
        assert "broken, of length 15" in terminal.text
        assert b"pl_secret_token'" not in terminal.raw, "a traceback without what variables held"


def test_a_terminal_that_is_gone_ends_it(tmp_path: Path) -> None:
    with busy(tmp_path) as terminal:
        terminal.see("site00")
        os.close(terminal.slave)
        os.close(terminal.master)
        assert terminal.process.wait(10) == 129


def test_a_terminal_that_stops_reading_stops_nothing(tmp_path: Path) -> None:
    with busy(tmp_path) as terminal:
        terminal.see("site00", "site30")
        # Nobody reads for so long that Textual's writer would be full, at 50 paints a second, were nothing skipped.
        steps = []
        for _ in range(10):
            time.sleep(0.3)
            steps.append(number(tmp_path))
        assert min(b - a for a, b in itertools.pairwise(steps)) > 0, f"the model stood still: {steps}"
        newest = number(tmp_path)

        def is_new() -> bool:
            row = re.search(r"site00 +connected .*?ms +.*?ms +([\d.]+)k? ", terminal.text)
            return row is not None and int(row[1]) >= newest

        terminal.read(is_new, within_s=8.0)  # a second, and what the machine is busy with besides
        terminal.press("q")
        assert terminal.end() == 0


def test_no_colour_means_none_and_a_still_page_sends_nothing(tmp_path: Path) -> None:
    with busy(tmp_path, NO_COLOR="1") as terminal:
        terminal.see("site00", "● ")
        colours = re.findall(rb"\x1b\[([0-9;]*)m", terminal.raw)
        assert colours, "bold and reverse are no colours"
        codes = {code for found in colours for code in found.split(b";") if code}
        assert codes <= {b"0", b"1", b"2", b"4", b"7", b"39", b"49"}, codes
        terminal.read(lambda: re.search(r"[1-9]\d* k?B/s", terminal.text) is not None)
        terminal.press("7")
        terminal.see("no alarms")
        terminal.see(" 0 B/s", within_s=30.0)
        _read_for(terminal, 0.5)
        before = len(terminal.raw)
        _read_for(terminal, 1.0)
        assert len(terminal.raw) == before, "a page on which nothing changes sends nothing"
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 0


def _read_for(terminal: Terminal, seconds: float) -> None:
    until = time.monotonic() + seconds
    terminal.read(lambda: time.monotonic() > until, within_s=seconds + 5)
