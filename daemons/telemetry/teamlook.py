"""What pages, command line and terminal see of a backend's drivers: the live book, what was kept, the maps. See `look`."""

from collections.abc import AsyncIterator, Sequence

from attrs import frozen

from daemons.telemetry.export import exported, formats
from daemons.telemetry.livebook import LiveBook
from daemons.telemetry.look import Chunks, DriverState, Lap, LapColumns, Session, TrackShape
from daemons.telemetry.mapping import Mapper
from daemons.telemetry.past import Past
from daemons.telemetry.replay import Replay

__all__ = ["TeamLook"]


@frozen
class TeamLook:
    """A `daemons.telemetry.look.TelemetryLook`."""

    book: LiveBook
    past: Past
    mapper: Mapper

    def drivers(self) -> Sequence[str]:
        return self.book.drivers()

    def state(self, driver: str) -> DriverState:
        return self.book.state(driver)

    def track(self, track: str) -> TrackShape | None:
        return self.mapper.shape(track)

    def subscribe(self, driver: str, names: Sequence[str], hz: float, *, back_s: float = 0.0) -> Chunks:
        return self.book.subscribe(driver, names, hz, back_s=back_s)

    def replay(
        self, session: str, driver: str, names: Sequence[str], hz: float, *, from_us: int, speed: float
    ) -> Chunks:
        return Replay(self.past, session, driver, names, hz, from_us, speed).chunks()

    async def sessions(
        self, *, driver: str = "", before_us: int | None = None, limit: int = 50
    ) -> Sequence[Session]:
        return await self.past.sessions(driver=driver, before_us=before_us, limit=limit)

    async def session(self, id_: str) -> Session:
        return await self.past.session(id_)

    async def laps(self, session: str) -> Sequence[Lap]:
        return await self.past.laps(session)

    async def lap(self, id_: str, names: Sequence[str]) -> LapColumns:
        return await self.past.lap(id_, names)

    @property
    def export_formats(self) -> Sequence[str]:
        return formats()

    def export(self, lap_or_session: str, format_: str) -> AsyncIterator[bytes]:
        return exported(self.past, lap_or_session, format_)
