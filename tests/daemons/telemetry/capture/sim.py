"""A small simulator for these tests: a layout with what the collector looks at, rows of it, and who takes them."""

import struct
from pathlib import Path

from attrs import define, field

from chaos.doubles.iracing.memory import SimMemory
from daemons.telemetry.recording import Recording
from protocol.irsdk import Layout, Type, Variable

FILLER = 400
INFO = b"---\nWeekendInfo:\n TrackName: sebring\n\n...\n"


def layout(last: str = "Speed", filler: int = FILLER) -> Layout:
    """SessionTime, SessionTick, SessionNum, SessionUniqueID, `filler` floats and one more float called `last`."""
    return Layout(
        (
            Variable("SessionTime", Type.DOUBLE, 0, 1, "s"),
            Variable("SessionTick", Type.INT, 8),
            Variable("SessionNum", Type.INT, 12),
            Variable("SessionUniqueID", Type.INT, 16),
            Variable("CarIdxLapDistPct", Type.FLOAT, 20, filler),
            Variable(last, Type.FLOAT, 20 + 4 * filler, 1, "m/s"),
        ),
        24 + 4 * filler,
    )


LAYOUT = layout()


def row(tick: int, *, session: int = 0, unique: int = 1, of: Layout = LAYOUT) -> bytes:
    """A row whose every float is its tick: a half-written one cannot look right."""
    floats = (of.row_bytes - 20) // 4
    return struct.pack(f"<d3i{floats}f", tick / 60, tick, session, unique, *[float(tick)] * floats)


def is_whole(data: bytes, of: Layout = LAYOUT) -> bool:
    """Whether all of a row is of one tick."""
    tick = struct.unpack_from("<i", data, 8)[0]
    return data == row(tick, session=struct.unpack_from("<i", data, 12)[0], of=of)


def started(path: Path, of: Layout = LAYOUT, *, since_2026: bool = True) -> SimMemory:
    """A simulator that runs and has published nothing."""
    memory = SimMemory(path, of, since_2026=since_2026)
    memory.start(INFO)
    return memory


@define
class Told:
    """A sink that keeps all."""

    recordings: list[Recording] = field(factory=list)
    ticks: list[list[int]] = field(factory=list)
    rows: list[bytes] = field(factory=list)
    at_us: list[int] = field(factory=list)
    infos: list[bytes] = field(factory=list)
    ends: list[str] = field(factory=list)

    def opened(self, recording: Recording) -> None:
        assert len(self.recordings) == len(self.ends), "the one before was not closed"
        self.recordings.append(recording)
        self.ticks.append([])

    def tick(self, tick: int, row: bytes, at_us: int) -> None:
        assert len(self.recordings) == len(self.ends) + 1, "a row outside of a recording"
        assert not self.ticks[-1] or tick > self.ticks[-1][-1], "a tick that does not advance"
        self.ticks[-1].append(tick)
        self.rows.append(row)
        self.at_us.append(at_us)

    def info(self, text: bytes) -> None:
        self.infos.append(text)

    def closed(self, words: str) -> None:
        self.ends.append(words)
