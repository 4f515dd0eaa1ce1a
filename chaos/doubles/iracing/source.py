"""What can be played into the memory: rows by tick, and the session info that goes with them."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from protocol.irsdk import Layout

__all__ = ["Rows"]


class Rows(Protocol):
    """A `Race`, or a `Playback`. `ends`: how many ticks there are, None when there is no end to them."""

    layout: Layout
    ends: int | None

    def rows(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """Return the rows of `count` ticks from `first`."""

    def session_info(self, tick: int) -> bytes:
        """Return the session info at a tick."""

    def info_update(self, tick: int) -> int:
        """Return how often it has changed until then."""
