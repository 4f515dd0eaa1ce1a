"""nas: the hub of houses that heat themselves, far away. Shows each truthfully, keeps its history, and has commands wait for it.

nas
├── houses                        the sites that may come: what was heard, history, commands of each
├── every hub's parts             authority, limits, watchman, store care, admin socket
└── web front                     pages, API, /admin, /health, /healthz, /readyz, /metrics
    └── site door                 the link's /control; a connection is a nursery of its own
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import trio
from attrs import define, field
from starlette.routing import BaseRoute

from daemons.heating.config import NasConfig
from daemons.heating.history import tables
from daemons.heating.history.trimming import keep_trimmed
from daemons.heating.office import HouseOffice
from daemons.heating.ranks import rank_of
from daemons.heating.replica import check, kept
from daemons.heating.replica.actions import NasOffice
from daemons.heating.replica.figures import NasFigures
from daemons.heating.replica.houses import Houses
from daemons.heating.web.health import health_route, nas_health
from daemons.heating.web.hot import HotAnswers
from daemons.heating.web.routes import heating_assets, heating_routes
from daemons.link import schema
from daemons.link.address import HubAddress
from daemons.link.hazards import Hazards
from daemons.link.peer import Peer
from daemons.link.trust import site_tls
from daemons.ops.environment import Environment
from daemons.ops.health import health_routes
from daemons.ops.metrics import metrics_route
from daemons.pair import desk
from daemons.pair.hub import HubDaemon, open_hub
from daemons.pair.reacher import Reacher
from daemons.web.assets import Assets, read_assets

__all__ = ["MIGRATIONS", "Nas", "open_nas"]

MIGRATIONS = (*schema.MIGRATIONS, *desk.MIGRATIONS, *tables.MIGRATIONS, *kept.MIGRATIONS, *check.MIGRATIONS)
MIB = 1024 * 1024


@define(eq=False, kw_only=True)
class Nas(HubDaemon):
    """The joined parts of a running nas. `open_nas` makes one; `run` is its nursery tree."""

    kind: ClassVar[str] = "nas"
    config: NasConfig
    houses: Houses = field(init=False)
    hot: HotAnswers = field(init=False)
    figures: NasFigures = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._make_authority(rank_of)
        self.hot = HotAnswers(self.config.cache_mb * MIB)
        self.houses = Houses(
            environment=self.environment, store=self.store, tokens=self.tokens, admission=self.admission,
            trail=self.trail, limits=self.limits, on_unread=self.changes.tell_again, hazards=self.hazards,
            check_s=self.config.check_h * 3600.0, check_since_s=_check_since_s(self.config),
            switch_s=self.config.command_s, reacher=self._reacher,
        )  # fmt: skip
        self._make_office(self.houses, crowded=lambda: "", on_step=lambda by_s: None)
        self.figures = NasFigures(
            self.hub, self.environment.utc_now, self.common, self.houses, lambda: self.hot.hit_rate, self.door,
            self.authoriser, self.watchman, self.looks,
        )  # fmt: skip
        self._make_admin(
            self.figures.status,
            self.figures.readings,
            [
                *NasOffice(self.houses).actions(),
                *HouseOffice(self.houses.looks, by_site=True).actions(),
            ],
        )

    async def run(self, *, task_status: trio.TaskStatus["Nas"] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Started: pages, API and link answer."""
        assets = heating_assets(read_assets())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_trimmed, self.store, self.config.history.keep(), self.environment.utc_now)
            await self._serve(nursery, self._routes(assets), assets, None)
            task_status.started(self)

    def _reacher(self, peer: Peer) -> Reacher | None:
        """Return what dials a house, for one that the config says is dialled. Raises ConfigError."""
        config = self.config
        if (url := config.dials.get(peer.site)) is None:
            return None
        tls = site_tls(config.dials_ca_file, None, None)
        return Reacher(peer, HubAddress.parse(url), config.reach_secret.text, lambda: self.front, tls)

    def _routes(self, assets: Assets) -> list[BaseRoute]:
        figures = self.figures
        return [
            *heating_routes(
                self.houses.looks, assets, authoriser=self.authoriser, trail=self.trail, hot=self.hot,
                utc_now=self.environment.utc_now,
            ),
            *self._people_routes(),
            health_route(self.health, nas_health(self.houses.connectedness, lambda: self.hot.hit_rate)),
            *health_routes(self.health, ready=figures.is_ready, about=figures.about, is_public=True),
            metrics_route(figures.readings),
        ]  # fmt: skip


def _check_since_s(config: NasConfig) -> float:
    """Return how far back a check goes: what is soon to be thrown away here is not fetched again."""
    kept = [days for days in (config.history.samples_days, config.history.events_days) if days]
    return max(1.0, min(kept) - 2.0) * 86_400.0 if kept else 0.0


@asynccontextmanager
async def open_nas(
    config: NasConfig,
    *,
    environment: Environment | None = None,
    inline: bool = False,
    hazards: Hazards | None = None,
) -> AsyncIterator[Nas]:
    """Open the state folder and make the nas; `run` it inside the block. `inline`: for the simulation; `hazards`: what
    breaks it on purpose.

    Raises RefusedToStart when it has no keys, or knows no house: there are no secrets by default; StorageError.
    """
    async with open_hub(
        config, Nas.kind, MIGRATIONS, environment=environment, inline=inline, hazards=hazards
    ) as ground:
        yield Nas(config=config, **ground.parts())
