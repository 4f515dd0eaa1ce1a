"""When the screen is painted: when there is news, and the terminal keeps up."""

from collections.abc import Callable
from queue import Queue
from typing import Any

from attrs import define
from textual.driver import Driver

__all__ = ["LAG", "Painter", "waiting_writes"]

LAG = 2
"""Writes that may wait. Textual's writer holds 30; at the next one the whole loop stands still, until the terminal
reads again: a connection over SSH that hangs would stop what talks with the daemons too."""


def waiting_writes(driver: Driver | None) -> int:
    """Return how many writes the terminal has not taken yet; 0 where there is no terminal."""
    queue: Queue[Any] | None = getattr(getattr(driver, "_writer_thread", None), "_queue", None)
    return 0 if queue is None else queue.qsize()


@define(eq=False)
class Painter:
    """Decides, at each tick, whether to paint. `versions`: what has to move for that; `waiting`: the terminal's lag."""

    versions: Callable[[], tuple[int, ...]]
    waiting: Callable[[], int]
    skipped: int = 0
    """Ticks at which there was news, but the terminal did not keep up."""

    _painted: tuple[int, ...] | None = None

    def due(self) -> bool:
        """Return whether to paint now; that is then taken as done."""
        now = self.versions()
        if now == self._painted:
            return False
        if self.waiting() > LAG:
            self.skipped += 1
            return False
        self._painted = now
        return True

    def again(self) -> None:
        """Paint at the next tick in any case."""
        self._painted = None
