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
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio
from attrs import define, field
from starlette.routing import BaseRoute

from daemons.link import auditheads, schema
from daemons.link.address import HubAddress
from daemons.link.credentials import open_credential
from daemons.link.dial import Dialer
from daemons.link.durable import DurableChannels
from daemons.link.hazards import Hazards
from daemons.link.limiter import LinkLimiter
from daemons.link.looks import LinkLooks
from daemons.link.outbox import Keep, OutChannel
from daemons.link.peer import PROTOCOL, SOFTWARE, Peer
from daemons.link.trust import site_tls
from daemons.ops.admin.common import backup_actions, common_actions
from daemons.ops.admin.limitactions import LimitOffice
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.environment import Environment
from daemons.ops.faultsinside import ChaosOffice
from daemons.ops.health import Health, health_routes
from daemons.ops.lapses import Lapses
from daemons.ops.lifecycle import run_process
from daemons.ops.limits import LimitTable, SiteLimits
from daemons.ops.metrics import metrics_route
from daemons.ops.offload import inline, threaded
from daemons.ops.storecare import StoreCare
from daemons.ops.watchman import Watchman
from daemons.pair import executor
from daemons.pair.executor import CommandExecutor
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
from daemons.race.siteactions import SiteOffice, answer_rules, note_command
from daemons.race.sitefigures import SiteFigures
from daemons.race.sitehealth import note_files, note_link, note_origin, warn_of_bearer
from daemons.race.telling import EventTeller
from daemons.race.times import read_zone
from daemons.race.treeready import TreeAnswers
from daemons.race.watches import Watches
from daemons.race.watchrows import WATCH_TOPIC
from daemons.store import StorageError, Store, open_store
from daemons.web.admin import AdminOffice
from daemons.web.assets import Assets, read_assets
from daemons.web.figures import DaemonFigures
from daemons.web.front import Front, open_listeners
from daemons.web.guard import Guard
from daemons.web.pages import serve_pages
from protocol.errors import RequestError
from protocol.linkstatus import LinkStatus
from protocol.topics import Publisher

MIGRATIONS = (*schema.MIGRATIONS, *executor.MIGRATIONS, *memorytables.MIGRATIONS, *lightkeeper.MIGRATIONS)
SWEEP_S = 60.0
NOTIFY_PATH = "/notify"
"""Where FPVTrackside's NotificationURL is to point: http://<this machine>:<port>/notify."""

READ_S = 90.0
"""With no read of the origin ended for so long, good or failed, its loop hangs: each has 30 s at most."""

TOPIC_INTERVAL_S = 0.02
TOPIC_SILENCE_S = 30.0


@define(eq=False)
class Pits:
    """The joined parts of a running pits daemon. `open_pits` makes one; `run` is its nursery tree."""

    config: PitsConfig
    environment: Environment
    store: Store
    authority: AuthorityFile
    inline: bool = False
    hazards: Hazards | None = None
    health: Health = field(init=False)
    limits: LimitTable[SiteLimits] = field(init=False)
    fetch_bounds: LimitTable[FetchBounds] = field(init=False)
    lapses: Lapses = field(init=False)
    guard: Guard = field(init=False)
    care: StoreCare = field(init=False)
    origin: LocalOrigin = field(init=False)
    watches: Watches = field(init=False)
    hints: HintEndpoint = field(init=False)
    keeper: BoardKeeper = field(init=False)
    trees: TreeAnswers = field(init=False)
    memory: Memory = field(init=False)
    durable: DurableChannels = field(init=False)
    teller: EventTeller = field(init=False)
    service: SiteService = field(init=False)
    peer: Peer = field(init=False)
    deeds: SiteDeeds = field(init=False)
    commands: CommandExecutor = field(init=False)
    light: LightKeeper = field(init=False)
    watchman: Watchman = field(init=False)
    realtime: Realtime = field(init=False)
    figures: SiteFigures = field(init=False)
    admin: AdminOffice = field(init=False)
    dialer: Dialer | None = field(default=None, init=False)
    front: Front | None = field(default=None, init=False)
    _trail: AuditTrail = field(init=False)
    _heads: auditheads.HeadExchange = field(init=False)
    _read_at: float = field(factory=trio.current_time, init=False)  # when any read of the origin last ended

    def __attrs_post_init__(self) -> None:
        config, utc_now = self.config, self.environment.utc_now
        self.health = Health(utc_now)
        self.limits = LimitTable(config.limits, self.authority)
        self.fetch_bounds = LimitTable(config.fetch.bounds(), self.authority, "fetch.")
        self.lapses = Lapses(utc_now)
        limits = LimitOffice([self.limits, self.fetch_bounds], self.lapses)
        self.guard = Guard(lambda: self.limits.now, rank_of)
        self.care = StoreCare(
            self.store, self.health, config.backup, utc_now, f"pits-{config.site}",
            key=config.storage.database_key, inline=self.inline,
        )  # fmt: skip
        trail = self._trail = AuditTrail(self.authority, utc_now, self.health)
        self._heads = auditheads.HeadExchange("hub", trail)
        self._make_field()
        self._make_link()
        self.fetch_bounds.on_change.append(self._bounds_changed)
        looks = LinkLooks(self.store, self.health, lambda: [self.peer])
        self.watchman = Watchman(
            self.store, self.health, utc_now, self._summary, self._crowded,
            looks=[looks.look], is_working=self._is_working,
            on_step=self.keeper.clock_stepped,
        )  # fmt: skip
        chaos = ChaosOffice(self.hazards)
        common = DaemonFigures(
            "pits", config.state_dir, self.store, self.health, trail, self.guard,
            limits, chaos, (SOFTWARE, PROTOCOL), config.production,
        )  # fmt: skip
        self.realtime = Realtime(lambda: {config.site: self.keeper}, utc_now, self.environment.urandom)
        self.figures = SiteFigures(
            config.site, utc_now, common, self.origin, self.keeper, self.service, self.peer, self.hints,
            self.teller, self.watchman, looks, self.memory, self.light,
            self.realtime,
        )  # fmt: skip
        self.admin = AdminOffice(trail, self.figures.status, self.figures.readings, self.health)
        self.admin.registry.add(
            *SiteOffice(self.service, self.commands, self.durable).actions(),
            *common_actions(trail, self.health.clear, self.lapses),
            *limits.actions(),
            *backup_actions(self.care),
            *chaos.actions(),
        )
        chaos.keep_told(self.health)
        if config.cloud_url:
            self.dialer = self.figures.dialer = self._make_dialer()

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

    def _make_link(self) -> None:
        """Make what answers the hub, whether one is configured or not."""
        config, environment = self.config, self.environment
        self.durable = DurableChannels(
            self.store,
            "hub",
            out=[OutChannel("event", Keep()), OutChannel(executor.RESULTS)],
            inbound={executor.CHANNEL: lambda conn, message: self.commands.effect(conn, message)},
            new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )
        self.teller = EventTeller(
            self.durable, self.keeper, self.origin, self.watches, self.health, environment.utc_now
        )
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
        self.peer = self.service.peer = Peer(
            role="pits",
            site=config.site,
            environment=environment,
            durable=self.durable,
            limits=link_limits(self.fetch_bounds.now),
            handlers={
                **self.service.handlers,
                RULES: partial(answer_rules, self.service.gate),
                auditheads.METHOD: self._heads.answer,
            },
            publishers={WATCH_TOPIC: publisher},
            on_down=[self.service.link_lost],
            limiter=LinkLimiter(
                lambda: self.limits.now.requests_of_hub_per_s,
                lambda: (self.limits.now.hub_bytes_per_s, self.limits.now.hub_bytes_burst),
            ),
        )
        controls = Controls(self.service.pause, self.service.purge, self._reconnect, self.service.switch)
        self.deeds = SiteDeeds(self.store, controls, environment.utc_now)
        self.commands = CommandExecutor(
            self.store,
            self.durable,
            self.deeds,
            self.peer.peer_utc_now,
            environment.utc_now,
            partial(note_command, self._trail),
        )
        self.service.pause_ends_at = lambda: self.deeds.pause_ends_at
        self.light = LightKeeper(
            self.store, environment.utc_now, self.health, self.origin, self.keeper, self.service, self.peer, WATCH_TOPIC,
            has_hub=bool(config.cloud_url), ceiling_bytes=round(config.budget_mb_per_hour * 1e6),
        )  # fmt: skip

    def _make_dialer(self) -> Dialer:
        """Make what keeps a link to the hub. Raises ConfigError for what cannot prove this site."""
        config = self.config
        by_certificate = config.client_cert is not None
        credential = open_credential(
            config.state_dir, config.site, token=config.token.text, by_certificate=by_certificate
        )
        warn_of_bearer(self.health, credential)
        dialer = Dialer(
            self.peer,
            HubAddress.parse(config.cloud_url),
            credential=credential,
            ssl_context=site_tls(config.ca_file, config.client_cert, config.client_key),
            on_status=self._on_link,
        )
        if (hazards := self.hazards) is not None:
            self.peer.tampering = hazards.tampering(config.site)
            dialer.wrap_stream, dialer.look_up = hazards.wrapper(config.site), hazards.look_up
        return dialer

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus["Pits"] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Started: the local pages answer."""
        await self.durable.open()
        listeners = await open_listeners(self.config.listen.host, self.config.listen.port)
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
            nursery.start_soon(self.commands.run)
            nursery.start_soon(self._sweep)
            nursery.start_soon(self.lapses.run)
            nursery.start_soon(self.watchman.run)
            nursery.start_soon(self.care.run)
            self.admin.trail.warn_of_breaks()
            if not self.inline:
                await nursery.start(self.admin.serve_socket, self.config.state_dir)
            nursery.start_soon(self.authority.watch, self._on_authority)
            assets = read_assets()
            serve = partial(
                serve_pages, listeners, self._routes(assets), assets,
                environment=self.environment, config=self.config.http, guard=self.guard,
                ready=self.trees.ready,
            )  # fmt: skip
            self.front = self.figures.common.front = await nursery.start(serve)
            if self.dialer is not None:
                nursery.start_soon(self._heads.run, self.peer)
                nursery.start_soon(self.dialer.run)
            task_status.started(self)

    async def prove(self) -> None:
        """Feed systemd's watchdog as long as work is done."""
        await self.watchman.prove()

    async def stop(self) -> None:
        """End what clients hold open in order; then `run` is to be cancelled."""
        if self.front is not None:
            await self.front.drain()

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

    async def _sweep(self) -> None:
        while True:
            with suppress(StorageError):  # told by the store's care; what is too old goes at another turn
                await self.durable.sweep(self.environment.utc_now())
            await trio.sleep(SWEEP_S)

    # --- what the parts tell -------------------------------------------------------------------------------------

    def _on_read(self, path: str, result: Fetched | RequestError) -> None:
        self._read_at = trio.current_time()
        self.origin.race_is_live = self.keeper.is_live
        note_files(self.health, self.keeper.field_news)

    def _on_authority(self) -> None:
        self.limits.load()
        self.fetch_bounds.load()
        self._heads.poke()

    def _bounds_changed(self) -> None:
        """Fetches that come are held to the bounds as they are now; the hub is told with its next connection."""
        bounds = self.fetch_bounds.now
        self.origin.set_bounds(
            fetch_s=bounds.timeout_s, in_flight=bounds.max_in_flight, body_bytes=bounds.max_body_bytes
        )
        self.peer.limits = link_limits(bounds)

    def _on_link(self, status: LinkStatus) -> None:
        note_link(self.health, status)
        self.light.on_link(status)

    def _reconnect(self) -> None:
        if self.dialer is not None:
            self.dialer.reconnect_now()

    def _crowded(self) -> str:
        waiting = self.origin.statistics().waiting
        most = self.fetch_bounds.now.max_in_flight
        return f"{waiting} fetches wait for FPVTrackside" if waiting >= most else ""

    def _is_working(self) -> bool:
        return trio.current_time() - self._read_at < READ_S

    def _summary(self) -> str:
        link = "no cloud" if self.dialer is None else f"link {self.dialer.status.status}"
        return f"origin {self.origin.state}, {link}"


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
    key = config.storage.database_key
    file = config.state_dir / "pits.db"
    async with open_store(file, migrations=MIGRATIONS, inline=inline, key=key) as store:
        with open_authority(
            config.state_dir, migrations=AUTHORITY_MIGRATIONS, inline=inline, key=key
        ) as authority:
            yield Pits(config, environment or Environment(), store, authority, inline=inline, hazards=hazards)


def main(config: PitsConfig) -> int:
    """Run the daemon as a process; return its exit code."""
    return run_process(partial(open_pits, config), config.log_level)
