"""What sites and hubs have alike, joined: limits, audit, care of their files, what looks after them, admin, web front.

`SiteDaemon` and `HubDaemon` are its heirs, and every daemon's own file makes an heir of one of those.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

import trio
from attrs import define, field
from starlette.routing import BaseRoute

from daemons.link.hazards import Hazards
from daemons.link.looks import LinkLooks
from daemons.link.peer import PROTOCOL, SOFTWARE, Peer
from daemons.ops.admin.actions import Action
from daemons.ops.admin.common import backup_actions, common_actions
from daemons.ops.admin.limitactions import LimitOffice
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.environment import Environment
from daemons.ops.faultsinside import ChaosOffice
from daemons.ops.health import Health
from daemons.ops.lapses import Lapses
from daemons.ops.limits import LimitTable
from daemons.ops.metrics import Readings
from daemons.ops.storecare import StoreCare
from daemons.ops.watchman import Watchman
from daemons.pair.config import DaemonConfig
from daemons.store import Store
from daemons.web.admin import AdminOffice
from daemons.web.assets import Assets
from daemons.web.connection import Ready
from daemons.web.figures import DaemonFigures
from daemons.web.front import Front
from daemons.web.guard import Guard, Rank
from daemons.web.head import Head
from daemons.web.pages import serve_pages

__all__ = ["PairDaemon"]


@define(eq=False, kw_only=True)
class PairDaemon:
    """The joined parts of any running daemon. `kind`: what it is called, as on the command line."""

    kind: ClassVar[str]
    config: DaemonConfig
    environment: Environment
    store: Store
    authority: AuthorityFile
    inline: bool = False
    hazards: Hazards | None = None
    health: Health = field(init=False)
    limits: LimitTable[Any] = field(init=False)
    lapses: Lapses = field(init=False)
    guard: Guard = field(init=False)
    care: StoreCare = field(init=False)
    trail: AuditTrail = field(init=False)
    looks: LinkLooks = field(init=False)
    watchman: Watchman = field(init=False)
    common: DaemonFigures = field(init=False)
    admin: AdminOffice = field(init=False)
    front: Front | None = field(default=None, init=False)
    _limit_tables: list[LimitTable[Any]] = field(init=False)
    _limit_office: LimitOffice = field(init=False)
    _chaos: ChaosOffice = field(init=False)

    # --- made, in this order --------------------------------------------------------------------------------------

    def _make_ground(
        self,
        name: str,
        limits: LimitTable[Any],
        rank_of: Callable[[Head], Rank],
        more_limits: Iterable[LimitTable[Any]],
    ) -> None:
        """Make limits, audit and care of the store. `name`: of its backups; `limits`: what the daemon bounds, the web front's
        bounds among them."""
        utc_now = self.environment.utc_now
        self.health = Health(utc_now)
        self.limits = limits
        self.lapses = Lapses(utc_now)
        self._limit_tables = [limits, *more_limits]
        self._limit_office = LimitOffice(self._limit_tables, self.lapses)
        self.guard = Guard(lambda: self.limits.now, rank_of)
        self.care = StoreCare(
            self.store, self.health, self.config.backup, utc_now, name,
            key=self.config.storage.database_key, inline=self.inline,
        )  # fmt: skip
        self.trail = AuditTrail(self.authority, utc_now, self.health)

    def _make_watch(
        self,
        peers: Callable[[], Iterable[Peer]],
        *,
        summary: Callable[[], str],
        crowded: Callable[[], str],
        is_working: Callable[[], bool],
        on_step: Callable[[float], None],
    ) -> None:
        """Make what looks after the daemon and its links to `peers`; the others as `Watchman` has them."""
        self.looks = LinkLooks(self.store, self.health, peers)
        self.watchman = Watchman(
            self.store, self.health, self.environment.utc_now, summary, crowded,
            looks=[self.looks.look], is_working=is_working, on_step=on_step,
        )  # fmt: skip
        self._chaos = ChaosOffice(self.hazards)
        self.common = DaemonFigures(
            self.kind, self.config.state_dir, self.store, self.health, self.trail, self.guard,
            self._limit_office, self._chaos, (SOFTWARE, PROTOCOL), self.config.production,
        )  # fmt: skip

    def _make_admin(
        self, status: Callable[[], dict[str, object]], readings: Readings, actions: Sequence[Action]
    ) -> None:
        """Make what operators reach; `actions`: the daemon's own, beside what every daemon has."""
        self.admin = AdminOffice(self.trail, status, readings, self.health)
        self.admin.registry.add(
            *actions,
            *common_actions(self.trail, self.health.clear, self.lapses),
            *self._limit_office.actions(),
            *backup_actions(self.care),
            *self._chaos.actions(),
        )
        self._chaos.keep_told(self.health)

    # --- its life -------------------------------------------------------------------------------------------------

    async def _look_after(self, nursery: trio.Nursery) -> None:
        """Start what looks after the daemon; when this returns operators of this machine reach it."""
        nursery.start_soon(self.lapses.run)
        nursery.start_soon(self.watchman.run)
        nursery.start_soon(self.care.run)
        self.trail.warn_of_breaks()
        if not self.inline:
            await nursery.start(self.admin.serve_socket, self.config.state_dir)

    async def _open_front(
        self,
        nursery: trio.Nursery,
        listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
        routes: Sequence[BaseRoute],
        assets: Assets,
        ready: Ready | None,
        **more: Any,
    ) -> None:
        """Start the web front; when this returns it answers. `more`: of `serve_pages`."""
        serve = partial(
            serve_pages, listeners, routes, assets,
            environment=self.environment, config=self.config.http, guard=self.guard, ready=ready, **more,
        )  # fmt: skip
        self.front = self.common.front = await nursery.start(serve)

    async def prove(self) -> None:
        """Feed systemd's watchdog as long as work is done."""
        await self.watchman.prove()
