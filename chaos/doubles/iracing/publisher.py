"""Plays rows into the memory tick by tick: what the simulator does between its start and its exit. Has no clock."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .memory import SimMemory, coming_mask
from .source import Rows

__all__ = ["Publisher"]

_BLOCK = 60
_ROWS_PHASE, _INFO_PHASE = 20, 40
"""Ticks of a second after which the next second's rows and session info are made."""


class Publisher:
    """`tick` is the `SessionTick` that was published last, before the first it is `first - 1`.

    What can go wrong is asked for and happens at the next ticks: `torn` (half a row stands for a while), `skip` (ticks
    that never were), `double` (a tick that is there twice). `missed` counts what a reader can never have seen."""

    def __init__(self, memory: SimMemory, rows: Rows, first: int) -> None:
        self.memory, self.source = memory, rows
        self.tick = first - 1
        self.published = 0
        self.missed = 0
        self.double = 0
        """So many rows come once more, with a new count in the header."""
        self._blocks: dict[int, tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]] = {}
        """Rows of a second, and what is there of each half a tick before; by their first tick, two of them at most."""
        self._mask = coming_mask(rows.layout)
        self._update = 0
        self._info: tuple[int, bytes] | None = None

    @property
    def ended(self) -> bool:
        """Whether there is no next row."""
        return self.source.ends is not None and self.tick + 1 >= self.source.ends

    def start(self) -> None:
        """Start the simulator."""
        self.memory.layout = self.source.layout
        self._update = self.source.info_update(self.tick + 1)
        self.memory.start(self.source.session_info(self.tick + 1))
        if not self.ended:
            self._at(self.tick + 1)

    def change(self, rows: Rows, first: int) -> None:
        """Go on with other rows: of another layout when another car is driven, of the same one in another session."""
        same = rows.layout.digest == self.source.layout.digest
        self.source, self.tick = rows, first - 1
        self._mask, self._info = coming_mask(rows.layout), None
        self._blocks.clear()
        self._update = rows.info_update(first)
        if same:
            self.memory.set_info(rows.session_info(first))
        else:
            self.memory.change(rows.layout, rows.session_info(first))

    def forget(self) -> None:
        """The rows to come have changed: make them anew."""
        self._blocks.clear()

    def step(self) -> None:
        """Publish the next tick, its session info first when that is new."""
        if self.double and self.published:
            self.double -= 1
            self.memory.publish(self._row(self.tick), self._half(self.tick + 1))
            return
        self.tick += 1
        update = self.source.info_update(self.tick)
        if update != self._update:
            self._update = update
            if self._info is None or self._info[0] != update:
                self._info = update, self.source.session_info(self.tick)
            self.memory.set_info(self._info[1])
        self.memory.publish(self._row(self.tick), self._half(self.tick + 1))
        self.published += 1

    def tear(self) -> None:
        """Begin the next tick and leave it half written; `mend` finishes it."""
        self.tick += 1
        row = self._row(self.tick)
        self.memory.tear(row, len(row) // 2)
        self.published += 1

    def mend(self) -> None:
        """Finish what `tear` began."""
        self.memory.mend()

    def skip(self, ticks: int) -> None:
        """Let ticks go by unpublished, as when the computer was busy."""
        self.tick += ticks
        self.missed += ticks

    def prepare(self) -> None:
        """Make what comes next when it is time for that, between ticks and not in them; one thing at a time, since a tick
        is not long: the next second's rows, or its session info."""
        phase = (self.tick + 1) % _BLOCK
        coming = self.tick + 1 - phase + _BLOCK
        if self.source.ends is not None and coming >= self.source.ends:
            return
        if phase == _ROWS_PHASE:
            self._at(coming)
        elif phase == _INFO_PHASE:
            update = self.source.info_update(coming)
            if update != self._update:
                self._info = update, self.source.session_info(coming)

    def _row(self, tick: int) -> Any:
        return self._at(tick)[0]

    def _half(self, tick: int) -> Any:
        if self.source.ends is not None and tick >= self.source.ends:
            return None
        return self._at(tick)[1]

    def _at(self, tick: int) -> tuple[Any, Any]:
        start = tick - tick % _BLOCK
        if start not in self._blocks:
            count = _BLOCK if self.source.ends is None else min(_BLOCK, self.source.ends - start)
            rows = self.source.rows(start, count)
            self._blocks[start] = rows, rows & self._mask
            if len(self._blocks) > 2:
                del self._blocks[min(self._blocks)]
        rows, coming = self._blocks[start]
        return rows[tick - start].data, coming[tick - start].data
