"""What pages, command line, terminal and health checks see of one house: the same at the boiler and at the nas.

At the boiler a look is of the house itself, at the nas of its replica. Who shows it needs to know neither.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import apsw
import trio
from attrs import define, field

from daemons.heating.plant import Plant
from daemons.heating.settings import Settings
from daemons.heating.state import HouseState
from daemons.ops.authority.identity import Identity
from protocol.heating import HeatAction, HeatSwitch, HeatUnlock

__all__ = ["STALE_AFTER_S", "Changes", "HouseLook", "lifetime_of"]

T = TypeVar("T")

STALE_AFTER_S = 60.0
"""A state older than this, in real seconds, is shown as that of a house that is offline."""

SWITCH_S, OTHER_S = 30.0, 3600.0


@define(eq=False)
class Changes:
    """Says that something of a look has changed: its state, settings, plan, commands, dead letters or standing."""

    serial: int = field(default=0, init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def __repr__(self) -> str:
        return f"<Changes {self.serial}>"

    def tell(self) -> None:
        """Something has changed. Does not block."""
        self.serial += 1
        self._changed.set()
        self._changed = trio.Event()

    async def wait(self, serial: int) -> None:
        """Wait until `self.serial` is not `serial`; returns at once if it is not. Any number may wait."""
        if self.serial == serial:
            await self._changed.wait()
        else:
            await trio.lowlevel.checkpoint()


class HouseLook(Protocol):
    """One house. Everything that does not wait is from memory, and quick.

    State, settings and plan are frozen values: another one is another object, the same object is as it was.
    """

    @property
    def name(self) -> str:
        """The site's name."""

    @property
    def is_here(self) -> bool:
        """Whether this is the boiler itself."""

    @property
    def speed(self) -> float:
        """How many seconds pass in the house in one here: 1 but in the demo."""

    @property
    def changes(self) -> Changes: ...

    def state(self) -> HouseState | None:
        """Return the newest state; None: nothing was ever heard of this house."""

    @property
    def switch_s(self) -> float:
        """How long a switch is good when whoever gives it does not say."""

    def age_s(self) -> float | None:
        """Return for how many real seconds the state has not been confirmed; None: not known."""

    def house_now(self) -> float | None:
        """Return the house's own UTC; None while it is not known."""

    def plan(self) -> Plant | None: ...

    def settings(self) -> Settings | None: ...

    def standing(self) -> dict[str, Any]:
        """Return how it is with the link, as JSON can say it, what is known of: `connected`, `why` (words, when it is
        not), `stale_after_s`, `lag_s`, `waiting` (messages not yet taken), `capacity_days` (of outage without loss)."""

    async def read(self, fn: Callable[[apsw.Connection, int], T]) -> T:
        """Return `fn(conn, house)`, which only reads the history. Raises StorageError, and what `fn` raises."""

    async def command(
        self, action: HeatAction, identity: Identity, *, lifetime_s: float, against: int
    ) -> dict[str, Any]:
        """Have something done and return the command as `commands` lists it: queued at the nas, done (or FAILED, in
        words) at the boiler. Audited here. `against`: the version of the settings it was decided on, 0: any.

        Raises RequestError (TooManyCommands has `retry_after_s`), OutboxFull, StorageError.
        """

    async def commands(self) -> list[dict[str, Any]]:
        """Return the last commands, newest first: id, issuer, issued_at, expires_at, action, status (QUEUED, SENT,
        UNKNOWN, DONE, FAILED, EXPIRED), attempts [{at}], words, decided_at. Instants are real UTC."""

    async def withdraw(self, id_: str, identity: Identity) -> dict[str, Any]:
        """Ask that a command be not run any more; return it as listed. Audited. Raises KeyError, RequestError."""

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Return what could not be done or applied, newest first: id (a text), at, words; of a command its action."""

    async def requeue(self, id_: str, identity: Identity) -> dict[str, Any]:
        """Have a dead letter tried again, a command as a new one; return what it is now. Audited. Raises KeyError,
        RequestError."""

    async def drop(self, id_: str, identity: Identity) -> dict[str, Any]:
        """Forget a dead letter and return it. Audited. Raises KeyError, RequestError."""


def lifetime_of(action: HeatAction, switch_s: float = SWITCH_S) -> float:
    """Return for how many seconds a command is good when nobody has said: a switch must not act when nobody waits."""
    is_switch = isinstance(action, HeatSwitch | HeatUnlock) or getattr(action, "is_on", None) is not None
    return switch_s if is_switch else OTHER_S
