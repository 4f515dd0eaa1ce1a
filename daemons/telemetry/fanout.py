"""Hands what is captured to everybody who takes it: the spool, the live sender, programs of this PC."""

from collections.abc import Sequence

from attrs import define

from daemons.telemetry.capture.port import Sink
from daemons.telemetry.recording import Recording

__all__ = ["Fanout"]


@define(eq=False)
class Fanout:
    """A Sink (see `capture.port`) of sinks, in order: the one that must not miss anything comes first."""

    sinks: Sequence[Sink]

    def opened(self, recording: Recording) -> None:
        for sink in self.sinks:
            sink.opened(recording)

    def tick(self, tick: int, row: bytes, at_us: int) -> None:
        for sink in self.sinks:
            sink.tick(tick, row, at_us)

    def info(self, text: bytes) -> None:
        for sink in self.sinks:
            sink.info(text)

    def closed(self, words: str) -> None:
        for sink in self.sinks:
            sink.closed(words)
