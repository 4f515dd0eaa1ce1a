"""Goes on with a file of which the beginning is there: what is there is not handed on again."""

from collections.abc import Mapping
from typing import Final

from attrs import define, evolve, field

from daemons.telemetry.capture.port import Sink
from daemons.telemetry.recording import Recording

__all__ = ["ALL", "Resuming"]

ALL: Final = 2**62
"""No tick is above it: nothing of the recording is to be handed on."""


@define(eq=False)
class Resuming:
    """A Sink before another. `had`: the last tick that is there of recordings that are; what comes behind it begins a
    recording at its own time."""

    sink: Sink
    had: Mapping[bytes, int]
    ticks: int = field(default=0, init=False)
    """Handed on."""
    _recording: Recording | None = field(default=None, init=False)
    _first_tick: int | None = field(default=None, init=False)
    _is_open: bool = field(default=False, init=False)

    def opened(self, recording: Recording) -> None:
        """See Sink."""
        self._recording, self._first_tick, self._is_open = recording, None, False

    def tick(self, tick: int, row: bytes, at_us: int) -> None:
        """See Sink."""
        recording = self._recording
        if recording is None:
            return
        if self._first_tick is None:
            self._first_tick = tick
        if not self._is_open:
            if tick <= self.had.get(recording.id, -1):
                return
            gone_us = (tick - self._first_tick) * 1_000_000 // recording.layout.tick_rate
            self.sink.opened(evolve(recording, started_utc_us=recording.started_utc_us + gone_us))
            self._is_open = True
        self.ticks += 1
        self.sink.tick(tick, row, at_us)

    def info(self, text: bytes) -> None:
        """See Sink."""
        if self._is_open:
            self.sink.info(text)
        elif self._recording is not None:
            self._recording = evolve(self._recording, info=text)

    def closed(self, words: str) -> None:
        """See Sink."""
        if self._is_open:
            self.sink.closed(words)
        self._recording, self._is_open = None, False
