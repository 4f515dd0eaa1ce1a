"""What people do at a hub's desk: give commands, withdraw them, ask for dead letters again or drop them. All of it audited."""

from typing import Any

from attrs import frozen

from daemons.link.durable import DurableChannels
from daemons.ops.authority.identity import Identity
from daemons.ops.authority.trail import AuditTrail
from daemons.pair.desk import CommandDesk
from daemons.pair.issuing import issue_audited
from daemons.store import StorageError
from protocol.errors import ErrorCode, RequestError
from protocol.messages import Action, action_from_map

__all__ = ["DeskLook"]

LINK = "link-"
"""What the ids of messages that could not be applied here begin with; a command that failed goes by its own."""


@frozen
class DeskLook:
    """The desk of one site. What is listed is as `CommandDesk` lists it."""

    desk: CommandDesk
    durable: DurableChannels
    trail: AuditTrail

    async def command(
        self, action: Action, identity: Identity, *, lifetime_s: float, against: int
    ) -> dict[str, Any]:
        """Queue a command and return it as listed. Raises as `issue_audited`."""
        id_ = await issue_audited(
            self.trail, self.desk, action, identity, lifetime_s=lifetime_s, against=against
        )
        return await self._listed(id_)

    async def withdraw(self, id_: str, identity: Identity) -> dict[str, Any]:
        """Ask that a command be not run any more. Raises KeyError, RequestError when it is decided, OutboxFull."""
        await self.desk.undecided(id_)
        await self.trail.note(
            identity.who, "command.withdraw", self.desk.site, after={"id": id_}, outcome="begun"
        )
        async with self.trail.noting_failure(identity.who, "command.withdraw", self.desk.site):
            await self.desk.revoke(id_)
        return await self._listed(id_)

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Return commands that failed or expired, and messages that could not be applied here, newest first."""
        commands = [{**one, "at": one["decided_at"], "words": one["words"]} for one in await self.desk.dead()]
        letters = [
            {"id": f"{LINK}{one.id}", "at": one.at, "words": one.error, "type": one.type}
            for one in await self.durable.dead_letters()
        ]
        return sorted([*commands, *letters], key=lambda one: -float(one["at"]))

    async def requeue(self, id_: str, identity: Identity) -> dict[str, Any]:
        """Ask for a dead letter again: a command under a new id, with the lifetime it had. Raises KeyError, RequestError."""
        if id_.startswith(LINK):
            return await self._apply_again(id_, identity)
        known = await self._dead(id_)
        action = action_from_map(known["action"])
        new = await issue_audited(
            self.trail, self.desk, action, identity,
            lifetime_s=known["expires_at"] - known["issued_at"], replaces=id_,
        )  # fmt: skip
        return await self._listed(new)

    async def drop(self, id_: str, identity: Identity) -> dict[str, Any]:
        """Forget a dead letter and return it. Raises KeyError."""
        known = await self._dead(id_)
        await self.trail.note(identity.who, "dead.drop", self.desk.site, before={"id": id_}, outcome="done")
        if id_.startswith(LINK):
            await self.durable.drop_dead_letter(_number(id_))
        else:
            await self.desk.drop(id_)
        return known

    async def _apply_again(self, id_: str, identity: Identity) -> dict[str, Any]:
        known = await self._dead(id_)
        await self.trail.note(
            identity.who, "dead.requeue", self.desk.site, after={"id": id_}, outcome="begun"
        )
        async with self.trail.noting_failure(identity.who, "dead.requeue", self.desk.site):
            try:
                await self.durable.requeue(_number(id_), lambda message: message)
            except StorageError:
                raise
            except Exception as exc:
                words = f"it still cannot be applied: {type(exc).__name__}"
                raise RequestError(ErrorCode.BAD_REQUEST, words) from exc
        return {**known, "words": "applied"}

    async def _dead(self, id_: str) -> dict[str, Any]:
        for one in await self.dead_letters():
            if one["id"] == id_:
                return one
        raise KeyError(id_)

    async def _listed(self, id_: str) -> dict[str, Any]:
        found = await self.desk.find(id_)
        if found is None:
            raise KeyError(id_)
        return found


def _number(id_: str) -> int:
    digits = id_.removeprefix(LINK)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise KeyError(id_)
    return int(digits)
