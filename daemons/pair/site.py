"""The parts that every site has, joined: its link and what comes over it, limits, care of its files, admin, web front.

A site's own file makes an heir of `SiteDaemon`, which calls in `__attrs_post_init__`, in this order: `_make_authority`,
`_make_link`, `_make_commands`, `_make_office`, `_make_admin`; and serves its routes by `_serve`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, ClassVar

import trio
from attrs import define, field
from starlette.routing import BaseRoute

from daemons.link import auditheads
from daemons.link.address import HubAddress
from daemons.link.credentials import open_credential
from daemons.link.dial import Dialer
from daemons.link.durable import DurableChannels, Effect
from daemons.link.limiter import LinkLimiter
from daemons.link.outbox import OutChannel
from daemons.link.peer import Peer
from daemons.link.requests import Handler
from daemons.link.trust import site_tls
from daemons.ops.admin.actions import Action
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.siteproof import NonceBook
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.limits import LimitTable, SiteLimits
from daemons.ops.metrics import Readings
from daemons.pair.config import SiteConfig
from daemons.pair.daemon import PairDaemon
from daemons.pair.executor import CHANNEL, RESULTS, AtOnce, CommandExecutor, Deeds
from daemons.pair.issuing import note_taken
from daemons.pair.reachdoor import ReachDoor
from daemons.pair.sitehealth import note_link, warn_of_bearer
from daemons.store import Migration, StorageError, Store, open_store
from daemons.web.assets import Assets
from daemons.web.connection import Ready
from daemons.web.front import open_listeners
from daemons.web.guard import Rank
from daemons.web.head import Head
from protocol.frames import Limits
from protocol.linkstatus import LinkStatus
from protocol.publisher import Publisher

__all__ = ["SiteDaemon", "open_site"]

SWEEP_S = 60.0


@define(eq=False, kw_only=True)
class SiteDaemon(PairDaemon):
    """The joined parts of any running site. `hub_kind`: what its hub is called, as on the command line. `dialer`: what
    keeps the link; None without a hub to dial."""

    kind: ClassVar[str] = "site"
    hub_kind: ClassVar[str] = "hub"
    config: SiteConfig
    limits: LimitTable[SiteLimits] = field(init=False)
    durable: DurableChannels = field(init=False)
    peer: Peer = field(init=False)
    commands: CommandExecutor = field(init=False)
    dialer: Dialer | None = field(default=None, init=False)
    reach: ReachDoor | None = field(default=None, init=False)
    _heads: auditheads.HeadExchange = field(init=False)

    # --- made, in this order --------------------------------------------------------------------------------------

    def _make_authority(
        self, rank_of: Callable[[Head], Rank], more_limits: Iterable[LimitTable[Any]] = ()
    ) -> None:
        """Make what needs neither link nor field: limits, audit, care of the store."""
        config = self.config
        limits = LimitTable(config.limits, self.authority)
        self._make_ground(f"{self.kind}-{config.site}", limits, rank_of, more_limits)
        self._heads = auditheads.HeadExchange("hub", self.trail)

    def _make_link(
        self,
        out: Sequence[OutChannel],
        limits: Limits,
        *,
        inbound: Mapping[str, Effect] | None = None,
        handlers: Mapping[str, Handler] | None = None,
        publishers: Mapping[str, Publisher] | None = None,
        on_down: Sequence[Callable[[], None]] = (),
    ) -> None:
        """Make what answers the hub, whether one is configured or not. `out`: the channels beside that of results."""
        environment = self.environment
        self.durable = DurableChannels(
            self.store,
            "hub",
            out=[*out, OutChannel(RESULTS)],
            inbound={CHANNEL: lambda conn, message: self.commands.effect(conn, message), **(inbound or {})},
            new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )
        self.peer = Peer(
            role=self.kind,
            site=self.config.site,
            environment=environment,
            durable=self.durable,
            limits=limits,
            handlers={**(handlers or {}), auditheads.METHOD: self._heads.answer},
            publishers=publishers or {},
            on_down=list(on_down),
            limiter=LinkLimiter(
                lambda: self.limits.now.requests_of_hub_per_s,
                lambda: (self.limits.now.hub_bytes_per_s, self.limits.now.hub_bytes_burst),
            ),
        )

    def _make_commands(self, deeds: Deeds, at_once: AtOnce | None = None) -> None:
        """Make what carries out the hub's commands; `at_once`: what can be done where they are taken."""
        self.commands = CommandExecutor(
            self.store,
            self.durable,
            deeds,
            self.peer.peer_utc_now,
            self.environment.utc_now,
            partial(note_taken, self.trail),
            at_once,
        )
        self.peer.on_up.append(self.commands.link_is_up)

    def _make_office(
        self,
        *,
        summary: Callable[[], str],
        crowded: Callable[[], str],
        is_working: Callable[[], bool],
        on_step: Callable[[float], None],
    ) -> None:
        """Make what looks after the site; all four as `Watchman` has them."""
        self._make_watch(
            lambda: [self.peer], summary=summary, crowded=crowded, is_working=is_working, on_step=on_step
        )

    def _make_admin(
        self, status: Callable[[], dict[str, object]], readings: Readings, actions: Sequence[Action]
    ) -> None:
        """Make what operators reach, and the dialer where there is a hub; `actions`: the site's own.

        Raises ConfigError for what cannot prove this site.
        """
        super()._make_admin(status, readings, actions)
        if self.config.hub_url:
            self.dialer = self._make_dialer()

    def _make_reach(self, secret: str) -> None:
        """Let a hub that knows this secret dial here. Behind `_make_admin`. Raises ConfigError."""
        dialer = self.dialer = self.dialer or self._make_dialer()
        nonces = NonceBook(self.environment.urandom)
        self.reach = ReachDoor(self.config.site, secret, dialer, nonces, self.trail)

    def _make_dialer(self) -> Dialer:
        config = self.config
        credential = open_credential(
            config.state_dir,
            config.site,
            token=config.token.text,
            by_certificate=config.client_cert is not None,
        )
        warn_of_bearer(self.health, credential)
        dialer = Dialer(
            self.peer,
            HubAddress.parse(config.hub_url) if config.hub_url else HubAddress("hub", 0, is_tls=True),
            credential=credential,
            ssl_context=site_tls(config.ca_file, config.client_cert, config.client_key),
            hub_role=self.hub_kind,
            on_status=self._on_link,
        )
        if (hazards := self.hazards) is not None:
            self.peer.tampering = hazards.tampering(config.site)
            dialer.wrap_stream, dialer.look_up = hazards.wrapper(config.site), hazards.look_up
        return dialer

    # --- its life -------------------------------------------------------------------------------------------------

    async def _serve(
        self,
        nursery: trio.Nursery,
        listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
        routes: Sequence[BaseRoute],
        assets: Assets,
        ready: Ready | None,
    ) -> None:
        """Start in `nursery` what every site does; when this returns the local pages answer. `listeners` are closed in
        the end."""
        await self._begin(nursery)
        await self._open_pages(nursery, listeners, routes, assets, ready)
        self._dial(nursery)

    async def _begin(self, nursery: trio.Nursery) -> None:
        """Start what neither pages nor link are needed for."""
        nursery.start_soon(self.commands.run)
        nursery.start_soon(self._sweep)
        await self._look_after(nursery)
        nursery.start_soon(self.authority.watch, self._on_authority)

    async def _open_pages(
        self,
        nursery: trio.Nursery,
        listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
        routes: Sequence[BaseRoute],
        assets: Assets,
        ready: Ready | None,
    ) -> None:
        """Start the web front; when this returns it answers."""
        on_control = None if self.reach is None else self.reach.answer
        await self._open_front(nursery, listeners, routes, assets, ready, on_control=on_control)

    def _dial(self, nursery: trio.Nursery) -> None:
        """Start the link, where there is a hub."""
        if self.dialer is not None:
            nursery.start_soon(self._heads.run, self.peer)
            if self.config.hub_url:
                nursery.start_soon(self.dialer.run)

    async def _listen(self) -> list[trio.SocketListener]:
        """Open the configured port, before anything else is begun. Raises RefusedToStart."""
        return await open_listeners(self.config.listen.host, self.config.listen.port)

    async def stop(self) -> None:
        """End what clients hold open in order; then `run` is to be cancelled."""
        if self.front is not None:
            await self.front.drain()

    async def _sweep(self) -> None:
        while True:
            with suppress(StorageError):  # told by the store's care; what is too old goes at another turn
                await self.durable.sweep(self.environment.utc_now())
                await self.commands.sweep(self.config.commands_days * 86_400.0)
            await trio.sleep(SWEEP_S)

    # --- what the parts tell --------------------------------------------------------------------------------------

    def _on_authority(self) -> None:
        for table in self._limit_tables:
            table.load()
        self._heads.poke()

    def _on_link(self, status: LinkStatus) -> None:
        note_link(self.health, status)

    def _reconnect(self) -> None:
        if self.dialer is not None:
            self.dialer.reconnect_now()

    def _link_words(self) -> str:
        return "no hub" if self.dialer is None else f"link {self.dialer.status.status}"


@asynccontextmanager
async def open_site(
    config: SiteConfig, kind: str, migrations: Sequence[Migration], *, inline: bool
) -> AsyncIterator[tuple[Store, AuthorityFile]]:
    """Open the state folder of a site; its database is `<kind>.db` there.

    Raises StorageError when the folder is held by another daemon, not writable, or its file is corrupt.
    """
    key = config.storage.database_key
    file = config.state_dir / f"{kind}.db"
    async with open_store(file, migrations=migrations, inline=inline, key=key) as store:
        with open_authority(
            config.state_dir, migrations=AUTHORITY_MIGRATIONS, inline=inline, key=key
        ) as authority:
            yield store, authority
