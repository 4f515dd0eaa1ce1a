"""Rows in, recordings out: where one ends and the next begins, and what a tick is."""

import os
import struct
from collections.abc import Callable
from typing import Final

from attrs import define, field

from daemons.telemetry.capture.port import Sink
from daemons.telemetry.recording import ID_BYTES, Recording
from protocol.irsdk import Layout, Type

__all__ = ["Recorder", "session_reader", "tick_reader"]

_AHEAD: Final = 10
"""Ticks between two rows that are taken to follow each other when another session is about to begin."""


@define(eq=False)
class Recorder:
    """Hands rows to a sink, in recordings. `new_id` names each; `utc_us` is asked once a recording.

    SessionTick must advance within a recording. A row that falls back or names another session begins a new one, but
    only when the row after it follows on: somebody who winds a replay back and forth would begin one a tick.
    """

    sink: Sink
    driver: str
    source: str
    utc_us: Callable[[], int]
    new_id: Callable[[], bytes] = lambda: os.urandom(ID_BYTES)
    ticks: int = field(default=0, init=False)
    doubled: int = field(default=0, init=False)
    skipped: int = field(default=0, init=False)
    recordings: int = field(default=0, init=False)
    _layout: Layout | None = field(default=None, init=False)
    _tick_of: Callable[[bytes], int] = field(default=lambda row: 0, init=False)
    _session_of: Callable[[bytes], tuple[int, ...]] = field(default=lambda row: (), init=False)
    _info: bytes = field(default=b"", init=False)
    _open: bool = field(default=False, init=False)
    _last: int = field(default=0, init=False)
    _session: tuple[int, ...] = field(default=(), init=False)
    _held: tuple[int, tuple[int, ...], bytes, int] | None = field(default=None, init=False)

    def layout(self, layout: Layout) -> None:
        """Say what the rows to come look like. Another layout than before ends the recording."""
        if self._layout is not None and layout.digest == self._layout.digest:
            return
        self.end("the simulator publishes other variables: another car or another build")
        self._layout = layout
        self._tick_of, self._session_of = tick_reader(layout), session_reader(layout)

    def info(self, text: bytes) -> None:
        """Say what the session info is now."""
        if text == self._info:
            return
        self._info = text
        if self._open:
            self.sink.info(text)

    def row(self, row: bytes, at_us: int, missed: int = 0) -> None:
        """Take the next row; `missed` rows before it were published and not read."""
        tick, session = self._tick_of(row), self._session_of(row)
        if self._open and self._held is None and tick > self._last and session == self._session:
            self.skipped += max(0, tick - self._last - 1 - missed)
            self._hand_on(tick, row, at_us)
        elif not self._open:
            self._begin(tick, session, row, at_us)
        else:
            self._unlike(tick, session, row, at_us)

    def end(self, words: str) -> None:
        """End the recording, if one is open."""
        if self._held is not None:
            self._held = None
            self.doubled += 1
        if self._open:
            self._open = False
            self.sink.closed(words)

    def _unlike(self, tick: int, session: tuple[int, ...], row: bytes, at_us: int) -> None:
        """Take a row that does not follow the last, or the one after such a row."""
        held, self._held = self._held, None
        if held is not None and session == held[1] and 0 < tick - held[0] <= _AHEAD:
            self.end("another session began" if session != self._session else "the session's time began anew")
            self._begin(*held)
            self._hand_on(tick, row, at_us)
            return
        if held is not None:
            self.doubled += 1  # it led nowhere
        if session == self._session and tick > self._last:
            self._hand_on(tick, row, at_us)
        elif session == self._session and tick == self._last:
            self.doubled += 1
        else:
            self._held = (tick, session, row, at_us)

    def _begin(self, tick: int, session: tuple[int, ...], row: bytes, at_us: int) -> None:
        assert self._layout is not None, "layout() comes before rows"
        recording = Recording(
            id=self.new_id(), driver=self.driver, layout=self._layout, started_utc_us=self.utc_us(),
            info=self._info, source=self.source,
        )  # fmt: skip
        self.recordings += 1
        self._open, self._session = True, session
        self.sink.opened(recording)
        self._hand_on(tick, row, at_us)

    def _hand_on(self, tick: int, row: bytes, at_us: int) -> None:
        self._last = tick
        self.ticks += 1
        self.sink.tick(tick, row, at_us)


def tick_reader(layout: Layout) -> Callable[[bytes], int]:
    """Return what reads the tick of a row: SessionTick, or SessionTime in ticks where there is none (before 2016).
    Raises ValueError for a layout with neither."""
    variable = layout.get("SessionTick")
    if variable is not None and variable.type is Type.INT and variable.count == 1:
        read, at = struct.Struct("<i").unpack_from, variable.offset
        return lambda row: int(read(row, at)[0])
    variable = layout.get("SessionTime")
    if variable is None or variable.type is not Type.DOUBLE or variable.count != 1:
        raise ValueError("rows without SessionTick and SessionTime: nothing tells their order")
    read, at, rate = struct.Struct("<d").unpack_from, variable.offset, layout.tick_rate

    def tick(row: bytes) -> int:
        seconds = read(row, at)[0]
        return round(seconds * rate) if abs(seconds) < 1e9 else 0

    return tick


def session_reader(layout: Layout) -> Callable[[bytes], tuple[int, ...]]:
    """Return what reads which session a row belongs to: () for a layout that does not say."""
    found = [
        variable
        for name in ("SessionUniqueID", "SessionNum")
        if (variable := layout.get(name)) is not None and variable.type is Type.INT and variable.count == 1
    ]
    read = struct.Struct("<i").unpack_from
    places = tuple(variable.offset for variable in found)
    return lambda row: tuple(read(row, at)[0] for at in places)
