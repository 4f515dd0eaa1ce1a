"""What pages, command line and terminal see, at the backend: live drivers, what was kept, replays, tracks, exports."""

from collections.abc import AsyncGenerator, Sequence

import trio
from attrs import define

from daemons.telemetry.export import exported, formats
from daemons.telemetry.finding import FoundLap
from daemons.telemetry.livebook import LiveBook
from daemons.telemetry.look import Chunk, DriverState, Lap, LapColumns, Session, TrackShape
from daemons.telemetry.past import Past
from daemons.telemetry.reading import Reading
from daemons.telemetry.replay import Replay
from daemons.telemetry.tracks import Tracks

__all__ = ["BackendLook"]


@define(eq=False)
class BackendLook:
    """A TelemetryLook. `run` must be running for tracks to be learned."""

    book: LiveBook
    past: Past
    tracks: Tracks

    def __attrs_post_init__(self) -> None:
        self.past.ingest.on_laps = self._driven

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled."""
        task_status.started()
        await self.tracks.run()

    def drivers(self) -> Sequence[str]:
        """As the port says."""
        return self.book.drivers()

    def state(self, driver: str) -> DriverState:
        """As the port says."""
        return self.book.state(driver)

    def track(self, track: str) -> TrackShape | None:
        """As the port says."""
        return self.tracks.shape(track)

    def subscribe(
        self, driver: str, names: Sequence[str], hz: float, *, back_s: float = 0.0
    ) -> AsyncGenerator[Chunk, None]:
        """As the port says."""
        return self.book.subscribe(driver, names, hz, back_s=back_s)

    def replay(
        self, session: str, driver: str, names: Sequence[str], hz: float, *, from_us: int, speed: float
    ) -> AsyncGenerator[Chunk, None]:
        """As the port says. Raises ValueError for a speed that cannot be."""
        return Replay(self.past, session, driver, names, hz, from_us, speed).chunks()

    async def sessions(
        self, *, driver: str = "", before_us: int | None = None, limit: int = 50
    ) -> Sequence[Session]:
        """As the port says."""
        return await self.past.sessions(driver=driver, before_us=before_us, limit=limit)

    async def session(self, id_: str) -> Session:
        """As the port says."""
        return await self.past.session(id_)

    async def laps(self, session: str) -> Sequence[Lap]:
        """As the port says."""
        return await self.past.laps(session)

    async def lap(self, id_: str, names: Sequence[str]) -> LapColumns:
        """As the port says."""
        return await self.past.lap(id_, names)

    @property
    def export_formats(self) -> Sequence[str]:
        """As the port says."""
        return formats()

    def export(self, lap_or_session: str, format_: str) -> AsyncGenerator[bytes, None]:
        """As the port says. Raises ValueError for a format that is none of `export_formats`."""
        return exported(self.past, lap_or_session, format_)

    def _driven(self, reading: Reading, laps: Sequence[FoundLap]) -> None:
        driver = reading.recording.driver
        if driver in self.book.drivers():
            self.book.driver(driver).laps(laps)
        self.tracks.driven(reading, laps)
