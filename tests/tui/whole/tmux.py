"""A program in a real tmux, as an operator has it: keys by send-keys, the screen by capture-pane."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import frozen

from tests.tui.whole.picture import Screen

__all__ = ["Pane", "open_pane"]

SEEN_S = 30.0
LOOK_S = 0.05
_NOT_OURS = (
    "NO_COLOR",
    "COLORTERM",
    "SSH_CONNECTION",
    "SSH_TTY",
    "COLUMNS",
    "LINES",
    "TMUX",
    "TMUX_PANE",
    "TERM",
)
"""Of the environment: they would say how the terminal around these tests is."""


@frozen
class Pane:
    """A pane of a tmux server of its own. `pictures`: where pictures of it go."""

    socket: Path
    size: tuple[int, int]
    pictures: Path

    async def type(self, text: str) -> None:
        """Type a text as it is."""
        await self._tmux("send-keys", "-l", "--", text)

    async def press(self, *keys: str) -> None:
        """Press keys by tmux' names: Enter, Escape, Down, C-l, j."""
        await self._tmux("send-keys", *keys)

    async def text(self) -> str:
        """Return what stands there."""
        return "\n".join(line.rstrip() for line in (await self._tmux("capture-pane", "-p")).split("\n"))

    async def see(self, *words: str, without: str = "", within_s: float = SEEN_S) -> str:
        """Wait until these words stand there, and `without` does not; return all that does then."""
        return await self.until(
            lambda text: all(word in text for word in words) and not (without and without in text),
            f"{words}{' without ' if without else ''}{without}",
            within_s,
        )

    async def until(self, holds: Callable[[str], bool], words: str, within_s: float = SEEN_S) -> str:
        """Wait until something holds for what stands there. AssertionError, with the screen, when that does not come."""
        text = ""
        with trio.move_on_after(within_s):
            while not holds(text := await self.text()):
                await trio.sleep(LOOK_S)
            return text
        raise AssertionError(f"{words} did not come in {within_s:g} s:\n{text}")

    async def picture(self, name: str) -> Path:
        """Draw what stands there, to name.png among the pictures."""
        columns, rows = self.size
        screen = Screen(columns, rows)
        shown = await self._tmux("capture-pane", "-p", "-e", "-N")
        screen.take("\r\n".join(shown.split("\n")[:rows]).encode())
        path = self.pictures / f"{name}.png"
        screen.picture().quantize(64).save(path, optimize=True)
        return path

    async def pid(self) -> int:
        """Return the process in it."""
        return int(await self._tmux("display-message", "-p", "#{pane_pid}"))

    async def end(self, within_s: float = SEEN_S) -> int:
        """Wait until the process has ended; return its exit code, below 0 the signal that ended it."""
        with trio.fail_after(within_s):
            while True:
                said = await self._tmux(
                    "display-message", "-p", "#{pid} #{pane_dead} #{pane_dead_status} #{pane_dead_signal}"
                )
                server, dead, status, number = said.split(" ")
                if dead == "1" and (status or number):  # which come a moment later
                    return int(status) if status else -int(number)
                if dead == "1":
                    # tmux 3.3 now and then misses that its child has ended, and leaves it a zombie.
                    os.kill(int(server), signal.SIGCHLD)
                await trio.sleep(LOOK_S)

    async def mode(self, name: str) -> bool:
        """Is the terminal in a mode, by tmux' name for it: alternate_on, cursor_flag, mouse_any_flag?"""
        return (await self._tmux("display-message", "-p", f"#{{{name}}}")).strip() == "1"

    async def _tmux(self, *words: str) -> str:
        done = await trio.run_process(
            ["tmux", "-S", str(self.socket), *words], capture_stdout=True, capture_stderr=True, check=False
        )
        assert not done.returncode, f"tmux {words[0]}: {done.stderr.decode()}"
        return done.stdout.decode().removesuffix("\n")


@asynccontextmanager
async def open_pane(
    *argv: str,
    pictures: Path,
    size: tuple[int, int] = (80, 24),
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Pane]:
    """Run a program in a tmux that nobody else uses, until the end of the block. What is left of it is killed then.

    PITLINK_PICTURES names a folder for pictures that are to be kept; `pictures` has them else.
    """
    kept = os.environ.get("PITLINK_PICTURES")
    folder = Path(kept) if kept else pictures
    folder.mkdir(parents=True, exist_ok=True)
    base = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    with tempfile.TemporaryDirectory(prefix="pitlink-tmux-") as own:  # short: it holds a socket
        pane = Pane(Path(own) / "tmux", size, folder)
        command = ["tmux", "-S", str(pane.socket), "-f", "/dev/null", "start-server"]
        for option in (
            "status off",
            "remain-on-exit on",
            "default-terminal tmux-256color",
        ):
            command += [";", "set-option", "-g", *option.split()]
        columns, rows = size
        command += [";", "new-session", "-d", "-x", str(columns), "-y", str(rows), "--", *argv]
        environment = {**base, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        await trio.run_process(command, env=environment)
        try:
            yield pane
        finally:
            with trio.CancelScope(shield=True):  # it has a deadline of its own
                with trio.move_on_after(5):
                    await trio.run_process(["tmux", "-S", str(pane.socket), "kill-server"], check=False)
