"""The drivers of a backend: the link of each, how their relays stand, and the joint to what is kept and shown.

drivers
├── roster                        who may come, and what is swept
└── one driver each               streams go to the intake, results are audited, the audit's head is told
"""

from functools import partial

import trio
from attrs import define, evolve, field, frozen

from daemons.link import auditheads
from daemons.link.datagrams import DatagramDoor
from daemons.link.durable import DurableChannels
from daemons.link.listen import SiteListener
from daemons.link.peer import Peer
from daemons.link.streams import StreamsIn
from daemons.pair.desk import CommandDesk
from daemons.pair.roster import Roster
from daemons.telemetry.intake import Intake
from daemons.telemetry.livebook import LiveBook
from daemons.telemetry.standing import KEY, TOPIC, Standing, read_standing
from protocol.topics import Subscriber

__all__ = ["Driver", "Drivers"]

TICKS_A_SECOND = 60
UNREACHED = "the driver's relay is not connected"


@frozen
class Driver:
    """Everything a backend has of one driver's link."""

    peer: Peer
    listener: SiteListener
    desk: CommandDesk
    heads: auditheads.HeadExchange


@define(eq=False, kw_only=True)
class Drivers(Roster[Driver]):
    """The drivers who may come, by the name of their site. `run` must be running."""

    book: LiveBook
    intake: Intake
    datagrams: DatagramDoor
    _shown: set[str] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.intake.ahead_us = self.ahead_us

    def ahead_us(self, name: str) -> int | None:
        """Return how far a driver's clock is ahead of this machine's, as the link knows it; None: it is not connected."""
        driver = self.get(name)
        connection = None if driver is None else driver.peer.connection
        if connection is None:
            return None
        return round((connection.peer_utc_now() - self.environment.utc_now()) * 1e6)

    def _changed(self) -> None:
        """Show those who may come, and no others."""
        now = set(self)
        for name in self._shown - now:
            self.intake.detach(name)
        for name in now - self._shown:
            streams = self[name].peer.streams_in
            assert streams is not None
            self.intake.attach(name, streams)
            self._stands(name)
        self._shown = now

    async def _join(self, name: str, nursery: trio.Nursery) -> Driver:
        durable, desk = await self._commanded(name, {})
        heads = auditheads.HeadExchange(name, self.trail)
        peer = self._peer(name, durable, heads)
        stands = partial(self._stands, name)
        peer.on_up.append(stands)
        peer.on_down.append(stands)
        peer.on_update.append(lambda topic: stands())
        nursery.start_soon(desk.run)
        nursery.start_soon(heads.run, peer)
        return Driver(peer, self._listen(peer, "relay"), desk, heads)

    def _peer(self, name: str, durable: DurableChannels, heads: auditheads.HeadExchange) -> Peer:
        return Peer(
            role="backend",
            site=name,
            environment=self.environment,
            durable=durable,
            handlers={auditheads.METHOD: heads.answer},
            subscribers={TOPIC: Subscriber(TOPIC, rows_max=16, bytes_max=16 * 1024)},
            streams_in=StreamsIn(door=self.datagrams),
            limiter=self._limiter(),
        )

    def _stands(self, name: str) -> None:
        """Say in the live book how the link to a driver stands, and the relay behind it."""
        if name not in self._joined or name not in self.book.drivers():
            return
        peer = self._joined[name].peer
        row = peer.subscribers[TOPIC].rows.get(KEY)
        told = (read_standing(row) if row is not None else None) or Standing()
        connection = peer.connection
        clock = None if connection is None else connection.heartbeat.clock.peer_time(trio.current_time())
        live = self.book.driver(name)
        live.base = evolve(
            live.base,
            is_connected=connection is not None,
            why=UNREACHED
            if connection is None
            else ""
            if told.capture.startswith("capturing")
            else told.capture,
            clock_error_s=None if clock is None else round(clock.error_s, 4),
            waiting=told.waiting * TICKS_A_SECOND if row is not None else None,
            degree=told.degree,
            degree_words=told.degree_words,
        )
