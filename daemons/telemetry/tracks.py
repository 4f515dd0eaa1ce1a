"""The shapes of tracks at the backend: learned from clean laps that were kept, held in memory, kept on the disk."""

import re
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

import numpy as np
import structlog
import trio
from attrs import define, field, frozen

from daemons.store import StorageError
from daemons.telemetry.export.parts import Part, read
from daemons.telemetry.finding import FoundLap
from daemons.telemetry.look import NotKept, TrackShape
from daemons.telemetry.past import Past
from daemons.telemetry.reading import Reading
from daemons.telemetry.trackmap.course import Course, driven_in
from daemons.telemetry.trackmap.keeping import TrackMaps
from daemons.telemetry.trackmap.reckoning import moves_in, reckoned
from protocol.columns import ColumnsError

__all__ = ["Tracks"]

_log = structlog.get_logger()

WAITING_MAX: Final = 16
LAP_ROWS_MAX: Final = 60 * 900


@frozen
class _Lap:
    track: str
    recording: bytes
    lap: FoundLap
    north_rad: float | None


@define(eq=False)
class Tracks:
    """`run` must be running. What waits to be read or learned is bounded; what does not fit is learned from another lap."""

    past: Past
    maps: TrackMaps
    _shapes: dict[str, TrackShape | None] = field(factory=dict, init=False)
    _send: trio.MemorySendChannel[str | _Lap] = field(init=False)
    _receive: trio.MemoryReceiveChannel[str | _Lap] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[str | _Lap](WAITING_MAX)

    def shape(self, track: str) -> TrackShape | None:
        """Return the shape of a track as sessions name it; None: not learned, or being read from the disk."""
        if track and track not in self._shapes:
            self._later(track)
        return self._shapes.get(track)

    def driven(self, reading: Reading, laps: Sequence[FoundLap]) -> None:
        """Hear of laps; a clean one of a track that has no shape yet is learned from."""
        about = reading.about
        if not about.track or self._shapes.get(about.track) is not None:
            return
        clean = next((lap for lap in laps if lap.time_s is not None and not lap.flaws), None)
        if clean is not None:
            north = about.session.track.north_offset_rad
            self._later(_Lap(about.track, reading.recording.id, clean, north))

    async def run(self) -> None:
        """Read and learn until cancelled."""
        async for one in self._receive:
            try:
                if isinstance(one, str):
                    self._shapes[one] = await trio.to_thread.run_sync(self.maps.shape, _key(one))
                else:
                    await self._learn(one)
            except (NotKept, ColumnsError, StorageError, OSError) as error:
                _log.warning("tracks.not_learned", words=str(error))

    def _later(self, one: str | _Lap) -> None:
        try:
            self._send.send_nowait(one)
        except trio.WouldBlock:
            return
        if isinstance(one, str):
            self._shapes[one] = None

    async def _learn(self, one: _Lap) -> None:
        if self._shapes.get(one.track) is not None:
            return
        _, kept = await self.past.find_lap(f"{one.recording.hex()}.{one.lap.index}")
        part = Part(kept, await self.past.open(kept), one.lap.first_tick, one.lap.last_tick)
        if part.last - part.first > LAP_ROWS_MAX:
            return
        rows, ticks = [], []
        async with aclosing(read(self.past, part)) as batches:
            async for batch, low, high in batches:
                rows.append(batch.rows()[low:high])
                ticks.append(batch.ticks[low:high])
        if not rows:
            return
        work = partial(self._shape_of, one, part, np.concatenate(rows), np.concatenate(ticks))
        shape = await trio.to_thread.run_sync(work)
        if shape is not None:
            self._shapes[one.track] = shape

    def _shape_of(
        self, one: _Lap, part: Part, rows: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]",
        ticks: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]",
    ) -> TrackShape | None:  # fmt: skip
        layout, key = part.recording.layout, _key(one.track)
        if (driven := driven_in(layout, rows)) is not None:
            course = self.maps.course(key) or Course()
            if course.learn(driven):
                self.maps.keep_course(key, course)
            return course.shape()
        moves = moves_in(layout, rows, ticks, one.north_rad)
        found = None if moves is None else reckoned(moves, layout.tick_rate)
        if found is None:
            return None
        self.maps.keep_shape(key, found.shape)
        return found.shape


def _key(track: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", track.lower()).strip("_")
