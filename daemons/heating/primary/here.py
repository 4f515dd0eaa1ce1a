"""A boiler's own house as its pages, operators and health checks see it: `daemons.heating.look.HouseLook`."""

import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import apsw
import trio
from attrs import define, field

from daemons.heating.look import STALE_AFTER_S, SWITCH_S, Changes
from daemons.heating.plant import Plant
from daemons.heating.primary.primary import Primary
from daemons.heating.settings import Settings
from daemons.heating.state import Decision, HouseState
from daemons.link.dial import Dialer
from daemons.ops.authority.identity import Identity
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.environment import Environment
from daemons.pair.executor import CommandExecutor
from daemons.store import StorageError
from protocol.errors import ErrorCode, RequestError
from protocol.heating import HeatAction
from protocol.linkstatus import Status
from protocol.messages import ResultStatus, action_to_map

__all__ = ["HereLook"]

T = TypeVar("T")

COMMANDS_MAX = 200


@define(eq=False)
class HereLook:
    """The house itself. Commands given here are done at once; those of the hub are listed there.

    `decided` is to be called after each round of control.
    """

    name: str
    primary: Primary
    commands_of: CommandExecutor
    trail: AuditTrail
    environment: Environment
    dialer: Callable[[], Dialer | None] = lambda: None
    changes: Changes = field(factory=Changes)
    is_here: bool = field(default=True, init=False)
    switch_s: float = field(default=SWITCH_S, init=False)
    _decided_at: float | None = field(default=None, init=False)  # by Trio's clock
    _done: deque[dict[str, Any]] = field(factory=lambda: deque(maxlen=COMMANDS_MAX), init=False)

    @property
    def speed(self) -> float:
        return self.primary.clock.speed

    def decided(self, decision: Decision) -> None:
        """A round of control was completed: its state is true now."""
        self._decided_at = trio.current_time()
        self.changes.tell()

    # --- what is ---------------------------------------------------------------------------------------------------

    def state(self) -> HouseState | None:
        return self.primary.state

    def age_s(self) -> float | None:
        """Return for how long no round of control was completed; since the state before a restart, by the wall clock."""
        if self._decided_at is not None:
            return trio.current_time() - self._decided_at
        state, clock = self.primary.state, self.primary.clock
        return None if state is None else max(0.0, clock.real_s(clock.instant().utc - state.at))

    def house_now(self) -> float | None:
        return self.primary.clock.instant().utc

    def plan(self) -> Plant | None:
        return self.primary.plant

    def settings(self) -> Settings | None:
        return self.primary.settings

    def standing(self) -> dict[str, Any]:
        held = self.primary.durable.statistics()["event"].held
        dialer = self.dialer()
        is_connected = dialer is not None and dialer.status.status is Status.READY
        words = "no nas is configured" if dialer is None else dialer.status.words
        oldest = held.oldest_at
        return {
            "connected": is_connected,
            "why": "" if is_connected else words,
            "stale_after_s": STALE_AFTER_S,
            "lag_s": None if oldest is None else max(0.0, self.environment.utc_now() - oldest),
            "waiting": held.messages,
            "capacity_days": self.primary.capacity_days,
        }

    async def read(self, fn: Callable[[apsw.Connection, int], T]) -> T:
        return await self.primary.store.read(lambda conn: fn(conn, self.primary.house))

    # --- what is to be done ------------------------------------------------------------------------------------------

    async def command(
        self, action: HeatAction, identity: Identity, *, lifetime_s: float, against: int
    ) -> dict[str, Any]:
        fields = action_to_map(action)
        name, now = f"command.{fields['do']}", self.environment.utc_now()
        id_ = str(uuid.UUID(bytes=self.environment.urandom(16), version=4))
        after = {**fields, "id": id_}
        await self.trail.note(identity.who, name, self.name, after=after, outcome="begun")
        status = ResultStatus.DONE
        async with self.trail.noting_failure(identity.who, name, self.name):
            try:
                words = await self.commands_of.act_here(action, identity.who, against)
            except ValueError as exc:
                status, words = ResultStatus.FAILED, str(exc)
        await self.trail.note(
            identity.who, name, self.name, after={**after, "words": words},
            outcome="done" if status is ResultStatus.DONE else "failed",
        )  # fmt: skip
        told = {
            "id": id_,
            "issuer": identity.who,
            "issued_at": now,
            "expires_at": now + lifetime_s,
            "action": fields,
            "status": str(status),
            "attempts": [{"at": now}],
            "words": words,
            "decided_at": self.environment.utc_now(),
        }
        self._done.appendleft(told)
        self.changes.tell()
        return told

    async def commands(self) -> list[dict[str, Any]]:
        """Return what was given here since the start of the daemon, newest first."""
        await trio.lowlevel.checkpoint()
        return list(self._done)

    async def withdraw(self, id_: str, identity: Identity) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        if not any(one["id"] == id_ for one in self._done):
            raise KeyError(id_)
        raise RequestError(ErrorCode.BAD_REQUEST, "it is done already")

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Return the hub's messages that could not be applied here, newest first."""
        letters = await self.primary.durable.dead_letters()
        return [
            {"id": str(one.id), "at": one.at, "words": one.error, "type": one.type} for one in letters[::-1]
        ]

    async def requeue(self, id_: str, identity: Identity) -> dict[str, Any]:
        known = await self._letter(id_)
        await self.trail.note(identity.who, "dead.requeue", self.name, after={"id": id_}, outcome="begun")
        async with self.trail.noting_failure(identity.who, "dead.requeue", self.name):
            try:
                await self.primary.durable.requeue(int(id_), lambda message: message)
            except StorageError:
                raise
            except Exception as exc:
                words = f"it still cannot be applied: {type(exc).__name__}"
                raise RequestError(ErrorCode.BAD_REQUEST, words) from exc
        return {**known, "words": "applied"}

    async def drop(self, id_: str, identity: Identity) -> dict[str, Any]:
        known = await self._letter(id_)
        await self.trail.note(identity.who, "dead.drop", self.name, before={"id": id_}, outcome="done")
        await self.primary.durable.drop_dead_letter(int(id_))
        return known

    async def _letter(self, id_: str) -> dict[str, Any]:
        for one in await self.dead_letters():
            if one["id"] == id_:
                return one
        raise KeyError(id_)
