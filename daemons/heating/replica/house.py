"""A far house as the hub shows it: what was heard of it, its history, and the desk where commands wait for it."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import apsw
from attrs import define, field

from daemons.heating.history import write
from daemons.heating.look import STALE_AFTER_S, SWITCH_S, Changes
from daemons.heating.plant import Plant
from daemons.heating.replica.heard import Heard
from daemons.heating.settings import Settings
from daemons.heating.state import HouseState
from daemons.link.durable import DurableChannels
from daemons.ops.authority.identity import Identity
from daemons.ops.authority.trail import AuditTrail
from daemons.pair.desk import CommandDesk
from daemons.pair.desklook import DeskLook
from daemons.store import Store
from protocol.frames import Message
from protocol.heating import HeatAction, HeatEvent
from protocol.heatsamples import HeatSamples
from protocol.messages import decode_body

__all__ = ["House", "HouseRecord"]

T = TypeVar("T")

MINUTE_S = 60.0


@define(eq=False)
class HouseRecord:
    """Takes a house's messages of channel `event` into its history, in the transaction that acknowledges them."""

    house: int
    store: Store
    changes: Changes
    events: int = field(default=0, init=False)
    samples: int = field(default=0, init=False)  # messages of them

    def effect(self, conn: apsw.Connection, message: Message) -> None:
        """Take one message. What does not decode raises, and becomes a dead letter."""
        body = decode_body(message.type, message.version, message.body)
        match body:
            case HeatEvent():
                write.add_events(conn, self.house, [body])
                self.store.after_commit(self._came)
            case HeatSamples():
                write.add_samples(conn, self.house, [body])
                self.store.after_commit(self._sampled)
            case _:
                raise ValueError(f"{message.type} is nothing that happens in a house")

    def _came(self) -> None:
        self.events += 1
        self.changes.tell()

    def _sampled(self) -> None:
        self.samples += 1


@define(eq=False)
class House:
    """A look of a far house (`daemons.heating.look.HouseLook`). `heard` must be running."""

    name: str
    heard: Heard
    record: HouseRecord
    desk: CommandDesk
    durable: DurableChannels
    store: Store
    trail: AuditTrail
    is_here: bool = field(default=False, init=False)
    switch_s: float = SWITCH_S
    checked: Callable[[], dict[str, Any]] = field(default=dict)
    """What the check of the replica says of itself."""
    _desk_look: DeskLook = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._desk_look = DeskLook(self.desk, self.durable, self.trail)
        self.desk.on_change.append(self.changes.tell)

    @property
    def changes(self) -> Changes:
        return self.heard.changes

    @property
    def speed(self) -> float:
        told = self.heard.told
        return 1.0 if told is None else told.clock.speed

    def state(self) -> HouseState | None:
        return None if self.heard.told is None else self.heard.told.state

    def age_s(self) -> float | None:
        return self.heard.age_s()

    def house_now(self) -> float | None:
        return self.heard.house_now()

    def plan(self) -> Plant | None:
        return self.heard.plan

    def settings(self) -> Settings | None:
        return self.heard.settings

    def standing(self) -> dict[str, Any]:
        """See the port; besides: what was noticed of restarts, of rows that cannot be read, of the check."""
        peer, told, age_s = self.heard.peer, self.heard.told, self.heard.age_s()
        is_connected = peer.connection is not None
        restarts, restarted_at, words = self.heard.restarts
        standing: dict[str, Any] = {
            "connected": is_connected,
            "stale_after_s": STALE_AFTER_S,
            "lag_s": None if age_s is None else round(age_s, 1),
            "waiting": sum(one.outstanding for one in self.durable.statistics().values()),
            "capacity_days": None if told is None else told.capacity_days,
            "restarts": restarts,
            "restarted_at": restarted_at,
            "restarted": words,
            **self.checked(),
        }
        if why := self._why(is_connected, age_s):
            standing["why"] = why
        return standing

    def _why(self, is_connected: bool, age_s: float | None) -> str:
        """Say in words why what is shown is not of now; "": it is."""
        if self.heard.foreign:
            return self.heard.foreign
        if not is_connected:
            return "the house is not connected" + (
                "; it heats by itself, and what happens there is told when it is"
                if age_s is not None
                else " yet"
            )
        if age_s is not None and age_s > STALE_AFTER_S:
            return f"the house is connected, and its control has not gone its round for {age_s / MINUTE_S:.0f} min"
        return ""

    async def read(self, fn: Callable[[apsw.Connection, int], T]) -> T:
        return await self.store.read(partial(_with_house, fn, self.heard.house))

    # --- commands ------------------------------------------------------------------------------------------------

    async def command(
        self, action: HeatAction, identity: Identity, *, lifetime_s: float, against: int
    ) -> dict[str, Any]:
        return await self._desk_look.command(action, identity, lifetime_s=lifetime_s, against=against)

    async def commands(self) -> list[dict[str, Any]]:
        return await self.desk.listed()

    async def withdraw(self, id_: str, identity: Identity) -> dict[str, Any]:
        return await self._desk_look.withdraw(id_, identity)

    async def dead_letters(self) -> list[dict[str, Any]]:
        return await self._desk_look.dead_letters()

    async def requeue(self, id_: str, identity: Identity) -> dict[str, Any]:
        return await self._desk_look.requeue(id_, identity)

    async def drop(self, id_: str, identity: Identity) -> dict[str, Any]:
        return await self._desk_look.drop(id_, identity)


def _with_house(fn: Callable[[apsw.Connection, int], T], house: int, conn: apsw.Connection) -> T:
    return fn(conn, house)
