"""The newest of the car, for programs of this PC: made into their JSON when one asks, and once for all who do."""

from collections.abc import Callable, Mapping
from typing import Any

import trio
from attrs import define, field

from daemons.telemetry.recording import Recording
from daemons.telemetry.sessioninfo import SessionInfo, parsed
from daemons.telemetry.snapshot import Context, Snapshots
from daemons.telemetry.trackmap.keeping import TrackMaps

__all__ = ["LocalBoard"]

STALE_S = 2.0
"""Without a row for so long nothing is told: what was true then is not now."""


@define(eq=False)
class LocalBoard:
    """A Sink (see `capture.port`). `run` must be running: it reads the session info. `maps`: of tracks that were learned."""

    driver: str
    maps: TrackMaps
    utc_now: Callable[[], float]
    _recording: Recording | None = field(default=None, init=False)
    _info: bytes | None = field(default=None, init=False)
    _news: trio.Event = field(factory=trio.Event, init=False)
    _snapshots: Snapshots | None = field(default=None, init=False)
    _context: Context = field(factory=Context, init=False)
    _row: tuple[int, bytes, float] | None = field(default=None, init=False)  # count, row, when (Trio's clock)
    _made: tuple[int, Mapping[str, Any]] | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)

    # --- the sink ------------------------------------------------------------------------------------------------

    def opened(self, recording: Recording) -> None:
        """See Sink."""
        self._recording = recording
        self._context = Context()  # another car's tank and another track's sectors are never this one's
        self._snapshots = Snapshots(recording.layout, self._context)
        self._row = self._made = None
        self.info(recording.info)

    def tick(self, tick: int, row: bytes, at_us: int) -> None:
        """See Sink."""
        self._count += 1
        self._row = (self._count, row, trio.current_time())

    def info(self, text: bytes) -> None:
        """See Sink."""
        if text:
            self._info = text
            self._news.set()

    def closed(self, words: str) -> None:
        """See Sink."""
        self._recording = self._snapshots = self._row = self._made = None

    # --- for who asks --------------------------------------------------------------------------------------------

    def current(self) -> tuple[int, Mapping[str, Any]] | None:
        """Return the newest, and a number that changes with it; None: nothing is captured now."""
        row, snapshots = self._row, self._snapshots
        if row is None or snapshots is None:
            return None
        count, data, at = row
        age_s = trio.current_time() - at
        if age_s > STALE_S:
            return None
        if self._made is None or self._made[0] != count:
            utc_us = round((self.utc_now() - age_s) * 1e6)
            self._made = (count, snapshots.json(data, utc_us, self.driver))
        return self._made

    async def run(self) -> None:
        """Read session infos as they come, until cancelled."""
        read: SessionInfo | None = None
        while True:
            await self._news.wait()
            self._news = trio.Event()
            text, self._info = self._info, None
            if text is None:
                continue
            read = await parsed(text, read)
            course = await trio.to_thread.run_sync(self.maps.course, read.track.key)
            self._context = Context(sectors=read.sectors, tank_l=read.own.tank_l, course=course)
            if self._recording is not None:
                self._snapshots = Snapshots(self._recording.layout, self._context)
