"""What is left of a pause counts down on a real terminal: a few bytes a second, and none while it is told in minutes."""

import re
import sys
import time

import pytest

from tests.tui.app.terminal import Terminal

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")]

STEP_B_MAX = 60
"""For one second less: a cell or two, and how many bytes a second come to this terminal."""


def counting(seconds: float) -> Terminal:
    return Terminal(sys.executable, "-m", "tests.tui.app.counting", str(seconds))


def left(terminal: Terminal) -> int:
    found = re.search(r"paused, (\d+) s", terminal.text)
    return int(found[1]) if found else 0


def test_a_second_costs_a_few_bytes() -> None:
    with counting(90) as terminal:
        terminal.see("paused, ", within_s=30)
        terminal.read(lambda: 0 < left(terminal) <= 86, within_s=30)
        before_s, before = left(terminal), len(terminal.raw)
        terminal.read(lambda: left(terminal) <= before_s - 4, within_s=30)
        steps, sent = before_s - left(terminal), len(terminal.raw) - before
        assert sent <= steps * STEP_B_MAX, f"{sent} B for {steps} s"
        terminal.press("q")
        assert terminal.end() == 0


def test_in_minutes_nothing_is_sent() -> None:
    with counting(290) as terminal:
        terminal.see("paused, 5 min", within_s=30)
        ends = time.monotonic() + 20
        while True:  # until it is quiet: the first picture, and what is told of its bytes
            before = len(terminal.raw)
            quiet_at = time.monotonic() + 3
            terminal.read(lambda quiet_at=quiet_at: time.monotonic() > quiet_at, within_s=30)  # type: ignore[misc]
            if len(terminal.raw) == before:
                break
            assert time.monotonic() < ends, terminal.raw[before:]
        assert "paused, 5 min" in terminal.text
        terminal.press("q")
        assert terminal.end() == 0
