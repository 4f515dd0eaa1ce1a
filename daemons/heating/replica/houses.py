"""The houses of a nas: what was heard of each, its history, its commands, its link.

houses
├── roster                        which may come, and what is swept
└── one house each                what is heard is kept, results are audited, the audit's head is told to it
"""

from collections.abc import Callable

import trio
from attrs import define, field, frozen

from daemons.heating.history.write import house_of
from daemons.heating.look import SWITCH_S, Changes, HouseLook
from daemons.heating.replica.check import ReplicaCheck
from daemons.heating.replica.heard import Heard, subscribers
from daemons.heating.replica.house import House, HouseRecord
from daemons.heating.replica.publish import QUIET_S
from daemons.link import auditheads
from daemons.link.durable import DurableChannels
from daemons.link.listen import SiteListener
from daemons.link.peer import Peer
from daemons.pair.desk import CommandDesk
from daemons.pair.reacher import Reacher
from daemons.pair.roster import Roster

__all__ = ["EVENTS", "Houses", "Lodger"]

EVENTS = "event"
"""The channel on which a house tells what happened and what was measured."""


@frozen
class Lodger:
    """Everything a nas has of one house."""

    look: House
    peer: Peer
    listener: SiteListener
    desk: CommandDesk
    heads: auditheads.HeadExchange
    check: ReplicaCheck


@define(eq=False, kw_only=True)
class Houses(Roster[Lodger]):
    """The houses that may come, by the name of their site. `run` must be running."""

    check_s: float = 86_400.0
    """From one check of each replica to the next."""
    check_since_s: float = 0.0
    """How far back it goes; 0: as far as both ends do."""
    switch_s: float = SWITCH_S
    """How long a switch is good when whoever gives it does not say."""
    reacher: Callable[[Peer], Reacher | None] = lambda peer: None
    """What dials a house from here; None: it dials."""
    changes: Changes = field(factory=Changes, init=False)
    """Another set of houses is shown."""

    def looks(self) -> dict[str, HouseLook]:
        """Return what is shown, by name."""
        return {name: self[name].look for name in self}

    def connectedness(self) -> dict[str, bool]:
        """Say of each house whether it is connected."""
        return {name: lodger.peer.connection is not None for name, lodger in self.items()}

    def _changed(self) -> None:
        self.changes.tell()

    async def _join(self, name: str, nursery: trio.Nursery) -> Lodger:
        house = await self.store.transact(lambda conn: house_of(conn, name))
        changes = Changes()
        record = HouseRecord(house, self.store, changes)
        durable, desk = await self._commanded(name, {EVENTS: record.effect})
        heads = auditheads.HeadExchange(name, self.trail)
        peer = self._peer(name, durable, heads)
        heard = Heard(house, peer, self.store, self.environment, changes)
        await heard.load()
        check = ReplicaCheck(heard, self.store, self.check_s, self.check_since_s)
        await check.load()
        look = House(name, heard, record, desk, durable, self.store, self.trail, self.switch_s, check.told)
        nursery.start_soon(heard.run)
        nursery.start_soon(check.run)
        if (reacher := self.reacher(peer)) is not None:
            nursery.start_soon(reacher.run)
        nursery.start_soon(desk.run)
        nursery.start_soon(heads.run, peer)
        return Lodger(look, peer, self._listen(peer, "boiler"), desk, heads, check)

    def _peer(self, name: str, durable: DurableChannels, heads: auditheads.HeadExchange) -> Peer:
        return Peer(
            role="nas",
            site=name,
            environment=self.environment,
            durable=durable,
            handlers={auditheads.METHOD: heads.answer},
            subscribers=subscribers(),
            quiet_s=QUIET_S,
            limiter=self._limiter(),
        )
