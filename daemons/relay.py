"""relay: on the driver's PC beside the simulator. Keeps every tick, sends what is looked at; works alone, too.

relay
├── source                        the simulator, its stand-in, or files; hands each row to
│   ├── spool                     every tick to the disk, until the backend has it
│   ├── live                      what is wished, as it happens, thinned under pressure
│   ├── local                     the newest, for programs of this PC
│   └── learner                   courses of tracks, of files
├── every site's parts            commands, sweep, watchman, store care, admin socket
├── web front                     localhost: the WebSocket, its REST API, /healthz, /readyz, /metrics
└── link.dial                     reconnect policy; a connection is a nursery of its own
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import ClassVar

import trio
from attrs import define, field
from starlette.routing import BaseRoute

from daemons.link import schema
from daemons.link.address import HubAddress
from daemons.link.datagrams import DatagramLine
from daemons.link.hazards import Hazards
from daemons.link.streams import StreamsOut
from daemons.ops.environment import Environment
from daemons.ops.health import Severity, health_routes
from daemons.ops.metrics import metrics_route
from daemons.pair import executor
from daemons.pair.site import SiteDaemon, open_site
from daemons.pair.siteactions import channel_actions
from daemons.telemetry.archive.disk import RealDisk
from daemons.telemetry.capture.live import monotonic_us
from daemons.telemetry.capture.port import Sink, Source
from daemons.telemetry.config import GB, RelayConfig
from daemons.telemetry.fanout import Fanout
from daemons.telemetry.local.board import LocalBoard
from daemons.telemetry.local.door import LocalDoor
from daemons.telemetry.local.routes import local_routes
from daemons.telemetry.local.token import identify_local, open_token
from daemons.telemetry.ranks import rank_of
from daemons.telemetry.relaydeeds import RelayDeeds
from daemons.telemetry.relayfigures import RelayFigures
from daemons.telemetry.sending import Bounds, LiveSender, Pressure
from daemons.telemetry.sending.pressure import Degree
from daemons.telemetry.sending.watch import Watch
from daemons.telemetry.sources import source_of
from daemons.telemetry.spool import Offering, Spool, open_spool
from daemons.telemetry.standing import TOPIC, Standing, StandingTold
from daemons.telemetry.trackmap.keeping import TrackMaps
from daemons.telemetry.trackmap.learning import MapLearner
from daemons.web.assets import Assets
from protocol.frames import Limits

__all__ = ["MIGRATIONS", "Relay", "open_relay"]

MIGRATIONS = (*schema.MIGRATIONS, *executor.MIGRATIONS)
SPOOL_FOLDER, MAPS_FOLDER = "spool", "maps"
LOCAL_UPGRADES = {"/": "websocket"}


@define(eq=False, kw_only=True)
class Relay(SiteDaemon):
    """The joined parts of a running relay. `open_relay` makes one; `run` is its nursery tree. `token`: of programs of this
    PC."""

    kind: ClassVar[str] = "relay"
    hub_kind: ClassVar[str] = "backend"
    config: RelayConfig
    spool: Spool
    token: str = field(repr=False)
    source: Source = field(init=False)
    offering: Offering = field(init=False)
    live: LiveSender = field(init=False)
    watch: Watch = field(init=False)
    standing: StandingTold = field(init=False)
    board: LocalBoard = field(init=False)
    learner: MapLearner = field(init=False)
    door: LocalDoor = field(init=False)
    figures: RelayFigures = field(init=False)

    def __attrs_post_init__(self) -> None:
        config, utc_now = self.config, self.environment.utc_now
        self._make_authority(rank_of)
        self.standing = StandingTold(self._stands, self.environment)
        self._make_link([], Limits(), publishers={TOPIC: self.standing.publisher})
        streams = self.peer.streams_out = StreamsOut(datagrams=_line(config))
        self.offering = Offering(self.spool, streams)
        self.spool.on_words = self._on_disk
        self.source = source_of(config, self.spool)
        pressure = Pressure(Bounds(config.live.core_share, config.live.memory_mb))
        self.live = LiveSender(
            streams, pressure, monotonic_us, lambda: round(utc_now() * 1e6), batch_s=config.live.batch_s
        )
        self.watch = Watch(self.live, lambda: self.source.statistics().missed, self._on_degree)
        maps = TrackMaps(config.state_dir / MAPS_FOLDER)
        self.board, self.learner = LocalBoard(config.site, maps, utc_now), MapLearner(maps)
        self.door = LocalDoor(
            self.board.current, self._identify, utc_now, self.peer.instance.hex()[:12],
            hz=config.local.hz, origins=config.local.origins,
        )  # fmt: skip
        self._make_commands(RelayDeeds(self._reconnect))
        self._make_office(
            summary=self._summary, crowded=lambda: "", is_working=lambda: True, on_step=lambda by_s: None
        )
        self.figures = RelayFigures(
            config.site, utc_now, self.common, self.source, self.spool, self.offering, self.live, self.door,
            self.durable, self.peer, self.looks,
        )  # fmt: skip
        self._make_admin(self.figures.status, self.figures.readings, channel_actions(self.durable))
        self.figures.dialer = self.dialer

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus["Relay"] = trio.TASK_STATUS_IGNORED) -> None:
        """Capture until cancelled. Started: the local WebSocket answers."""
        await self.durable.open()
        listeners = await self._listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.board.run)
            nursery.start_soon(self.learner.run)
            nursery.start_soon(self.live.run)
            nursery.start_soon(self.watch.run)
            nursery.start_soon(self.standing.run)
            # Files that are read as fast as they go are not live: nobody could look so fast.
            live: list[Sink] = [] if self._is_import else [self.live, self.board]
            nursery.start_soon(self.source.run, Fanout([self.spool, *live, self.learner]))
            await self._begin(nursery)
            await self._open_front(
                nursery, listeners, self._routes(), Assets({}, {}), None,
                on_control=self.door.answer, upgrades=LOCAL_UPGRADES,
            )  # fmt: skip
            self._dial(nursery)
            task_status.started(self)

    def figures_at_start(self) -> dict[str, object]:
        """Return what the log is to say when it serves."""
        ports = self.front.ports if self.front else []
        return {"ports": ports, "backend": self.config.backend_url or None}

    def _routes(self) -> list[BaseRoute]:
        figures = self.figures
        return [
            *local_routes(self.board.current, self._local_config, self._identify, self.config.local.origins),
            *health_routes(self.health, ready=figures.is_ready, about=figures.about, is_public=False),
            metrics_route(figures.readings),
        ]

    @property
    def _is_import(self) -> bool:
        path = self.config.from_file
        return path is not None and (not self.config.speed or path.is_dir())

    @property
    def _identify(self):  # type: ignore[no-untyped-def]
        return partial(identify_local, self.token, site=self.config.site)

    def _local_config(self) -> dict[str, object]:
        """Return what a program of this PC may know of the configuration, in the seed's words."""
        port = self.front.ports[0] if self.front else self.config.listen.port
        return {
            "relayAgent": {"url": f"ws://localhost:{port}", "port": port},
            "cloud": {"endpoint": self.config.backend_url, "enabled": bool(self.config.backend_url)},
            "voice": {"enabled": False, "sensitivity": 0, "voiceId": ""},
        }

    # --- what the parts tell -------------------------------------------------------------------------------------

    def _on_disk(self, words: str) -> None:
        if words:
            self.health.set("spool", Severity.FAILING, words)
        else:
            self.health.clear("spool")

    def _on_degree(self, degree: Degree, words: str) -> None:
        if degree:
            self.health.set("live", Severity.NOTICE, f"live telemetry is thinned: {words}")
        else:
            self.health.clear("live")

    def _stands(self) -> Standing:
        pressure = self.live.pressure
        return Standing(
            capture=self.source.statistics().state, degree=pressure.degree, degree_words=pressure.words,
            waiting=round(self.offering.behind_entries * self.config.spool.batch_s),
        )  # fmt: skip

    def _summary(self) -> str:
        return f"{self.source.statistics().state}, {self._link_words()}"


def _line(config: RelayConfig) -> DatagramLine | None:
    """Return the way beside the link, where one is wished."""
    if not config.live.udp or not config.backend_url:
        return None
    return DatagramLine(HubAddress.parse(config.backend_url).host)


@asynccontextmanager
async def open_relay(
    config: RelayConfig,
    *,
    environment: Environment | None = None,
    inline: bool = False,
    hazards: Hazards | None = None,
) -> AsyncIterator[Relay]:
    """Open state folder and spool and make the daemon; `run` it inside the block. `inline`: the store works in the caller's
    thread; `hazards`: what breaks it on purpose.

    Raises StorageError when the folder is held by another daemon, not writable, or its file is corrupt; OSError when the
    spool cannot be read.
    """
    async with open_site(config, Relay.kind, MIGRATIONS, inline=inline) as (store, authority):
        quota = round(config.spool.gb * GB)
        disk = RealDisk(config.state_dir / SPOOL_FOLDER)
        async with open_spool(disk, quota_bytes=quota, batch_s=config.spool.batch_s) as spool:
            yield Relay(
                config=config,
                environment=environment or Environment(),
                store=store,
                authority=authority,
                inline=inline,
                hazards=hazards,
                spool=spool,
                token=open_token(config.state_dir),
            )
