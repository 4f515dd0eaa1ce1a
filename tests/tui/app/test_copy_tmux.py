"""A row that is copied inside of a real tmux reaches the terminal around it."""

import base64
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.app.terminal import Terminal

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="needs a pty"),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]


@pytest.mark.parametrize(
    "config",
    ["set -g set-clipboard on", "set -g set-clipboard off\nset -g allow-passthrough on"],
    ids=["by tmux itself", "past tmux"],
)
def test_a_row_is_copied_through_tmux(tmp_path: Path, config: str) -> None:
    (tmp_path / "conf").write_text(f"{config}\n")
    tmux = ("tmux", "-S", str(tmp_path / "socket"), "-f", str(tmp_path / "conf"))
    child = (sys.executable, "-m", "tests.tui.app.child", str(tmp_path / "count"))

    def copied() -> str:
        found = re.search(rb"\x1b\]52;c?;([A-Za-z0-9+/=]+)(?:\x07|\x1b\\)", terminal.raw)
        return base64.b64decode(found[1]).decode() if found else ""

    with Terminal(*tmux, "new-session", *child, size=(100, 30)) as terminal:
        try:
            terminal.see("site00", within_s=30)
            terminal.press("jy")
            terminal.read(lambda: "copied 1 row" in terminal.text and bool(copied()), within_s=30)
            assert "site00" in copied() and "connected" in copied()
            terminal.press("q")
            assert terminal.end(within_s=30) == 0
        finally:
            subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)
