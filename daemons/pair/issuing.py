"""Commands of people at a hub: noted before they go out, and noted again when the site says what became of them."""

from typing import Any

from daemons.ops.authority.identity import Identity
from daemons.ops.authority.trail import AuditTrail
from daemons.pair.desk import CommandDesk, TooManyCommands
from protocol.messages import Action, ResultStatus, action_to_map

__all__ = ["issue_audited", "note_result"]


async def issue_audited(trail: AuditTrail, desk: CommandDesk, action: Action, identity: Identity) -> str:
    """Issue a command and return its id. What cannot be audited is not issued.

    Raises StorageError, and as `CommandDesk.issue`. Cancelled while it is issued there is a row "failed" as well.
    """
    fields = action_to_map(action)
    name = f"command.{fields['do']}"
    try:
        id_ = desk.admit(action)
    except TooManyCommands as exc:
        await trail.note_refused(identity.who, name, desk.site, exc.words)
        raise
    await trail.note(identity.who, name, desk.site, after={**fields, "id": id_}, outcome="begun")
    async with trail.noting_failure(identity.who, name, desk.site):
        return await desk.issue(action, identity.who, id_=id_)


async def note_result(trail: AuditTrail, site: str, command: dict[str, Any]) -> None:
    """Audit what a site said of a command, as the desk lists it. Raises StorageError."""
    await trail.note(
        f"link {site}",
        f"command.{command['action']['do']}",
        site,
        after={key: command[key] for key in ("id", "issuer", "status", "words")},
        outcome="done" if command["status"] == ResultStatus.DONE else "failed",
    )
