"""An operator at `pitlink tui` in tmux: what is typed, asked, answered and said."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import frozen

from daemons.ops.client import ADMIN_SOCKET, AdminClient, Unreachable
from tests.tui.whole.tmux import Pane, open_pane

__all__ = ["CLI", "Operator", "admin", "open_operator", "until"]

CLI = (sys.executable, "-m", "daemons.cli")
WITHIN_S = 30.0


async def until(ask: Any, holds: Any, within_s: float = WITHIN_S) -> Any:
    """Ask something again and again until what it says holds; return that. AssertionError when it does not come."""
    said = None
    with trio.move_on_after(within_s):
        while True:
            try:
                said = await ask()
            except Unreachable as exc:
                said = exc
            else:
                if holds(said):
                    return said
            await trio.sleep(0.05)
    raise AssertionError(f"did not come to hold in {within_s:g} s: {said}")


@frozen
class Operator:
    """Somebody before a pane with the terminal in it."""

    pane: Pane

    async def say(self, words: str) -> None:
        """`:` and words."""
        await self.pane.type(f":{words}")
        await self.pane.see(f": {words.split(' ')[0]}")
        await self.pane.press("Enter")

    async def do(self, words: str, question: str) -> None:
        """Say what is wanted, read the question, and answer it: Cancel has the focus."""
        await self.say(words)
        await self.agree(question)

    async def agree(self, question: str) -> None:
        """Answer a question with the other button."""
        await self.pane.see(question, "Cancel")
        await self.pane.press("Tab", "Enter")
        await self.pane.see("pitlink ", without=question)

    async def filter(self, words: str) -> None:
        """`/` and words."""
        await self.pane.type(f"/{words}")
        await self.pane.press("Enter")

    async def go(self, words: str, title: str) -> str:
        """Go to a page; return what it shows."""
        await self.say(words)
        return await self.pane.see(f"pitlink {title}")


@asynccontextmanager
async def open_operator(
    *words: str,
    pictures: Path,
    home: Path,
    size: tuple[int, int] = (80, 24),
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Operator]:
    """Run `pitlink tui` with these words in tmux. `home`: with what the operator has set, such as keys; empty otherwise."""
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
    async with open_pane(
        *CLI, "tui", *words, pictures=pictures, size=size, env={**own, **(env or {})}
    ) as pane:
        yield Operator(pane)


def admin(folder: Path) -> AdminClient:
    """Ask the daemon whose state folder this is, beside the terminal."""
    return AdminClient(folder / ADMIN_SOCKET)
