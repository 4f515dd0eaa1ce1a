"""The sites of a hub: joined when they may come, out of sight as soon as they may not, back when they may again.

roster
├── sweep                         bounds of age and keeping
└── one site each                 what the hub has of it; results are audited, the audit's head is told to it
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

import structlog
import trio
from attrs import define, field

from daemons.link import auditheads
from daemons.link.admission import Admission
from daemons.link.durable import DurableChannels, Effect
from daemons.link.hazards import Hazards
from daemons.link.limiter import LinkLimiter
from daemons.link.listen import SiteListener
from daemons.link.outbox import OutChannel
from daemons.link.peer import Peer
from daemons.link.registry import MemoryRegistry
from daemons.ops.authority.sites import list_sites
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.environment import Environment
from daemons.ops.errors import ConfigError
from daemons.ops.limits import HubLimits, LimitTable
from daemons.ops.tokens import Role, TokenTable
from daemons.pair.desk import CommandDesk
from daemons.pair.executor import CHANNEL, RESULTS
from daemons.pair.issuing import note_issued
from daemons.store import StorageError, Store

__all__ = ["Roster", "Seat"]

_log = structlog.stdlib.get_logger("pitlink.pair")

SWEEP_S = 60.0


class Seat(Protocol):
    """What any hub has of one site."""

    @property
    def peer(self) -> Peer: ...

    @property
    def listener(self) -> SiteListener: ...

    @property
    def desk(self) -> CommandDesk: ...

    @property
    def heads(self) -> auditheads.HeadExchange: ...


S = TypeVar("S", bound=Seat)


@define(eq=False, kw_only=True)
class Roster(Mapping[str, S]):
    """The sites that may come, by name. `run` must be running; what shows sites shows these and no others.

    `on_unread` is called when it could not be read who may come; `recheck` is to be called again then. An heir says by
    `_join` what the hub has of a site, and by `_changed` what follows when others may come.
    """

    environment: Environment
    store: Store
    tokens: TokenTable
    admission: Admission
    trail: AuditTrail
    limits: LimitTable[HubLimits]
    on_unread: Callable[[], None]
    hazards: Hazards | None = None
    commands_keep_s: float = field(default=400 * 86_400.0, init=False)
    draining: bool = field(default=False, init=False)
    _joined: dict[str, S] = field(factory=dict, init=False)  # those too that were put out since
    _may_come: frozenset[str] = field(default=frozenset(), init=False)
    _registry: MemoryRegistry = field(factory=MemoryRegistry, init=False)
    _nursery: trio.Nursery | None = field(default=None, init=False)
    _joining: trio.Lock = field(factory=trio.Lock, init=False)

    def __getitem__(self, name: str) -> S:
        if name not in self._may_come:
            raise KeyError(name)
        return self._joined[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._joined if name in self._may_come])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    # --- what an heir says ---------------------------------------------------------------------------------------

    async def _join(self, name: str, nursery: trio.Nursery) -> S:
        """Make what the hub has of a site, its tasks in `nursery`. Raises StorageError."""
        raise NotImplementedError

    def _changed(self) -> None:
        """Act on it that another set of sites is shown now. Must not block."""

    # --- their life ----------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep every site's half of the hub running. Started: those that may come are joined. Never returns."""
        async with trio.open_nursery() as self._nursery:
            self._look()
            await self._join_all()
            self._nursery.start_soon(self._sweep)
            task_status.started()

    async def joined(self, name: str) -> S:
        """Return the site of this name, joined when it comes for the first time. Raises StorageError."""
        async with self._joining:
            if name not in self._joined:
                assert self._nursery is not None
                seat = self._joined[name] = await self._join(name, self._nursery)
                if self.draining:
                    await seat.listener.drain()
                self._changed()
        if name not in self:  # let in a moment ago, and nobody has told yet
            self._look()
        return self._joined[name]

    def recheck(self) -> None:
        """Act on what has changed: sites that are out lose their link and are shown no more, new ones are joined.

        Raises StorageError and ConfigError when that cannot be read now.
        """
        for seat in self._joined.values():
            seat.listener.recheck()
        self._look()
        if self._nursery is not None:
            self._nursery.start_soon(self._join_new)

    async def set_draining(self, is_draining: bool) -> None:
        """Send the sites away, and let them in again when that is taken back. Other clients are served."""
        self.draining = is_draining
        for seat in list(self._joined.values()):
            if is_draining:
                await seat.listener.drain()
            else:
                seat.listener.undrain()

    async def say_goodbye(self) -> None:
        """Tell all sites at once when to come back; for a hub that ends."""
        async with trio.open_nursery() as nursery:
            for seat in self._joined.values():
                nursery.start_soon(seat.listener.drain)

    def tell_heads(self) -> None:
        """Have every site told the head of the audit, if it is another now."""
        for seat in self._joined.values():
            seat.heads.poke()

    # --- how they stand ------------------------------------------------------------------------------------------

    def peers(self) -> list[Peer]:
        """Return the far ends of their links, connected or not."""
        return [seat.peer for seat in self.values()]

    def connected(self) -> list[str]:
        """Return the names of those that are connected."""
        return [peer.site for peer in self.peers() if peer.connection is not None]

    def summary(self) -> str:
        """Say in a few words how they stand."""
        return f"{len(self.connected())} of {len(self)} sites connected"

    # --- who may come --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read who may come: the sites that were let in, those with an old token too. Raises as `recheck`."""
        rows = self.admission.file.read(list_sites)
        names = {row.name for row in rows}
        names |= {token.site for token in self.tokens.load() if token.role is Role.SITE}
        may_come = frozenset(names - {row.name for row in rows if row.is_revoked})
        if may_come != self._may_come:
            self._may_come = may_come
            self._changed()

    async def _join_new(self) -> None:
        try:
            await self._join_all()
        except (StorageError, ConfigError) as exc:
            _log.warning("authority.unreadable", words=str(exc))
            self.on_unread()

    async def _join_all(self) -> None:
        for name in sorted(self._may_come - self._joined.keys()):
            await self.joined(name)

    async def _sweep(self) -> None:
        while True:
            for seat in list(self._joined.values()):
                with suppress(StorageError):  # told by the store's care; what is too old goes at another turn
                    await seat.peer.durable.sweep(self.environment.utc_now())
                    await seat.desk.sweep(self.commands_keep_s)
            await trio.sleep(SWEEP_S)

    # --- what a site's seat is made of ---------------------------------------------------------------------------

    async def _commanded(
        self, name: str, inbound: Mapping[str, Effect]
    ) -> tuple[DurableChannels, CommandDesk]:
        """Open the channels of a site, and the desk for its commands; `inbound`: its other channels."""
        desk: CommandDesk
        durable = DurableChannels(
            self.store,
            name,
            out=[OutChannel(CHANNEL)],
            inbound={**inbound, RESULTS: lambda conn, message: desk.effect(conn, message)},
            new_epoch=self.environment.new_epoch,
            utc_now=self.environment.utc_now,
        )
        limits = self.limits
        desk = CommandDesk(
            self.store, durable, name, self.environment, rates=lambda: limits.now.commands_per_s
        )
        desk.note = partial(note_issued, self.trail, name)
        await durable.open()
        return durable, desk

    def _limiter(self) -> LinkLimiter:
        limits = self.limits
        return LinkLimiter(flow=lambda: (limits.now.site_bytes_per_s, limits.now.site_bytes_burst))

    def _listen(self, peer: Peer, site_role: str) -> SiteListener:
        """Return what accepts the site's connections; faults go in there where the hub is one to be broken."""
        listener = SiteListener(
            peer,
            self._registry,
            site_role=site_role,
            minimum=partial(self.admission.minimum, peer.site),
            next_nonce=partial(self.admission.nonces.next_for, peer.site),
        )
        if self.hazards is not None:
            peer.tampering = self.hazards.tampering(peer.site)
            listener.wrap_stream = self.hazards.wrapper(peer.site)
        return listener
