"""The sites of a cloud: fetches, watches, board, memory and commands of each, and which of several show an event.

members
├── roster                        who may come, and what is swept
├── active pits                   which of several with one event show it
└── one site each                 fetches, watches, board
"""

import math
from collections.abc import Mapping
from functools import partial

import apsw
import structlog
import trio
from attrs import define, field, frozen

from daemons.link import auditheads
from daemons.link.durable import DurableChannels
from daemons.link.listen import SiteListener
from daemons.link.peer import Peer
from daemons.link.router import PeerRouter
from daemons.ops.health import Health
from daemons.ops.limits import LimitTable
from daemons.ops.storecare import patiently
from daemons.pair.desk import CommandDesk
from daemons.pair.roster import Roster
from daemons.race.active import ActivePits, Holding, Standing
from daemons.race.activetables import read_holdings, write_holdings
from daemons.race.cache import SqliteCache
from daemons.race.config import FetchBounds, link_limits
from daemons.race.hub import HubSite
from daemons.race.keeper import BoardKeeper
from daemons.race.memory import Memory, observe
from daemons.race.paths import HOME
from daemons.race.record import EventRecord
from daemons.race.remote import RemoteOrigin
from daemons.race.shownboards import ShownBoards
from daemons.race.stream import SiteNews
from daemons.race.watchrows import WATCH_TOPIC
from protocol.pathgate import PathGate
from protocol.topics import Subscriber

__all__ = ["Member", "Members"]

_log = structlog.stdlib.get_logger("pitlink.race")

ACTIVE_S = 1.0


@frozen
class Member:
    """Everything the hub has of one site."""

    site: HubSite
    listener: SiteListener
    desk: CommandDesk
    record: EventRecord
    heads: auditheads.HeadExchange

    @property
    def peer(self) -> Peer:
        """The far end of its link."""
        return self.site.peer


@define(eq=False, kw_only=True)
class Members(Roster[Member]):
    """The pits that may come, by name, each with its origin over the link, its board and its commands."""

    gate: PathGate
    cache: SqliteCache
    fetch_bounds: LimitTable[FetchBounds]
    memory: Memory
    health: Health
    news: SiteNews = field(factory=SiteNews, init=False)
    active: ActivePits = field(factory=ActivePits, init=False)
    _router: PeerRouter = field(factory=PeerRouter, init=False)
    _poked: trio.Event = field(factory=trio.Event, init=False)

    # --- their life ----------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep every site's half of the hub running. Started: those that may come are joined. Never returns."""
        self.active = ActivePits(await self.store.read(read_holdings))
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(Roster.run, self))
            nursery.start_soon(self._keep_active)
            task_status.started()

    def bounds_changed(self) -> None:
        """Have the next connection of each site told what a fetch may be now: a live one keeps what it was told."""
        for member in self._joined.values():
            member.peer.limits = link_limits(self.fetch_bounds.now)

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

    def crowded(self) -> str:
        """Say in words for which too many fetches wait; "" for none."""
        names = [name for name, member in self.items() if member.site.remote.is_crowded]
        return f"too many fetches wait for {', '.join(names)}" if names else ""

    def _changed(self) -> None:
        self.decide()
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

    # --- one site ------------------------------------------------------------------------------------------------

    async def _join(self, name: str, nursery: trio.Nursery) -> Member:
        events = EventRecord(self.store, name)
        durable, desk = await self._commanded(name, {"event": events.effect})
        heads = auditheads.HeadExchange(name, self.trail)
        peer = self._peer(name, durable, heads)
        site = self._site(peer)
        desk.on_purged = lambda prefix: nursery.start_soon(patiently, partial(site.purge, prefix), "a purge")
        remembers = self.memory.of(name)
        site.remote.observe(observe(remembers, site.keeper))
        site.remote.observe(self._on_read)
        peer.on_up.append(self._poke_active)
        peer.on_down.append(self._poke_active)
        await site.load()
        remembers.help(site.keeper)
        nursery.start_soon(site.run)
        nursery.start_soon(desk.run)
        nursery.start_soon(heads.run, peer)
        return Member(site, self._listen(peer, "pits"), desk, events, heads)

    def _peer(self, name: str, durable: DurableChannels, heads: auditheads.HeadExchange) -> Peer:
        peer = self._router.peers[name] = Peer(
            role="cloud",
            site=name,
            environment=self.environment,
            durable=durable,
            limits=link_limits(self.fetch_bounds.now),
            handlers={auditheads.METHOD: heads.answer},
            subscribers={WATCH_TOPIC: Subscriber(WATCH_TOPIC)},
            limiter=self._limiter(),
        )
        return peer

    def _site(self, peer: Peer) -> HubSite:
        utc_now = self.environment.utc_now
        remote = RemoteOrigin(
            self._router,
            peer.site,
            self.cache,
            utc_now,
            fetch_bounds=lambda: self.fetch_bounds.now,
            gate=self.gate,
            bounds=lambda: self.limits.now,
        )
        return HubSite(peer, self.cache, remote, BoardKeeper(), peer.subscribers[WATCH_TOPIC], utc_now)


def _write_holdings(holdings: Mapping[str, Holding], conn: apsw.Connection) -> None:
    write_holdings(conn, holdings)


def _event_of(member: Member) -> str | None:
    event = member.site.keeper.board["event"]
    return None if event is None else event["id"]
