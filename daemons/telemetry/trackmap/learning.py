"""Learns the courses of tracks from what is captured of files, which have latitude and longitude."""

import math
from collections import deque

import numpy as np
import structlog
import trio
from attrs import define, field, frozen

from daemons.telemetry.recording import Recording
from daemons.telemetry.sessioninfo import parse
from daemons.telemetry.trackmap.course import Course, driven_in
from daemons.telemetry.trackmap.keeping import TrackMaps
from protocol.irsdk import Layout

__all__ = ["MapLearner"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")

ROWS = 600
"""Rows that are learned from at once: ten seconds, 0.7 MB."""
WAITING = 4
"""Such pieces wait at most; a new one is left out then, and counted: a course does without."""


@frozen(eq=False)
class _Piece:
    recording: Recording
    rows: bytes
    is_last: bool


@define(eq=False)
class MapLearner:
    """A Sink (see `capture.port`). `run` must be running. Rows of live memory have no latitude: they cost nothing."""

    maps: TrackMaps
    left_out: int = field(default=0, init=False)
    _recording: Recording | None = field(default=None, init=False)
    _rows: list[bytes] = field(factory=list, init=False)
    _waiting: deque[_Piece] = field(factory=deque, init=False)
    _news: trio.Event = field(factory=trio.Event, init=False)

    def opened(self, recording: Recording) -> None:
        """See Sink."""
        has_place = all(name in recording.layout for name in ("Lat", "Lon", "LapDistPct"))
        self._recording, self._rows = recording if has_place else None, []

    def tick(self, tick: int, row: bytes, at_us: int) -> None:
        """See Sink."""
        if self._recording is None:
            return
        self._rows.append(row)
        if len(self._rows) >= ROWS:
            self._hand_over(self._recording, is_last=False)

    def info(self, text: bytes) -> None:
        """See Sink. The track of a recording stays what it was at its beginning."""

    def closed(self, words: str) -> None:
        """See Sink."""
        if self._recording is not None:
            self._hand_over(self._recording, is_last=True)
        self._recording = None

    def _hand_over(self, recording: Recording, *, is_last: bool) -> None:
        rows, self._rows = self._rows, self._rows[-1:]  # the next piece joins on
        if len(self._waiting) >= WAITING and not is_last:
            self.left_out += 1
            return
        self._waiting.append(_Piece(recording, b"".join(rows), is_last))
        self._news.set()

    async def run(self) -> None:
        """Learn, piece by piece, until cancelled; what was learned is written when its recording is over."""
        course, key = Course(), ""
        of: Recording | None = None
        while True:
            await self._news.wait()
            self._news = trio.Event()
            while self._waiting:
                piece = self._waiting.popleft()
                if piece.recording is not of:
                    of, key = piece.recording, await trio.to_thread.run_sync(_key, piece.recording.info)
                    kept: Course | None = await trio.to_thread.run_sync(self.maps.course, key)
                    course = kept or Course()
                await trio.to_thread.run_sync(_learn, course, piece.recording.layout, piece.rows)
                if piece.is_last and key and course.known:
                    await self._keep(key, course)

    async def _keep(self, key: str, course: Course) -> None:
        try:
            await trio.to_thread.run_sync(self.maps.keep_course, key, course)
        except OSError as exc:
            _log.warning("trackmap.unwritten", track=key, words=str(exc))
        else:
            _log.info(
                "trackmap.learned", track=key, words=f"{math.floor(100 * course.known)} % of it are known"
            )


def _key(info: bytes) -> str:
    return parse(info).track.key


def _learn(course: Course, layout: Layout, rows: bytes) -> None:
    table = np.frombuffer(rows, np.uint8).reshape(-1, layout.row_bytes)
    driven = driven_in(layout, table)
    if driven is not None:
        course.learn(driven)
