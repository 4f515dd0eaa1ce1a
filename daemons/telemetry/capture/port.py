"""The port between what captures and what keeps or sends: sources give rows, sinks take them."""

from typing import Protocol

from attrs import frozen

from daemons.telemetry.recording import Recording

__all__ = ["Sink", "Source", "SourceFigures"]


class Sink(Protocol):
    """Takes what a source captures. All is called in Trio's thread and must be quick (below 100 µs): a sink that has
    slow work puts it into a bounded queue of its own. A sink does not raise: what it does raise ends the source."""

    def opened(self, recording: Recording) -> None:
        """A recording begins; the one before it, if any, was closed."""

    def tick(self, tick: int, row: bytes, at_us: int) -> None:
        """One new row of the recording. `tick`: its SessionTick, always above the one before; a jump is a gap. `at_us`:
        this machine's monotonic clock when the row was read (from a file: when the simulator would have written it)."""

    def info(self, text: bytes) -> None:
        """The session info changed; YAML in the simulator's encoding."""

    def closed(self, words: str) -> None:
        """The recording is over; why, for people. Nothing of it follows."""


@frozen(kw_only=True)
class SourceFigures:
    """What a source did since it began."""

    ticks: int = 0
    """Rows handed on."""
    missed: int = 0
    """Ticks that the simulator published and that were not read in time."""
    skipped: int = 0
    """Ticks that the simulator itself left out: its numbers jump though every row it published was read."""
    doubled: int = 0
    """Rows published anew whose SessionTick had not advanced: not handed on."""
    torn: int = 0
    """Copies thrown away because the simulator was writing that row meanwhile; most are read again in time."""
    reopened: int = 0
    """Times that the memory was opened anew: the simulator began again, or its layout changed."""
    recordings: int = 0
    """Recordings begun."""
    state: str = "not started"
    """What it does now, in words: `waiting for the simulator`, `reading race_sebring_2025.ibt, 40 %`."""


class Source(Protocol):
    """Captures."""

    async def run(self, sink: Sink) -> None:
        """Hand rows to `sink`: until cancelled (the simulator's start and exit are followed), or until a file ends.
        Cancelling closes the open recording."""

    def statistics(self) -> SourceFigures:
        """Return what it did so far; callable from Trio's thread at any time."""
