"""The sites of a hub: joined when they may come, out of sight as soon as they may not, back when they may again.

members
├── active pits                   which of several with one event show it
├── sweep                         bounds of age and keeping
└── one site each                 fetches, watches, board; results are audited, the audit's head is told to it
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

import apsw
import structlog
import trio
from attrs import define, field, frozen

from daemons.link import auditheads
from daemons.link.admission import Admission
from daemons.link.durable import DurableChannels
from daemons.link.hazards import Hazards
from daemons.link.limiter import LinkLimiter
from daemons.link.listen import SiteListener
from daemons.link.outbox import OutChannel
from daemons.link.peer import Peer
from daemons.link.registry import MemoryRegistry
from daemons.link.router import PeerRouter
from daemons.ops.authority.sites import list_sites
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.environment import Environment
from daemons.ops.errors import ConfigError
from daemons.ops.health import Health
from daemons.ops.limits import HubLimits, LimitTable
from daemons.ops.storecare import patiently
from daemons.ops.tokens import Role, TokenTable
from daemons.pair.desk import CommandDesk
from daemons.pair.issuing import note_result
from daemons.race.active import ActivePits, Holding, Standing
from daemons.race.activetables import read_holdings, write_holdings
from daemons.race.cache import SqliteCache
from daemons.race.config import CloudConfig, FetchBounds, link_limits
from daemons.race.hub import HubSite
from daemons.race.keeper import BoardKeeper
from daemons.race.memory import Memory, observe
from daemons.race.paths import HOME
from daemons.race.record import EventRecord
from daemons.race.remote import RemoteOrigin
from daemons.race.shownboards import ShownBoards
from daemons.race.stream import SiteNews
from daemons.race.watchrows import WATCH_TOPIC
from daemons.store import StorageError, Store
from protocol.topics import Subscriber

__all__ = ["Member", "Members"]

_log = structlog.stdlib.get_logger("pitlink.race")

SWEEP_S = 60.0
ACTIVE_S = 1.0


@frozen
class Member:
    """Everything the hub has of one site."""

    site: HubSite
    listener: SiteListener
    desk: CommandDesk
    record: EventRecord
    heads: auditheads.HeadExchange


@define(eq=False)
class Members(Mapping[str, Member]):
    """The sites that may come, by name. `run` must be running; what shows sites shows these and no others.

    `on_unread` is called when it could not be read who may come; `recheck` is to be called again then.
    """

    config: CloudConfig
    environment: Environment
    store: Store
    cache: SqliteCache
    tokens: TokenTable
    admission: Admission
    trail: AuditTrail
    limits: LimitTable[HubLimits]
    fetch_bounds: LimitTable[FetchBounds]
    memory: Memory
    health: Health
    on_unread: Callable[[], None]
    hazards: Hazards | None = None
    news: SiteNews = field(factory=SiteNews, init=False)
    active: ActivePits = field(factory=ActivePits, init=False)
    draining: bool = field(default=False, init=False)
    _joined: dict[str, Member] = field(factory=dict, init=False)  # those too that were put out since
    _may_come: frozenset[str] = field(default=frozenset(), init=False)
    _registry: MemoryRegistry = field(factory=MemoryRegistry, init=False)
    _router: PeerRouter = field(factory=PeerRouter, init=False)
    _nursery: trio.Nursery | None = field(default=None, init=False)
    _poked: trio.Event = field(factory=trio.Event, init=False)
    _joining: trio.Lock = field(factory=trio.Lock, init=False)

    def __getitem__(self, name: str) -> Member:
        if name not in self._may_come:
            raise KeyError(name)
        return self._joined[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._joined if name in self._may_come])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    # --- their life ----------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep every site's half of the hub running. Started: those that may come are joined. Never returns."""
        self.active = ActivePits(await self.store.read(read_holdings))
        async with trio.open_nursery() as self._nursery:
            self._look()
            await self._join_all()
            self._nursery.start_soon(self._sweep)
            self._nursery.start_soon(self._keep_active)
            task_status.started()

    async def joined(self, name: str) -> Member:
        """Return the site of this name, joined when it comes for the first time. Raises StorageError."""
        async with self._joining:
            if name not in self._joined:
                self._joined[name] = await self._join(name)
                self.decide()
        if name not in self:  # let in a moment ago, and nobody has told yet
            self._look()
        return self._joined[name]

    def recheck(self) -> None:
        """Act on what has changed: sites that are out lose their link and are shown no more, new ones are joined.

        Raises StorageError and ConfigError when that cannot be read now.
        """
        for member in self._joined.values():
            member.listener.recheck()
        self._look()
        if self._nursery is not None:
            self._nursery.start_soon(self._join_new)

    async def set_draining(self, is_draining: bool) -> None:
        """Send the sites away, and let them in again when that is taken back. Other clients are served."""
        self.draining = is_draining
        for member in list(self._joined.values()):
            if is_draining:
                await member.listener.drain()
            else:
                member.listener.undrain()

    async def say_goodbye(self) -> None:
        """Tell all sites at once when to come back; for a hub that ends."""
        async with trio.open_nursery() as nursery:
            for member in self._joined.values():
                nursery.start_soon(member.listener.drain)

    def tell_heads(self) -> None:
        """Have every site told the head of the audit, if it is another now."""
        for member in self._joined.values():
            member.heads.poke()

    def bounds_changed(self) -> None:
        """Have the next connection of each site told what a fetch may be now: a live one keeps what it was told."""
        for member in self._joined.values():
            member.site.peer.limits = link_limits(self.fetch_bounds.now)

    # --- how they stand ------------------------------------------------------------------------------------------

    def boards(self) -> Mapping[str, BoardKeeper]:
        """Return the boards that are shown, by field."""
        return ShownBoards(self.active, lambda name: self[name].site.keeper if name in self else None)

    async def choose(self, event_id: str, site: str | None) -> None:
        """Have a site show an event until this is taken back with None; at once, and after restarts. Raises StorageError."""
        self.active.choose(event_id, site)
        await self.store.transact(partial(_write_holdings, dict(self.active.holdings)))
        self.decide()

    def decide(self) -> None:
        """Look anew who shows what, and tell the open streams when it is another one."""
        standings = [
            Standing(name, _event_of(member), member.site.peer.connection is not None)
            for name, member in self.items()
        ]
        if self.active.look(standings, trio.current_time()):
            shown = {name: site for name, site in self.active.shown.items() if name != site}
            _log.info("fields.changed", fields=sorted(self.active.shown), shown_from=shown)
            self.news.tell()
        self.health.warn(
            "active-pits",
            "; ".join(
                f"{chosen} was chosen to show its event and is away, {other} has it too: pitlink ctl site.show "
                f"site={other}, or site.show.auto site={other}"
                for _, chosen, other in self.active.waiting()
            ),
        )

    def clock_stepped(self, by_s: float) -> None:
        """Have no board younger than it was before our clock went by so much."""
        for member in self.values():
            member.site.keeper.clock_stepped(by_s)

    def peers(self) -> list[Peer]:
        """Return the far ends of their links, connected or not."""
        return [member.site.peer for member in self.values()]

    def connected(self) -> list[str]:
        """Return the names of those that are connected."""
        return [peer.site for peer in self.peers() if peer.connection is not None]

    def crowded(self) -> str:
        """Say in words for which too many fetches wait; "" for none."""
        names = [name for name, member in self.items() if member.site.remote.is_crowded]
        return f"too many fetches wait for {', '.join(names)}" if names else ""

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
            self.decide()
            self.news.tell()

    async def _join_new(self) -> None:
        try:
            await self._join_all()
        except (StorageError, ConfigError) as exc:
            _log.warning("authority.unreadable", words=str(exc))
            self.on_unread()

    async def _join_all(self) -> None:
        for name in sorted(self._may_come - self._joined.keys()):
            await self.joined(name)
            self.news.tell()

    async def _keep_active(self) -> None:
        """Decide anew when a site comes or goes or opens an event, and while one is waited for."""
        kept = dict(self.active.holdings)
        while True:
            poked = self._poked
            self.decide()
            if self.active.holdings != kept:
                kept = dict(self.active.holdings)
                await patiently(
                    partial(self.store.transact, partial(_write_holdings, kept)), "which pits show an event"
                )
            with trio.move_on_after(ACTIVE_S if self.active.is_waiting else math.inf):
                await poked.wait()

    def _poke_active(self) -> None:
        self._poked.set()
        self._poked = trio.Event()

    def _on_read(self, path: str, result: object) -> None:
        if path == HOME or path.endswith("/Event.json"):
            self._poke_active()

    async def _sweep(self) -> None:
        while True:
            for member in list(self._joined.values()):
                with suppress(StorageError):  # told by the store's care; what is too old goes at another turn
                    await member.site.peer.durable.sweep(self.environment.utc_now())
            await trio.sleep(SWEEP_S)

    # --- one site ------------------------------------------------------------------------------------------------

    async def _join(self, name: str) -> Member:
        assert self._nursery is not None
        nursery, environment, limits = self._nursery, self.environment, self.limits
        events = EventRecord(self.store, name)
        commands: CommandDesk
        durable = DurableChannels(
            self.store,
            name,
            out=[OutChannel("command")],
            inbound={"event": events.effect, "result": lambda conn, message: commands.effect(conn, message)},
            new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )
        commands = CommandDesk(
            self.store, durable, name, environment, rates=lambda: limits.now.commands_per_s
        )
        commands.note = partial(note_result, self.trail, name)
        await durable.open()
        heads = auditheads.HeadExchange(name, self.trail)
        peer = self._peer(name, durable, heads)
        site = self._site(peer)
        commands.on_purged = lambda prefix: nursery.start_soon(
            patiently, partial(site.purge, prefix), "a purge"
        )
        remembers = self.memory.of(name)
        site.remote.observe(observe(remembers, site.keeper))
        site.remote.observe(self._on_read)
        peer.on_up.append(self._poke_active)
        peer.on_down.append(self._poke_active)
        await site.load()
        remembers.help(site.keeper)
        nursery.start_soon(site.run)
        nursery.start_soon(commands.run)
        nursery.start_soon(heads.run, peer)
        listener = SiteListener(
            peer,
            self._registry,
            minimum=partial(self.admission.minimum, name),
            next_nonce=partial(self.admission.nonces.next_for, name),
        )
        if self.hazards is not None:
            peer.tampering = self.hazards.tampering(name)
            listener.wrap_stream = self.hazards.wrapper(name)
        if self.draining:
            await listener.drain()
        return Member(site, listener, commands, events, heads)

    def _peer(self, name: str, durable: DurableChannels, heads: auditheads.HeadExchange) -> Peer:
        limits = self.limits
        peer = Peer(
            role="cloud",
            site=name,
            environment=self.environment,
            durable=durable,
            limits=link_limits(self.fetch_bounds.now),
            handlers={auditheads.METHOD: heads.answer},
            subscribers={WATCH_TOPIC: Subscriber(WATCH_TOPIC)},
            limiter=LinkLimiter(flow=lambda: (limits.now.site_bytes_per_s, limits.now.site_bytes_burst)),
        )
        self._router.peers[name] = peer
        return peer

    def _site(self, peer: Peer) -> HubSite:
        utc_now = self.environment.utc_now
        remote = RemoteOrigin(
            self._router,
            peer.site,
            self.cache,
            utc_now,
            fetch_bounds=lambda: self.fetch_bounds.now,
            gate=self.config.fetch.gate(),
            bounds=lambda: self.limits.now,
        )
        return HubSite(peer, self.cache, remote, BoardKeeper(), peer.subscribers[WATCH_TOPIC], utc_now)


def _write_holdings(holdings: Mapping[str, Holding], conn: apsw.Connection) -> None:
    write_holdings(conn, holdings)


def _event_of(member: Member) -> str | None:
    event = member.site.keeper.board["event"]
    return None if event is None else event["id"]
