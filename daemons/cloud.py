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
from typing import ClassVar

import trio
from attrs import define, field
from starlette.routing import BaseRoute

from daemons.link import schema
from daemons.link.hazards import Hazards
from daemons.ops.environment import Environment
from daemons.ops.health import health_routes
from daemons.ops.limits import LimitTable
from daemons.ops.metrics import metrics_route
from daemons.ops.offload import inline, threaded
from daemons.pair import desk
from daemons.pair.hub import HubDaemon, open_hub
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
from daemons.web.assets import Assets, read_assets
from daemons.web.uplink import UplinkSink

MIGRATIONS = (
    *schema.MIGRATIONS,
    *cache_tables.MIGRATIONS,
    *record.MIGRATIONS,
    *desk.MIGRATIONS,
    *memorytables.MIGRATIONS,
    *activetables.MIGRATIONS,
)


@define(eq=False, kw_only=True)
class Cloud(HubDaemon):
    """The joined parts of a running hub. `open_cloud` makes one; `run` is its nursery tree."""

    kind: ClassVar[str] = "cloud"
    config: CloudConfig
    cache: SqliteCache
    fetch_bounds: LimitTable[FetchBounds] = field(init=False)
    memory: Memory = field(init=False)
    members: Members = field(init=False)
    trees: TreeAnswers = field(init=False)
    realtime: Realtime = field(init=False)
    figures: HubFigures = field(init=False)

    def __attrs_post_init__(self) -> None:
        config, environment, utc_now = self.config, self.environment, self.environment.utc_now
        self.fetch_bounds = LimitTable(config.fetch.bounds(), self.authority, "fetch.")
        self._make_authority(rank_of, [self.fetch_bounds])
        self.memory = Memory(self.store, config.memory, utc_now)
        self.members = Members(
            environment=environment, store=self.store, tokens=self.tokens, admission=self.admission,
            trail=self.trail, limits=self.limits, on_unread=self.changes.tell_again, hazards=self.hazards,
            gate=config.fetch.gate(), cache=self.cache, fetch_bounds=self.fetch_bounds, memory=self.memory,
            health=self.health,
        )  # fmt: skip
        self.fetch_bounds.on_change.append(self.members.bounds_changed)
        self._make_office(self.members, crowded=self.members.crowded, on_step=self.members.clock_stepped)
        self.trees = TreeAnswers(self.members.boards, utc_now, inline if self.inline else threaded)
        self.realtime = Realtime(self.members.boards, utc_now, environment.urandom, self.members.news)
        self.figures = HubFigures(
            self.hub, utc_now, self.common, self.members, self.cache, self.door, self.authoriser, self.watchman,
            self.looks, self.memory, self.realtime,
        )  # fmt: skip
        self._make_admin(
            self.figures.status,
            self.figures.readings,
            [
                *ActiveOffice(self.members).actions(),
                *HubOffice(self.members, self.cache).actions(),
            ],
        )

    async def run(self, *, task_status: trio.TaskStatus["Cloud"] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Started: pages, API and link answer."""
        assets = read_assets()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.memory.run)
            await self._serve(nursery, self._routes(assets), assets, self.trees.ready)
            task_status.started(self)

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
                trail=self.trail,
                utc_now=utc_now,
                fetch_s=lambda: self.fetch_bounds.now.timeout_s + 1.0,
            ),
            *pocketbase_routes(self.realtime),
            *self._people_routes(),
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
    async with open_hub(
        config, Cloud.kind, MIGRATIONS, environment=environment, inline=inline, hazards=hazards
    ) as ground:
        cache = await SqliteCache.load(ground.store, config.cache_bytes)
        yield Cloud(config=config, cache=cache, **ground.parts())
