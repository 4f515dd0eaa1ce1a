"""Commands of people and the audit: noted before they go out, before they are carried out, and what became of them."""

from typing import Any

from daemons.ops.authority.audit import Outcome
from daemons.ops.authority.identity import Identity
from daemons.ops.authority.trail import AuditTrail
from daemons.pair.desk import LIFETIME_S, CommandDesk, TooManyCommands
from protocol.messages import Action, Command, ResultStatus, action_to_map

__all__ = ["issue_audited", "note_command", "note_result"]


async def issue_audited(
    trail: AuditTrail,
    desk: CommandDesk,
    action: Action,
    identity: Identity,
    *,
    lifetime_s: float = LIFETIME_S,
    against: int = 0,
    replaces: str | None = None,
) -> str:
    """Issue a command and return its id. What cannot be audited is not issued. The rest is as `CommandDesk.issue` has it.

    Raises StorageError, and as `CommandDesk.issue`. Cancelled while it is issued there is a row "failed" as well.
    """
    fields = action_to_map(action)
    name = f"command.{fields['do']}"
    try:
        id_ = desk.admit(action)
    except TooManyCommands as exc:
        await trail.note_refused(identity.who, name, desk.site, exc.words)
        raise
    after = {**fields, "id": id_, **({"replaces": replaces} if replaces is not None else {})}
    await trail.note(identity.who, name, desk.site, after=after, outcome="begun")
    async with trail.noting_failure(identity.who, name, desk.site):
        return await desk.issue(action, identity.who, lifetime_s, id_=id_, against=against, replaces=replaces)


async def note_result(trail: AuditTrail, site: str, command: dict[str, Any]) -> None:
    """Audit what a site said of a command, as the desk lists it. Raises StorageError."""
    await trail.note(
        f"link {site}",
        f"command.{command['action']['do']}",
        site,
        after={key: command[key] for key in ("id", "issuer", "status", "words")},
        outcome="done" if command["status"] == ResultStatus.DONE else "failed",
    )


async def note_command(trail: AuditTrail, command: Command, status: ResultStatus | None, words: str) -> None:
    """Audit at a site a command of its hub: that it is carried out now (no status), or how it ended. Raises StorageError."""
    action = action_to_map(command.action)
    after = {**action, "id": command.id}
    outcome: Outcome = "begun"
    if status is not None:
        after["words"] = words
        outcome = "done" if status is ResultStatus.DONE else "failed"
    await trail.note(f"link {command.issuer}", f"command.{action['do']}", after=after, outcome=outcome)
