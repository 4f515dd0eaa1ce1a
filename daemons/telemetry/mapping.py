"""Learns the shape of a track from laps that were kept: from latitude and longitude where there are, else from speed and
heading. What was learned from a file is kept for good; a shape from speed and heading is the first good lap's."""

import re
from contextlib import aclosing, suppress
from typing import Final

import numpy as np
import structlog
import trio
from attrs import define, field

from daemons.store import StorageError
from daemons.telemetry.look import Lap, NotKept, TrackShape
from daemons.telemetry.past import Kept, Past
from daemons.telemetry.trackmap.course import Course, Driven, driven_in
from daemons.telemetry.trackmap.keeping import TrackMaps
from daemons.telemetry.trackmap.reckoning import Moves, moves_in, reckoned
from protocol.columns import ColumnsError

__all__ = ["Mapper"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")

_QUEUE: Final = 16
_KNOWN_MAX: Final = 200
"""Tracks that are known in memory: names are a stranger's. The one known for longest is forgotten, and read again."""
_LAPS_LOOKED_AT: Final = 5


@define(eq=False)
class Mapper:
    """`run` must be running. Tracks are named as states and sessions name them."""

    past: Past
    maps: TrackMaps
    _shapes: dict[str, TrackShape | None] = field(factory=dict, init=False)
    _wanted: dict[str, str] = field(factory=dict, init=False)  # driver by track; "": to be read from the disk
    _news: trio.Event = field(factory=trio.Event, init=False)

    def shape(self, track: str) -> TrackShape | None:
        """Return what is known of a track now; what was never asked for is read from the disk meanwhile."""
        if track and track not in self._shapes and self._want(track, ""):
            self._know(track, None)
        return self._shapes.get(track)

    def drove(self, driver: str, track: str) -> None:
        """A driver has driven a lap there: learn from it, if there is anything to learn."""
        shape = self.shape(track)
        if track and (shape is None or shape.origin is None):
            self._want(track, driver)

    def _want(self, track: str, driver: str) -> bool:
        """Put it to what is to be done; False: there is no room, and whoever wants it asks again."""
        if track not in self._wanted and len(self._wanted) >= _QUEUE:
            return False
        self._wanted[track] = driver or self._wanted.get(track, "")
        self._news.set()
        return True

    def _know(self, track: str, shape: TrackShape | None) -> None:
        self._shapes.pop(track, None)
        self._shapes[track] = shape
        if len(self._shapes) > _KNOWN_MAX:
            del self._shapes[next(iter(self._shapes))]

    async def run(self) -> None:
        """Read and learn, one track at a time, until cancelled."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            while self._wanted:
                track, driver = self._wanted.popitem()
                try:
                    await self._look(track, driver)
                except (StorageError, OSError, ColumnsError, ValueError) as exc:
                    _log.warning("mapping.failed", track=track, words=str(exc))
                except Exception:  # a track without a map is no reason to end what keeps everybody's ticks
                    _log.exception("mapping.mistaken", track=track)

    async def _look(self, track: str, driver: str) -> None:
        key = _key(track)
        known = self._shapes.get(track) or await trio.to_thread.run_sync(self.maps.shape, key)
        self._know(track, known)
        if not driver or (known is not None and known.origin is not None):
            return
        with suppress(NotKept):
            found = await self._lap(driver, track)
            if found is not None and (shape := await self._learn(key, *found, is_first=known is None)):
                self._know(track, shape)
                _log.info("mapping.learned", track=track, words=shape.source)

    async def _lap(self, driver: str, track: str) -> tuple[Kept, Lap] | None:
        """Return the newest lap of a driver there that counts."""
        for session in await self.past.sessions(driver=driver, limit=2):
            if session.track != track:
                continue
            laps = [lap for lap in await self.past.laps(session.id) if lap.time_s and not lap.invalid]
            if laps:
                _, kept = await self.past.find_lap(laps[-1].id)
                return kept, laps[-1]
        return None

    async def _learn(self, key: str, kept: Kept, lap: Lap, *, is_first: bool) -> TrackShape | None:
        layout = (await self.past.open(kept)).layout
        driven: list[Driven] = []
        moved: list[Moves] = []
        async with aclosing(self.past.batches(kept, lap.first_tick, lap.last_tick)) as batches:
            async for batch in batches:  # of whole rows a long lap is hundreds of megabytes
                rows = batch.rows()
                if (placed := driven_in(layout, rows)) is not None:
                    driven.append(placed)
                elif is_first and (moves := moves_in(layout, rows, batch.ticks)) is not None:
                    moved.append(moves)
        if driven:
            return await trio.to_thread.run_sync(self._learn_course, key, driven)
        if moved:
            return await trio.to_thread.run_sync(self._learn_shape, key, moved, layout.tick_rate)
        return None

    def _learn_course(self, key: str, parts: list[Driven]) -> TrackShape | None:
        names = ("position", "latitude", "longitude")
        course = self.maps.course(key) or Course()
        course.learn(Driven(*(np.concatenate([getattr(part, name) for part in parts]) for name in names)))
        self.maps.keep_course(key, course)
        return course.shape()

    def _learn_shape(self, key: str, parts: list[Moves], tick_rate: int) -> TrackShape | None:
        names = ("tick", "position", "east_mps", "north_mps")
        moves = Moves(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
        found = reckoned(_known(moves), tick_rate)
        if found is None:
            return None
        self.maps.keep_shape(key, found.shape)
        return found.shape


def _known(moves: Moves) -> Moves:
    """Return the rows with a position, which are those on the track."""
    at = np.flatnonzero(np.isfinite(moves.position))
    return Moves(moves.tick[at], moves.position[at], moves.east_mps[at], moves.north_mps[at])


def _key(track: str) -> str:
    """Return what its map is kept by: letters, digits and `_`."""
    return re.sub(r"[^a-z0-9]+", "_", track.lower()).strip("_")[:100] or "unnamed"
