"""A terminal that nobody reads for long, while a site drops and returns: the model misses nothing, the screen is right soon.

PITLINK_STALL_S: for how long; 6 seconds without it.
"""

import itertools
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.tui.app.terminal import Terminal

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")]

STALL_S = float(os.environ.get("PITLINK_STALL_S", "6"))
BACKLOG_MAX = 150_000
"""Bytes that wait in the terminal when it reads again: what Linux holds for it, and three pictures."""


def states(file: Path) -> list[dict[str, Any]]:
    """Return what the model knew, a line each time it was told something."""
    return [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]


def test_the_model_misses_nothing_and_the_screen_is_right_when_it_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "states"
    child = (sys.executable, "-m", "tests.tui.app.dropping", str(file), str(STALL_S))
    with Terminal(*child, size=(120, 40)) as terminal:
        terminal.see("● dropping", "rushing29")
        began = len(states(file))
        (tmp_path / "states.go").touch()  # from here on the site drops and returns, and nobody reads
        until = time.monotonic() + STALL_S
        while time.monotonic() < until:
            terminal.press("j")  # keys come in on the other half of the line
            time.sleep(0.2)
        known = states(file)
        told = [state["state"] for state in known[began:]]
        assert [state for state, _ in itertools.groupby(told)] == ["connected", "gone", "connected"]
        numbers = [state["number"] for state in known]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "each of them was known, in order"
        assert len(told) >= STALL_S * 4, "at the pace that it was told"

        before, newest, again = len(terminal.raw), numbers[-1], time.monotonic()

        def is_right() -> bool:
            row = re.search(r"● dropping +connected .*? ms +\S+ ms +(\d+) +0 ", terminal.text)
            return row is not None and int(row[1]) >= newest

        terminal.read(is_right, within_s=10)
        took_s = time.monotonic() - again
        print(
            f"read again after {STALL_S:.0f} s: right in {took_s * 1000:.0f} ms, {len(terminal.raw) - before} bytes"
        )
        assert took_s < 5, "a second, on a machine that is not busy"
        assert len(terminal.raw) - before < BACKLOG_MAX, "no film of what was missed"
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.is_restored
