"""The whole program on a real terminal, with the real daemons of the demo: each page, a control, its audit row."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from tests.tui.app.terminal import Terminal

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")]


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Path]:
    """Run the demo; give the folder with the state folders of its cloud and pits."""
    demo = [sys.executable, "-m", "daemons.cli", "demo", "--speed", "4"]
    with Popen(demo, stdout=DEVNULL, stderr=DEVNULL, env={**os.environ, "TMPDIR": str(tmp_path)}) as process:
        try:
            deadline = time.monotonic() + 20
            while len(found := list(tmp_path.glob("*/*/admin.sock"))) < 2:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            yield found[0].parent.parent
        finally:
            process.terminate()


def test_an_operator_sees_everything_and_reconnects_a_site(daemons: Path) -> None:
    tui = [
        sys.executable,
        "-m",
        "daemons.cli",
        "tui",
        "-C",
        str(daemons / "cloud"),
        "-C",
        str(daemons / "pits"),
    ]
    with Terminal(*tui, size=(120, 30)) as terminal:
        terminal.see("Overview", "cloud hub-", "● demo", "pits demo", "2 of 2 sites connected")
        terminal.press("j\r")
        terminal.see("Site demo", "round trip", "Allowlist", "/events/**")
        terminal.press(":reconnect\r")
        terminal.see("Reconnect site demo?", "$ pitlink ctl site.reconnect site=demo --at")
        terminal.press("\r")
        terminal.read(lambda: "Reconnect site demo?" not in terminal.text)
        terminal.press(":reconnect\r")
        terminal.see("Reconnect site demo?")
        terminal.press("\t\r")
        terminal.see("reconnect site demo: ")
        terminal.press("8")
        terminal.see("Audit", "site.reconnect", "done")
        assert terminal.text.count("site.reconnect") <= 2, "what was cancelled was not asked for"
        terminal.press("5")
        terminal.see("0 dead letters, 1 commands", "reconnect", "done")
        terminal.press("2")
        terminal.see("Requests and errors", "lines")
        terminal.press("7")
        terminal.see("Alarms")
        terminal.press("?")
        terminal.see("Keys here", "draw the screen anew")
        terminal.press("\x1b")
        terminal.read(lambda: "Keys here" not in terminal.text)
        terminal.press("1")
        terminal.see("Overview", "● demo")
        terminal.press("Q")
        assert terminal.end() == 0
        assert terminal.is_restored
        assert "cloud hub-" in terminal.text, "Q leaves the screen"
