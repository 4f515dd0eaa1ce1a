"""The first picture stands before what asks daemons is there: none of that is imported for it, and its errors are still said."""

import subprocess
import sys

import pytest

from tests.tui.app.terminal import Terminal

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")]

SCREEN = "tui.app.run, tui.app.later, tui.app.driver"
LATER = (
    "trio",
    "h11",
    "pygments",
    "daemons.ops.client",
    "tui.feed",
    "tui.record",
    "cryptography",
    "apsw",
    "zstandard",
)


@pytest.mark.parametrize(
    ("door", "later"),
    [("daemons.__main__", (*LATER, "cyclopts")), ("daemons.cli, daemons.commands.tui", LATER)],
    ids=["plainly asked", "command line"],
)
def test_the_screen_does_without_what_asks_daemons(door: str, later: tuple[str, ...]) -> None:
    asked = f"import {door}, {SCREEN}, sys; print([name for name in {later} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", asked], text=True).strip() == "[]"


@pytest.mark.parametrize("door", ["daemons", "daemons.cli"])
def test_what_is_wrong_with_a_daemons_place_is_said_when_the_terminal_is_given_back(door: str) -> None:
    with Terminal(sys.executable, "-m", door, "tui", "-C", "https://hub.example") as terminal:
        assert terminal.end(within_s=30) == 2
        assert terminal.is_restored
        assert "a hub's port lets nobody in without a token" in " ".join(terminal.lines)
