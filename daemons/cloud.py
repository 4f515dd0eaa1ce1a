"""cloud: the hub of many pits. Shows spectators the board of each, and callers its origin.

cloud
├── members                       the sites that may come: fetches, watches, board, commands of each
├── memory                        every version of their race files
├── authority changes             who may do what is another now: links, streams and limits follow
├── watchman, store care          what nobody tells of; a failing disk is told, backups are made
├── admin socket                  status, log, actions
└── web front                     pages, API, /admin, /healthz, /readyz, /metrics
    └── site door                 the link's /control; a connection is a nursery of its own
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from attrs import define, field
from starlette.routing import BaseRoute

from daemons.link import schema
from daemons.link.admission import Admission
from daemons.link.hazards import Hazards
from daemons.link.looks import LinkLooks
from daemons.link.peer import PROTOCOL, SOFTWARE
from daemons.ops.admin.common import backup_actions, common_actions
from daemons.ops.admin.limitactions import LimitOffice
from daemons.ops.authority.authoriser import Authoriser, has_keys, warn_of_bearers
from daemons.ops.authority.changes import AuthorityChanges
from daemons.ops.authority.enrolment import enrolment_routes
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.keys import make_hub_id
from daemons.ops.authority.signin import SignIn
from daemons.ops.authority.siteproof import NonceBook
from daemons.ops.authority.sites import list_sites
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.authority.users import Passwords
from daemons.ops.environment import Environment
from daemons.ops.errors import RefusedToStart
from daemons.ops.faultsinside import ChaosOffice
from daemons.ops.health import Health, health_routes
from daemons.ops.lapses import Lapses
from daemons.ops.lifecycle import run_process
from daemons.ops.limits import HubLimits, LimitTable
from daemons.ops.metrics import metrics_route
from daemons.ops.offload import inline, threaded
from daemons.ops.storecare import StoreCare
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.ops.watchman import Watchman
from daemons.pair import desk
from daemons.pair.sitedoor import SiteDoor
from daemons.race import activetables, memorytables, record
from daemons.race import cache as cache_tables
from daemons.race.activeactions import ActiveOffice
from daemons.race.api import api_routes
from daemons.race.cache import SqliteCache
from daemons.race.config import CloudConfig, FetchBounds
from daemons.race.hubactions import HubOffice
from daemons.race.hubfigures import HubFigures
from daemons.race.members import Members
from daemons.race.memory import Memory, SiteMemory
from daemons.race.memoryroutes import memory_routes
from daemons.race.pages import race_routes
from daemons.race.pocketbase.realtime import Realtime
from daemons.race.pocketbase.routes import pocketbase_routes
from daemons.race.publicapi.routes import api_v1_routes
from daemons.race.ranks import rank_of
from daemons.race.treeready import TreeAnswers
from daemons.store import Store, open_store
from daemons.web.admin import AdminOffice
from daemons.web.assets import Assets, read_assets
from daemons.web.figures import DaemonFigures
from daemons.web.front import Front, open_listeners, tls_context
from daemons.web.guard import Guard
from daemons.web.login import login_routes
from daemons.web.pages import serve_pages
from daemons.web.uplink import UplinkSink

MIGRATIONS = (
    *schema.MIGRATIONS,
    *cache_tables.MIGRATIONS,
    *record.MIGRATIONS,
    *desk.MIGRATIONS,
    *memorytables.MIGRATIONS,
    *activetables.MIGRATIONS,
)


@define(eq=False)
class Cloud:
    """The joined parts of a running hub. `open_cloud` makes one; `run` is its nursery tree."""

    config: CloudConfig
    environment: Environment
    store: Store
    cache: SqliteCache
    tokens: TokenTable
    authority: AuthorityFile
    hub: str
    inline: bool = False
    hazards: Hazards | None = None
    health: Health = field(init=False)
    limits: LimitTable[HubLimits] = field(init=False)
    fetch_bounds: LimitTable[FetchBounds] = field(init=False)
    lapses: Lapses = field(init=False)
    guard: Guard = field(init=False)
    care: StoreCare = field(init=False)
    authoriser: Authoriser = field(init=False)
    sign_in: SignIn = field(init=False)
    admission: Admission = field(init=False)
    changes: AuthorityChanges = field(init=False)
    memory: Memory = field(init=False)
    members: Members = field(init=False)
    door: SiteDoor = field(init=False)
    trees: TreeAnswers = field(init=False)
    watchman: Watchman = field(init=False)
    realtime: Realtime = field(init=False)
    figures: HubFigures = field(init=False)
    admin: AdminOffice = field(init=False)
    front: Front | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        config, environment, authority = self.config, self.environment, self.authority
        utc_now = environment.utc_now
        self.health = Health(utc_now)
        self.limits = LimitTable(config.limits, authority)
        self.fetch_bounds = LimitTable(config.fetch.bounds(), authority, "fetch.")
        self.lapses = Lapses(utc_now)
        limits = LimitOffice([self.limits, self.fetch_bounds], self.lapses)
        self.guard = Guard(lambda: self.limits.now, rank_of)
        self.care = StoreCare(
            self.store, self.health, config.backup, utc_now, "cloud",
            key=config.storage.database_key, inline=self.inline,
        )  # fmt: skip
        trail = AuditTrail(authority, utc_now, self.health)
        self.authoriser = Authoriser(authority, self.tokens, utc_now)
        self.sign_in = SignIn(authority, environment, Passwords(authority.inline))
        self.admission = Admission(
            authority, self.hub, NonceBook(environment.urandom), self.authoriser.identify
        )
        self.changes = AuthorityChanges(authority, self.tokens)
        self.memory = Memory(self.store, config.memory, utc_now)
        self.members = Members(
            environment=environment, store=self.store, tokens=self.tokens, admission=self.admission, trail=trail,
            limits=self.limits, on_unread=self.changes.tell_again, hazards=self.hazards, gate=config.fetch.gate(),
            cache=self.cache, fetch_bounds=self.fetch_bounds, memory=self.memory, health=self.health,
        )  # fmt: skip
        self.fetch_bounds.on_change.append(self.members.bounds_changed)
        self.changes.told += [
            self.limits.load,
            self.fetch_bounds.load,
            self.members.tell_heads,
            self.authoriser.changed,
            partial(warn_of_bearers, self.tokens, self.health),
            self.members.recheck,
        ]
        offload = inline if self.inline else threaded
        self.trees = TreeAnswers(self.members.boards, utc_now, offload)
        self.door = SiteDoor(config, self.admission, self.members, self.limits)
        looks = LinkLooks(self.store, self.health, self.members.peers)
        self.watchman = Watchman(
            self.store, self.health, utc_now, self.members.summary, self.members.crowded,
            looks=[looks.look], on_step=self.members.clock_stepped,
        )  # fmt: skip
        chaos = ChaosOffice(self.hazards)
        common = DaemonFigures(
            "cloud", config.state_dir, self.store, self.health, trail, self.guard,
            limits, chaos, (SOFTWARE, PROTOCOL), config.production,
        )  # fmt: skip
        self.realtime = Realtime(self.members.boards, utc_now, environment.urandom, self.members.news)
        self.figures = HubFigures(
            self.hub, utc_now, common, self.members, self.cache, self.door, self.authoriser, self.watchman, looks,
            self.memory, self.realtime,
        )  # fmt: skip
        self.admin = AdminOffice(trail, self.figures.status, self.figures.readings, self.health)
        self.admin.registry.add(
            *ActiveOffice(self.members).actions(),
            *HubOffice(self.members, self.cache, self.members.set_draining).actions(),
            *common_actions(trail, self.health.clear, self.lapses),
            *limits.actions(),
            *backup_actions(self.care),
            *chaos.actions(),
        )
        chaos.keep_told(self.health)

    async def run(self, *, task_status: trio.TaskStatus["Cloud"] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Started: pages, API and link answer."""
        config = self.config
        tls = None
        if config.tls_cert and config.tls_key:
            tls = tls_context(config.tls_cert, config.tls_key, config.tls_client_ca)
        listeners = await open_listeners(config.listen.host, config.listen.port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.memory.run)
            await nursery.start(self.members.run)
            nursery.start_soon(self.changes.run)
            nursery.start_soon(self.lapses.run)
            warn_of_bearers(self.tokens, self.health)
            nursery.start_soon(self.watchman.run)
            nursery.start_soon(self.care.run)
            self.admin.trail.warn_of_breaks()
            if not self.inline:
                await nursery.start(self.admin.serve_socket, config.state_dir)
            assets = read_assets()
            serve = partial(
                serve_pages, listeners, self._routes(assets), assets,
                environment=self.environment, config=config.http, guard=self.guard,
                on_control=self.door.answer, tls=tls, ready=self.trees.ready,
            )  # fmt: skip
            self.front = self.figures.common.front = await nursery.start(serve)
            task_status.started(self)

    async def prove(self) -> None:
        """Feed systemd's watchdog as long as work is done."""
        await self.watchman.prove()

    async def stop(self) -> None:
        """Tell the sites when to come back and end what clients hold open; then `run` is to be cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.members.say_goodbye)
            if self.front is not None:
                nursery.start_soon(self.front.drain)

    def figures_at_start(self) -> dict[str, object]:
        """Return what the log is to say when it serves."""
        return {"ports": self.front.ports if self.front else [], "sites": sorted(self.members)}

    def _memory_of(self, name: str) -> SiteMemory | None:
        site = self.members.active.site_of(name)
        return self.memory.of(site) if site is not None and site in self.members else None

    def _routes(self, assets: Assets) -> list[BaseRoute]:
        utc_now, figures = self.environment.utc_now, self.figures
        return [
            *race_routes(
                self.members.boards, assets, utc_now=utc_now, news=self.members.news, trees=self.trees
            ),
            *memory_routes(self._memory_of),
            *api_routes(
                self.members,
                authoriser=self.authoriser,
                trail=self.admin.trail,
                utc_now=utc_now,
                fetch_s=lambda: self.fetch_bounds.now.timeout_s + 1.0,
            ),
            *pocketbase_routes(self.realtime),
            *login_routes(self.sign_in, self.authoriser),
            *self.admin.routes(self.authoriser),
            *enrolment_routes(self.authority, self.hub, utc_now),
            *health_routes(self.health, ready=figures.is_ready, about=figures.about, is_public=True),
            UplinkSink().route(),
            metrics_route(figures.readings),
            *api_v1_routes(self.members.boards, utc_now=utc_now),  # answers what nothing else does
        ]


@asynccontextmanager
async def open_cloud(
    config: CloudConfig,
    *,
    environment: Environment | None = None,
    inline: bool = False,
    hazards: Hazards | None = None,
) -> AsyncIterator[Cloud]:
    """Open the state folder and make the hub; `run` it inside the block. `inline`: for the simulation; `hazards`: what
    breaks it on purpose.

    Raises RefusedToStart when the hub has no keys, or knows no site: there are no secrets by default.
    """
    environment = environment or Environment()
    tokens = TokenTable(config.state_dir / TOKENS_FILE)
    key = config.storage.database_key
    with open_authority(
        config.state_dir, migrations=AUTHORITY_MIGRATIONS, inline=inline, key=key
    ) as authority:
        _check_somebody(tokens, authority, config.state_dir)
        hub = authority.write_now(lambda conn: make_hub_id(conn, environment.urandom))
        file = config.state_dir / "cloud.db"
        async with open_store(file, migrations=MIGRATIONS, inline=inline, key=key) as store:
            cache = await SqliteCache.load(store, config.cache_bytes)
            yield Cloud(config, environment, store, cache, tokens, authority, hub, inline, hazards)


def _check_somebody(tokens: TokenTable, authority: AuthorityFile, folder: Path) -> None:
    """Raise RefusedToStart, naming the command, for a hub that nobody could get into. Old bearer tokens count."""
    bearers = tokens.load()
    if not bearers and not has_keys(authority):
        raise RefusedToStart(
            f"this hub has no keys to sign tokens with yet. Make them: pitlink keys init --state-dir {folder}"
        )
    if not any(token.role is Role.SITE for token in bearers) and not authority.read(list_sites):
        raise RefusedToStart(
            f"this hub knows no site yet. Let one in: pitlink site add NAME --state-dir {folder}"
        )


def main(config: CloudConfig) -> int:
    """Run the daemon as a process; return its exit code."""
    return run_process(partial(open_cloud, config), config.log_level)
