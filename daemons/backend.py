"""backend: the team's hub for telemetry. Keeps every tick of every driver, finds laps, shows them live and afterwards.

backend
├── drivers                       the sites that may come: streams to the intake, how each relay stands
├── ingest                        decoded and checked in threads, synced before it is acknowledged, laps found
├── mapper                        shapes of tracks, learned from laps
├── trimming                      recordings within their bound
├── datagrams                     live telemetry beside the link, where it is wished
├── every hub's parts             authority, limits, watchman, store care, admin socket
└── web front                     pages, API, /admin, /healthz, /readyz, /metrics
    └── site door                 the link's /control; a connection is a nursery of its own
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import apsw
import structlog
import trio
from attrs import define, field
from starlette.routing import BaseRoute

from daemons.link import schema
from daemons.link.datagrams import DatagramDoor
from daemons.link.hazards import Hazards
from daemons.ops.environment import Environment
from daemons.ops.health import Severity, health_routes
from daemons.ops.metrics import metrics_route
from daemons.pair import desk
from daemons.pair.hub import HubDaemon, open_hub
from daemons.pair.hubactions import DeskOffice
from daemons.store import StorageError
from daemons.telemetry.archive import tables
from daemons.telemetry.archive.disk import RealDisk
from daemons.telemetry.archive.files import FileLog, open_file_log
from daemons.telemetry.backendfigures import BackendFigures
from daemons.telemetry.config import GB, BackendConfig
from daemons.telemetry.drivers import Drivers
from daemons.telemetry.finding import FoundLap
from daemons.telemetry.ingest import Ingest
from daemons.telemetry.ingestpool import WorkPool
from daemons.telemetry.intake import Intake
from daemons.telemetry.livebook import LiveBook
from daemons.telemetry.mapping import Mapper
from daemons.telemetry.office import TeamOffice
from daemons.telemetry.past import Past
from daemons.telemetry.quarantine import Quarantine
from daemons.telemetry.ranks import rank_of
from daemons.telemetry.teamlook import TeamLook
from daemons.telemetry.trackmap.keeping import TrackMaps
from daemons.telemetry.web import posted
from daemons.telemetry.web.posted import PostedSnapshots
from daemons.telemetry.web.routes import telemetry_assets, telemetry_routes
from daemons.web.assets import Assets, read_assets
from daemons.web.login import auth_login_route

__all__ = ["MIGRATIONS", "Backend", "open_backend"]

_log = structlog.stdlib.get_logger("pitlink.backend")

MIGRATIONS = (*schema.MIGRATIONS, *desk.MIGRATIONS, *tables.MIGRATIONS, *posted.MIGRATIONS)
RECORDINGS_FOLDER, QUARANTINE_FOLDER, MAPS_FOLDER = "recordings", "quarantine", "maps"
MIB = 1024 * 1024
TRIM_S = 60.0


@define(eq=False, kw_only=True)
class Backend(HubDaemon):
    """The joined parts of a running backend. `open_backend` makes one; `run` is its nursery tree."""

    kind: ClassVar[str] = "backend"
    config: BackendConfig
    log: FileLog
    ingest: Ingest = field(init=False)
    book: LiveBook = field(init=False)
    datagrams: DatagramDoor = field(init=False)
    past: Past = field(init=False)
    mapper: Mapper = field(init=False)
    look: TeamLook = field(init=False)
    drivers: Drivers = field(init=False)
    figures: BackendFigures = field(init=False)

    def __attrs_post_init__(self) -> None:
        config, environment = self.config, self.environment
        self._make_authority(rank_of)
        pool = WorkPool()
        quarantine = Quarantine(config.state_dir / QUARANTINE_FOLDER)
        self.ingest = Ingest(self.store, self.log, quarantine, pool=pool, on_laps=self._on_laps)
        self.book = LiveBook(
            pool=pool, utc_us=lambda: round(environment.utc_now() * 1e6), back_s=config.archive.ring_s,
            ring_bytes=config.archive.ring_mb * MIB,
        )  # fmt: skip
        self.datagrams = DatagramDoor(environment.urandom)
        self.past = Past(self.store, self.log, self.ingest)
        self.mapper = Mapper(self.past, TrackMaps(config.state_dir / MAPS_FOLDER))
        self.look = TeamLook(self.book, self.past, self.mapper)
        self.drivers = Drivers(
            environment=environment, store=self.store, tokens=self.tokens, admission=self.admission,
            trail=self.trail, limits=self.limits, on_unread=self.changes.tell_again, hazards=self.hazards,
            book=self.book, intake=Intake(self.ingest, self.book), datagrams=self.datagrams,
        )  # fmt: skip
        self._make_office(self.drivers, crowded=lambda: "", on_step=lambda by_s: None)
        self.figures = BackendFigures(
            self.hub, environment.utc_now, self.common, self.drivers, self.book, self.ingest, self.log, self.door,
            self.authoriser, self.watchman, self.looks,
        )  # fmt: skip
        office = TeamOffice(self.look, environment.utc_now)
        self._make_admin(
            self.figures.status, self.figures.readings,
            [*DeskOffice(self.drivers, _count, "driver").actions(), *office.actions()],
        )  # fmt: skip
        self.admin.follows.update(office.follows())

    async def run(self, *, task_status: trio.TaskStatus["Backend"] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Started: pages, API and link answer."""
        assets = telemetry_assets(read_assets())
        async with trio.open_nursery() as nursery:
            await nursery.start(self.ingest.run)
            nursery.start_soon(self.mapper.run)
            nursery.start_soon(self._keep_trimmed)
            await self._serve(nursery, self._routes(assets), assets, None)
            if self.config.udp:
                nursery.start_soon(self._serve_datagrams)
            task_status.started(self)

    def _routes(self, assets: Assets) -> list[BaseRoute]:
        figures = self.figures
        return [
            *telemetry_routes(
                self.look, assets, posted=PostedSnapshots(self.store), authoriser=self.authoriser, trail=self.trail,
                utc_now=self.environment.utc_now,
            ),
            auth_login_route(self.sign_in),
            *self._people_routes(),
            *health_routes(self.health, ready=figures.is_ready, about=figures.about, is_public=True),
            metrics_route(figures.readings),
        ]  # fmt: skip

    async def _serve_datagrams(self) -> None:
        """Take datagrams at the number of the front's port, until cancelled; without them all goes over the link."""
        port = self.front.ports[0] if self.front else self.config.listen.port
        try:
            await self.datagrams.serve(self.config.listen.host, port)
        except OSError as exc:
            self.health.set("datagrams", Severity.DEGRADED, f"UDP port {port} cannot be served: {exc}")

    async def _keep_trimmed(self) -> None:
        """Hold recordings to their bound, until cancelled."""
        while True:
            try:
                gone = await self.log.trim(round(self.config.archive.gb * GB))
            except StorageError as exc:
                self.health.set("archive", Severity.DEGRADED, f"old recordings could not be given up: {exc}")
            else:
                self.health.clear("archive")
                if gone:
                    _log.warning(
                        "archive.trimmed", bytes=gone, words="archive.gb is reached: the oldest ticks went"
                    )
            await trio.sleep(TRIM_S)

    def _on_laps(self, driver: str, laps: Sequence[FoundLap]) -> None:
        if driver in self.book.drivers():
            self.book.driver(driver).laps(laps)
            if any(lap.time_s is not None and not lap.flaws for lap in laps):
                self.mapper.drove(driver, self.book.state(driver).track)


def _count(conn: apsw.Connection, site: str) -> dict[str, int]:
    """Return what commands of a driver have left here beside their results: nothing."""
    return {}


@asynccontextmanager
async def open_backend(
    config: BackendConfig,
    *,
    environment: Environment | None = None,
    inline: bool = False,
    hazards: Hazards | None = None,
) -> AsyncIterator[Backend]:
    """Open the state folder and make the backend; `run` it inside the block. `inline`: the store works in the caller's
    thread; `hazards`: what breaks it on purpose.

    Raises RefusedToStart when it has no keys, or knows no driver: there are no secrets by default; StorageError.
    """
    async with open_hub(
        config, Backend.kind, MIGRATIONS, environment=environment, inline=inline, hazards=hazards
    ) as ground:
        log = await open_file_log(ground.store, RealDisk(config.state_dir / RECORDINGS_FOLDER))
        yield Backend(config=config, log=log, **ground.parts())
