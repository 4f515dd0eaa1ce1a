"""The driver that sends what changes: the same picture as Textual's own, frame by frame, in sessions of the real app."""

import asyncio
import json
import re
import signal
import sys
import termios
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from struct import pack

import pytest
from textual.app import App

from tests.tui.app.eyes import Eyes
from tests.tui.app.terminal import Terminal
from tui.app.driver import CellDriver

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")]

NARROW, WIDE = (80, 24), (123, 37)
SHRUNK = (70, 20)


def teed(folder: Path, size: tuple[int, int], **env: str) -> Terminal:
    """Start the app with twenty sites of odd names, with a driver that writes down what it does."""
    driver = {"TEXTUAL_DRIVER": "tests.tui.app.tee:TeeDriver", "TEE": str(folder / "tee")}
    return Terminal(sys.executable, "-m", "tests.tui.app.race", "odd", size=size, env={**driver, **env})


def session(terminal: Terminal) -> None:
    """What an operator does, everything once."""
    terminal.see("北の畑 0", "connected")
    for keys, words in (
        ("jjjjjjjjjjjjjjjjjjjj", "Overview"),
        ("\r", "connections"),
        ("\x1b", "Queue"),
        ("?", "draw the screen anew"),
        ("jjjj\x1b", "!Keys here"),
        ("/트랙\r", "!start"),
        ("\x1b", "北の畑 0"),
        (":al", ":"),
        ("arms\r", "Alarms"),
        ("2", "Requests and errors"),
        ("8", "Audit"),
        ("5", "Commands and dead letters"),
        ("-", "Audit"),
        ("1", "Overview"),
        ("\x0c", "live"),
        ("f", "FROZEN"),
    ):
        terminal.press(keys)
        terminal.read(lambda: (words.lstrip("!") in terminal.text) is not words.startswith("!"))  # noqa: B023
    # What lines have drawn themselves, of what changed, is what Textual draws of all of it.
    drawn = terminal.lines[1:-1]
    terminal.press("\x0c+")
    terminal.see("painted 10 times a second at most")
    assert terminal.lines[1:-1] == drawn
    terminal.press("f__")
    terminal.see("painted 2 times a second at most")
    assert "FROZEN" not in terminal.text


def compared(folder: Path) -> tuple[int, int, int]:
    """Compare the two pictures after each write. Returns how often, and how many bytes each driver sent."""
    plain, ours = Eyes(1, 1), Eyes(1, 1)
    times = plain_bytes = our_bytes = 0
    is_shown = False
    for line in (folder / "tee").read_text().splitlines():
        what, data = json.loads(line)
        size = (plain.screen.columns, plain.screen.lines)
        match what:
            case "size" if tuple(data) != size:
                # What a terminal makes of its cells when its size changes, nobody knows.
                plain, ours, is_shown = Eyes(*data, "#"), Eyes(*data, "#"), False
            case "spoilt" if is_shown:
                ours = Eyes(*size, "?")
            case "plain":
                is_shown = is_shown or "\x1b[1;1H" in data
                plain.feed(data)
                plain_bytes += len(data.encode())
            case "sent":
                ours.feed(data)
                our_bytes += len(data.encode())
            case "even":
                assert ours.shown == plain.shown, _differences(plain, ours)
                if plain.cursor != (0, 0):
                    assert ours.cursor == plain.cursor
                times += 1
    return times, plain_bytes, our_bytes


@pytest.mark.parametrize(
    ("size", "env"), [(NARROW, {}), (WIDE, {}), (NARROW, {"NO_COLOR": "1"}), (NARROW, {"TERM": "linux"})]
)
def test_each_frame_is_the_same_picture(tmp_path: Path, size: tuple[int, int], env: dict[str, str]) -> None:
    with teed(tmp_path, size, **env) as terminal:
        session(terminal)
        ioctl(terminal.master, termios.TIOCSWINSZ, pack("HHHH", SHRUNK[1], SHRUNK[0], 0, 0))
        terminal.press("7")
        terminal.see("Alarms")
        terminal.press("?")
        terminal.see("Keys here")
        ioctl(terminal.master, termios.TIOCSWINSZ, pack("HHHH", size[1], size[0], 0, 0))
        terminal.press("\x1b")
        terminal.read(lambda: "Keys here" not in terminal.text)
        terminal.press("1")
        terminal.see("Overview", "connected")
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.is_restored
        colours = {code for found in _styles(terminal.raw) for code in found.split(";")}
    if "NO_COLOR" in env:
        assert colours <= {"", "0", "1", "2", "4", "7"}, colours
    else:
        assert "38" not in colours and "48" not in colours, "sixteen are enough"
        assert "32" in colours
    times, plain_bytes, our_bytes = compared(tmp_path)
    assert times > 40
    # Widgets draw little more than what changed themselves; what a page costs on a line, `test_budget` says.
    assert our_bytes < plain_bytes, (our_bytes, plain_bytes)


class Taken:
    """Where a driver's writer would be. `waits`: how many writes the terminal has not taken."""

    def __init__(self) -> None:
        self.data: list[str] = []
        self.waits = 0
        self._queue = self

    def write(self, data: str) -> None:
        self.data.append(data)

    def qsize(self) -> int:
        return self.waits


@pytest.fixture
def signals() -> Iterator[None]:
    """A driver takes the signals of job control for itself."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def driver() -> tuple[CellDriver, Taken]:
    """A driver of a terminal of 20 by 5 cells, without the terminal; to be made in a loop."""
    made, taken = CellDriver(App()), Taken()
    made._writer_thread = taken  # type: ignore[assignment]
    made._new_size = (20, 5)
    return made, taken


def test_what_it_does_not_know_is_passed_on_as_it_is(signals: None) -> None:
    async def body() -> None:
        made, taken = driver()
        made.write("\x1b[1;1Hhello\x1b[1;1H")
        picture = '\x1bP0;1;0q"1;1;93;14#0;2;60;0;0#0!93~-\x1b\\'
        clipboard = "\x1b]52;c;cGl0bGluaw==\x07"
        for told in (picture, clipboard, "\x1b[?2048h", "\x07", "\x1b[>1u", "\x1b[5 q"):
            made.write(told)
            made.write("\x1b[1;1Hhello\x1b[1;1H")
            assert taken.data.pop() == told, "and the picture is as it was"
        assert taken.data == ["\x1b[1Hhello"]
        # What may have drawn anything: from here on nothing is taken for granted.
        for bulk in ("\x1b[2J", "\x1b[2;4r\x1b[3S", "\x1b[1;1H\x1b[Kgarbage\x1b[4;1H\x1b[2L"):
            made.write(bulk)
            made.write("\x1b[1;1Hhello\x1b[1;1H")
            assert taken.data[-2:] == [bulk, "\x1b[1Hhello"]
        assert made.written == sum(len(data) for data in taken.data) + sum(
            len(told) for told in (picture, clipboard, "\x1b[?2048h", "\x07", "\x1b[>1u", "\x1b[5 q")
        )

    asyncio.run(body())


def test_a_terminal_that_lags_gets_the_newest_picture_and_what_is_told_it_in_order(signals: None) -> None:
    async def body() -> None:
        made, taken = driver()
        taken.waits = 3
        for number in range(100):
            made.write(f"\x1b[1;1Hnumber {number:3}\x1b[1;1H")
        assert taken.data == []
        made.write("\x07")
        assert taken.data == ["\x1b[1Hnumber  99", "\x07"], "a bell rings after what came before it"
        made.write("\x1b[2;1Hlast\x1b[1;1H")
        assert len(taken.data) == 2
        taken.waits = 0
        deadline = asyncio.get_running_loop().time() + 10
        while len(taken.data) < 3 and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        assert taken.data[2:] == ["\x1b[2Hlast"], "without anything else being drawn"

    asyncio.run(body())


def test_marks_around_a_picture_that_comes_in_pieces_only(signals: None) -> None:
    """Terminals that can show a frame at once are asked to, where there is enough of it."""

    async def body() -> None:
        made, taken = driver()
        made._new_size = (200, 20)
        for data in (f"\x1b[1;1H{'x' * 200}", "\x1b[1;1Ha", "\x1b[1;1Ha"):
            made.write("\x1b[?2026h")
            made.write(data)
            made.write("\x1b[?2026l")
        assert taken.data == [f"\x1b[1H{'x' * 200}\x1b[1;201H"[:204], "\x1b[1Ha"]
        made.write("".join(f"\x1b[{y};1H{str(y) * 80}" for y in range(1, 18)))
        assert taken.data[-1].startswith("\x1b[?2026h") and taken.data[-1].endswith("\x1b[?2026l")

    asyncio.run(body())


def _differences(plain: Eyes, ours: Eyes) -> str:
    """Return where two pictures differ, and how."""
    both = zip(plain.shown, ours.shown, strict=True)
    return "\n".join(
        f"{x},{y}: {theirs} is drawn as {mine}"
        for y, rows in enumerate(both)
        for x, (theirs, mine) in enumerate(zip(*rows, strict=True))
        if theirs != mine
    )


def _styles(raw: bytes) -> list[str]:
    return [found.decode() for found in re.findall(rb"\x1b\[([0-9;]*)m", raw)]
