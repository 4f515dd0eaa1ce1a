"""The parts that every hub has, joined: who may come and who may do what, limits, care of its files, admin, web front.

A hub's own file makes an heir of `HubDaemon`: it makes its roster in `__attrs_post_init__`, between `_make_authority` and
`_make_office`, and serves its routes by `_serve`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import trio
from attrs import define, field, frozen
from starlette.routing import BaseRoute

from daemons.link.admission import Admission
from daemons.link.hazards import Hazards
from daemons.ops.authority.authoriser import Authoriser, has_keys, warn_of_bearers
from daemons.ops.authority.changes import AuthorityChanges
from daemons.ops.authority.enrolment import enrolment_routes
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.keys import make_hub_id
from daemons.ops.authority.signin import SignIn
from daemons.ops.authority.siteproof import NonceBook
from daemons.ops.authority.sites import list_sites
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.users import Passwords
from daemons.ops.environment import Environment
from daemons.ops.errors import RefusedToStart
from daemons.ops.limits import HubLimits, LimitTable
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.pair.config import HubConfig
from daemons.pair.daemon import PairDaemon
from daemons.pair.roster import Roster
from daemons.pair.sitedoor import SiteDoor
from daemons.store import Migration, Store, open_store
from daemons.web.assets import Assets
from daemons.web.connection import Ready
from daemons.web.front import open_listeners, tls_context
from daemons.web.guard import Rank
from daemons.web.head import Head
from daemons.web.login import login_routes

__all__ = ["HubDaemon", "HubGround", "open_hub"]


@frozen
class HubGround:
    """What a hub stands on: its files, opened. `hub`: its name for ever."""

    environment: Environment
    store: Store
    tokens: TokenTable
    authority: AuthorityFile
    hub: str
    inline: bool
    hazards: Hazards | None

    def parts(self) -> dict[str, Any]:
        """Return them as a hub takes them."""
        return attrs.asdict(self, recurse=False)


@define(eq=False, kw_only=True)
class HubDaemon(PairDaemon):
    """The joined parts of any running hub."""

    kind: ClassVar[str] = "hub"
    config: HubConfig
    tokens: TokenTable
    hub: str
    limits: LimitTable[HubLimits] = field(init=False)
    authoriser: Authoriser = field(init=False)
    sign_in: SignIn = field(init=False)
    admission: Admission = field(init=False)
    changes: AuthorityChanges = field(init=False)
    door: SiteDoor = field(init=False)
    _roster: Roster[Any] = field(init=False)

    # --- made, in this order --------------------------------------------------------------------------------------

    def _make_authority(
        self, rank_of: Callable[[Head], Rank], more_limits: Iterable[LimitTable[Any]] = ()
    ) -> None:
        """Make what needs no site: limits, audit, people, keys."""
        environment, authority = self.environment, self.authority
        self._make_ground(self.kind, LimitTable(self.config.limits, authority), rank_of, more_limits)
        self.authoriser = Authoriser(authority, self.tokens, environment.utc_now)
        self.sign_in = SignIn(authority, environment, Passwords(authority.inline))
        self.admission = Admission(
            authority, self.hub, NonceBook(environment.urandom), self.authoriser.identify
        )
        self.changes = AuthorityChanges(authority, self.tokens)
        self.changes.told += [table.load for table in self._limit_tables]

    def _make_office(
        self,
        roster: Roster[Any],
        *,
        crowded: Callable[[], str],
        on_step: Callable[[float], None],
    ) -> None:
        """Make what lets sites in and what looks after the hub; `crowded` and `on_step` as `Watchman` has them."""
        self._roster = roster
        roster.commands_keep_s = self.config.commands_days * 86_400.0
        self.changes.told += [
            roster.tell_heads,
            self.authoriser.changed,
            partial(warn_of_bearers, self.tokens, self.health),
            roster.recheck,
        ]
        self.door = SiteDoor(self.config, self.admission, roster, self.limits)
        self._make_watch(
            roster.peers, summary=roster.summary, crowded=crowded, is_working=lambda: True, on_step=on_step
        )

    # --- its life -------------------------------------------------------------------------------------------------

    async def _serve(
        self, nursery: trio.Nursery, routes: Sequence[BaseRoute], assets: Assets, ready: Ready | None
    ) -> None:
        """Start everything in `nursery`; when this returns pages, API and link answer.

        Raises RefusedToStart for a port that is not to be had.
        """
        config, tls = self.config, None
        if config.tls_cert and config.tls_key:
            tls = tls_context(config.tls_cert, config.tls_key, config.tls_client_ca)
        listeners = await open_listeners(config.listen.host, config.listen.port)
        await nursery.start(self._roster.run)
        nursery.start_soon(self.changes.run)
        warn_of_bearers(self.tokens, self.health)
        await self._look_after(nursery)
        await self._open_front(
            nursery, listeners, routes, assets, ready, on_control=self.door.answer, tls=tls
        )

    def _people_routes(self) -> list[BaseRoute]:
        """Return the routes by which people sign in, operators act, and sites enrol."""
        return [
            *login_routes(self.sign_in, self.authoriser),
            *self.admin.routes(self.authoriser),
            *enrolment_routes(self.authority, self.hub, self.environment.utc_now),
        ]

    async def stop(self) -> None:
        """Tell the sites when to come back and end what clients hold open; then `run` is to be cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._roster.say_goodbye)
            if self.front is not None:
                nursery.start_soon(self.front.drain)

    def figures_at_start(self) -> dict[str, object]:
        """Return what the log is to say when it serves."""
        return {"ports": self.front.ports if self.front else [], "sites": sorted(self._roster)}


@asynccontextmanager
async def open_hub(
    config: HubConfig,
    kind: str,
    migrations: Sequence[Migration],
    *,
    environment: Environment | None,
    inline: bool,
    hazards: Hazards | None,
) -> AsyncIterator[HubGround]:
    """Open the state folder of a hub; its database is `<kind>.db` there.

    Raises RefusedToStart when the hub has no keys, or knows no site: there are no secrets by default; StorageError.
    """
    environment = environment or Environment()
    tokens = TokenTable(config.state_dir / TOKENS_FILE)
    key = config.storage.database_key
    with open_authority(
        config.state_dir, migrations=AUTHORITY_MIGRATIONS, inline=inline, key=key
    ) as authority:
        _check_somebody(tokens, authority, config.state_dir)
        hub = authority.write_now(lambda conn: make_hub_id(conn, environment.urandom))
        file = config.state_dir / f"{kind}.db"
        async with open_store(file, migrations=migrations, inline=inline, key=key) as store:
            yield HubGround(environment, store, tokens, authority, hub, inline, hazards)


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
