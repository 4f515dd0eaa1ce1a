"""pits: beside FPVTrackside at the field. Works alone; with a cloud configured it keeps a link to it.

pits
├── origin                        the one request in flight to FPVTrackside
├── watches                       what is read again, how often; feeds the local board and the hub
├── memory, light                 every version of the race files; whether the outside world is up to date
├── teller, commands, sweep       reliable traffic and its housekeeping
├── watchman, store care          what nobody tells of; a failing disk is told, backups are made
├── admin socket                  status, log, actions; the audit's head is told to the hub
├── web front                     local pages, push hints, /healthz, /readyz, /metrics
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
from daemons.link.hazards import Hazards
from daemons.link.outbox import Keep, OutChannel
from daemons.ops.environment import Environment
from daemons.ops.health import health_routes
from daemons.ops.limits import LimitTable
from daemons.ops.metrics import metrics_route
from daemons.ops.offload import inline, threaded
from daemons.pair import executor
from daemons.pair.site import SiteDaemon, open_site
from daemons.race import lightkeeper, memorytables
from daemons.race.config import FetchBounds, PitsConfig, link_limits
from daemons.race.deeds import Controls, SiteDeeds
from daemons.race.fetched import Fetched
from daemons.race.follow import Follower
from daemons.race.hints import HintEndpoint
from daemons.race.hubactions import RULES
from daemons.race.keeper import BoardKeeper
from daemons.race.lightkeeper import LightKeeper, light_route
from daemons.race.memory import Memory, SiteMemory, observe
from daemons.race.memoryroutes import memory_routes
from daemons.race.origin import LocalOrigin, OriginLimits
from daemons.race.pages import race_routes
from daemons.race.pocketbase.realtime import Realtime
from daemons.race.pocketbase.routes import pocketbase_routes
from daemons.race.publicapi.routes import api_v1_routes
from daemons.race.ranks import rank_of
from daemons.race.site import SiteService
from daemons.race.siteactions import SiteOffice, answer_rules
from daemons.race.sitefigures import SiteFigures
from daemons.race.sitehealth import note_files, note_origin
from daemons.race.telling import EventTeller
from daemons.race.times import read_zone
from daemons.race.treeready import TreeAnswers
from daemons.race.watches import Watches
from daemons.race.watchrows import WATCH_TOPIC
from daemons.web.assets import Assets, read_assets
from protocol.errors import RequestError
from protocol.linkstatus import LinkStatus
from protocol.topics import Publisher

MIGRATIONS = (*schema.MIGRATIONS, *executor.MIGRATIONS, *memorytables.MIGRATIONS, *lightkeeper.MIGRATIONS)
NOTIFY_PATH = "/notify"
"""Where FPVTrackside's NotificationURL is to point: http://<this machine>:<port>/notify."""

READ_S = 90.0
"""With no read of the origin ended for so long, good or failed, its loop hangs: each has 30 s at most."""

TOPIC_INTERVAL_S = 0.02
TOPIC_SILENCE_S = 30.0


@define(eq=False, kw_only=True)
class Pits(SiteDaemon):
    """The joined parts of a running pits daemon. `open_pits` makes one; `run` is its nursery tree."""

    kind: ClassVar[str] = "pits"
    hub_kind: ClassVar[str] = "cloud"
    config: PitsConfig
    fetch_bounds: LimitTable[FetchBounds] = field(init=False)
    origin: LocalOrigin = field(init=False)
    watches: Watches = field(init=False)
    hints: HintEndpoint = field(init=False)
    keeper: BoardKeeper = field(init=False)
    trees: TreeAnswers = field(init=False)
    memory: Memory = field(init=False)
    teller: EventTeller = field(init=False)
    service: SiteService = field(init=False)
    deeds: SiteDeeds = field(init=False)
    light: LightKeeper = field(init=False)
    realtime: Realtime = field(init=False)
    figures: SiteFigures = field(init=False)
    _read_at: float = field(factory=trio.current_time, init=False)  # when any read of the origin last ended

    def __attrs_post_init__(self) -> None:
        config, utc_now = self.config, self.environment.utc_now
        self.fetch_bounds = LimitTable(config.fetch.bounds(), self.authority, "fetch.")
        self._make_authority(rank_of, [self.fetch_bounds])
        self._make_field()
        self._make_service()
        self.fetch_bounds.on_change.append(self._bounds_changed)
        self._make_office(
            summary=self._summary, crowded=self._crowded, is_working=self._is_working,
            on_step=self.keeper.clock_stepped,
        )  # fmt: skip
        self.realtime = Realtime(lambda: {config.site: self.keeper}, utc_now, self.environment.urandom)
        self.figures = SiteFigures(
            config.site, utc_now, self.common, self.origin, self.keeper, self.service, self.peer, self.hints,
            self.teller, self.watchman, self.looks, self.memory, self.light, self.realtime,
        )  # fmt: skip
        office = SiteOffice(self.service, self.commands, self.durable)
        self._make_admin(self.figures.status, self.figures.readings, office.actions())
        self.figures.dialer = self.dialer

    def _make_field(self) -> None:
        """Make what reads FPVTrackside and keeps the local board."""
        config, utc_now, fetch = self.config, self.environment.utc_now, self.fetch_bounds.now
        limits = OriginLimits(
            fetch_s=fetch.timeout_s, in_flight=fetch.max_in_flight, body_bytes=fetch.max_body_bytes
        )
        self.origin = LocalOrigin(
            config.origin_url, utc_now=utc_now, limits=limits, on_state=partial(note_origin, self.health)
        )
        self.watches = Watches(self.origin.own)
        self.hints = HintEndpoint(lambda hint: self.watches.nudge())
        self.keeper = BoardKeeper(site_zone=read_zone(config.time_zone or None))
        offload = inline if self.inline else threaded
        self.trees = TreeAnswers(lambda: {config.site: self.keeper}, utc_now, offload)
        self.memory = Memory(self.store, config.memory, utc_now)

    def _make_service(self) -> None:
        """Make what answers the hub, tells it of the race, and does what it commands."""
        config, environment = self.config, self.environment
        publisher = Publisher(
            WATCH_TOPIC, environment.new_epoch(), TOPIC_INTERVAL_S, max_silence_s=TOPIC_SILENCE_S
        )
        self.service = SiteService(
            self.origin,
            config.fetch.gate(),
            self.watches,
            publisher,
            environment.utc_now,
            share_private=config.share_private,
            ttl_s=config.ttl_of(),
            offload=inline if self.inline else threaded,
        )
        self._make_link(
            [OutChannel("event", Keep())],
            link_limits(self.fetch_bounds.now),
            handlers={**self.service.handlers, RULES: partial(answer_rules, self.service.gate)},
            publishers={WATCH_TOPIC: publisher},
            on_down=[self.service.link_lost],
        )
        self.service.peer = self.peer
        self.teller = EventTeller(
            self.durable, self.keeper, self.origin, self.watches, self.health, environment.utc_now
        )
        controls = Controls(self.service.pause, self.service.purge, self._reconnect, self.service.switch)
        self.deeds = SiteDeeds(self.store, controls, environment.utc_now)
        self._make_commands(self.deeds)
        self.service.pause_ends_at = lambda: self.deeds.pause_ends_at
        self.light = LightKeeper(
            self.store, environment.utc_now, self.health, self.origin, self.keeper, self.service, self.peer, WATCH_TOPIC,
            has_hub=bool(config.cloud_url), ceiling_bytes=round(config.budget_mb_per_hour * 1e6),
        )  # fmt: skip

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus["Pits"] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Started: the local pages answer."""
        await self.durable.open()
        listeners = await self._listen()
        async with trio.open_nursery() as nursery:
            await nursery.start(self.origin.run)
            Follower(self.keeper, self.watches).start()
            self.watches.observe(self._on_read)
            self.watches.observe(
                observe(self.memory.of(self.config.site), self.keeper, self.service.outgoing)
            )
            self.watches.observe(self.light.on_read)
            nursery.start_soon(self.light.run)
            nursery.start_soon(self.memory.run)
            nursery.start_soon(self.watches.run)
            if self.dialer is not None:
                nursery.start_soon(self.teller.run)
            await nursery.start(self.deeds.run)
            assets = read_assets()
            await self._serve(nursery, listeners, self._routes(assets), assets, self.trees.ready)
            task_status.started(self)

    def figures_at_start(self) -> dict[str, object]:
        """Return what the log is to say when it serves."""
        ports = self.front.ports if self.front else []
        return {"ports": ports, "origin": self.config.origin_url, "cloud": self.config.cloud_url or None}

    def _routes(self, assets: Assets) -> list[BaseRoute]:
        utc_now, figures = self.environment.utc_now, self.figures
        return [
            *race_routes(self.trees.boards, assets, utc_now=utc_now, trees=self.trees),
            light_route(self.light),
            *memory_routes(self._memory_of, share_private=self.config.share_private),
            *pocketbase_routes(self.realtime),
            self.hints.route(NOTIFY_PATH),
            *health_routes(self.health, ready=figures.is_ready, about=figures.about, is_public=False),
            metrics_route(figures.readings),
            *api_v1_routes(
                lambda: {self.config.site: self.keeper}, utc_now=utc_now, is_site=True
            ),  # answers what nothing else does
        ]

    def _memory_of(self, site: str) -> SiteMemory | None:
        return self.memory.of(site) if site == self.config.site else None

    # --- what the parts tell -------------------------------------------------------------------------------------

    def _on_read(self, path: str, result: Fetched | RequestError) -> None:
        self._read_at = trio.current_time()
        self.origin.race_is_live = self.keeper.is_live
        note_files(self.health, self.keeper.field_news)

    def _bounds_changed(self) -> None:
        """Fetches that come are held to the bounds as they are now; the hub is told with its next connection."""
        bounds = self.fetch_bounds.now
        self.origin.set_bounds(
            fetch_s=bounds.timeout_s, in_flight=bounds.max_in_flight, body_bytes=bounds.max_body_bytes
        )
        self.peer.limits = link_limits(bounds)

    def _on_link(self, status: LinkStatus) -> None:
        super()._on_link(status)
        self.light.on_link(status)

    def _crowded(self) -> str:
        waiting = self.origin.statistics().waiting
        most = self.fetch_bounds.now.max_in_flight
        return f"{waiting} fetches wait for FPVTrackside" if waiting >= most else ""

    def _is_working(self) -> bool:
        return trio.current_time() - self._read_at < READ_S

    def _summary(self) -> str:
        return f"origin {self.origin.state}, {self._link_words()}"


@asynccontextmanager
async def open_pits(
    config: PitsConfig,
    *,
    environment: Environment | None = None,
    inline: bool = False,
    hazards: Hazards | None = None,
) -> AsyncIterator[Pits]:
    """Open the state folder and make the daemon; `run` it inside the block. `inline`: for the simulation; `hazards`:
    what breaks it on purpose.

    Raises StorageError when the folder is held by another daemon, not writable, or its file is corrupt.
    """
    async with open_site(config, Pits.kind, MIGRATIONS, inline=inline) as (store, authority):
        yield Pits(
            config=config,
            environment=environment or Environment(),
            store=store,
            authority=authority,
            inline=inline,
            hazards=hazards,
        )
