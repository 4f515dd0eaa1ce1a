"""Commands of people and the audit: what it says of one is durable with it, before it goes out; it is noted before it is
carried out, and what became of it."""

from collections.abc import Sequence
from typing import Any

from daemons.link.outbox import OutboxFull
from daemons.ops.authority.audit import AuditEntry, Outcome
from daemons.ops.authority.identity import Identity
from daemons.ops.authority.trail import AuditTrail
from daemons.pair.desk import LIFETIME_S, CommandDesk, Note, TooManyCommands
from daemons.pair.executor import Told
from protocol.messages import Action, Command, ResultStatus, action_to_map

__all__ = ["issue_audited", "note_issued", "note_taken"]


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
    """Issue a command and return its id. While nothing can be audited none is issued. The rest is as `CommandDesk.issue`
    has it.

    The command is queued together with what the audit is to say of it, in one commit; the desk adds that row a moment
    later, at least once, also after a restart. Raises StorageError, and as `CommandDesk.issue`.
    """
    name = f"command.{action_to_map(action)['do']}"
    try:
        id_ = desk.admit(action)
        trail.check()
        return await desk.issue(
            action, identity.who, lifetime_s, id_=id_, against=against, replaces=replaces, is_to_note=True
        )
    except (TooManyCommands, OutboxFull) as exc:
        await trail.note_refused(identity.who, name, desk.site, getattr(exc, "words", str(exc)))
        raise


async def note_issued(trail: AuditTrail, site: str, told: Sequence[Note]) -> None:
    """Audit commands to a site: that one was issued, or what the site said of it. Raises StorageError."""
    await trail.note_all(
        [
            _decided(site, one.command, trail.utc_now()) if one.is_result else _issued(site, one.command)
            for one in told
        ]
    )


def _issued(site: str, command: dict[str, Any]) -> AuditEntry:
    fields = command["action"]
    after = {**fields, "id": command["id"]}
    if command["replaces"] is not None:
        after["replaces"] = command["replaces"]
    at = command["issued_at"]
    return AuditEntry(at, command["issuer"], f"command.{fields['do']}", site, after=after, outcome="begun")


def _decided(site: str, command: dict[str, Any], at: float) -> AuditEntry:
    return AuditEntry(
        at,
        f"link {site}",
        f"command.{command['action']['do']}",
        site,
        after={key: command[key] for key in ("id", "issuer", "status", "words")},
        outcome="done" if command["status"] == ResultStatus.DONE else "failed",
    )


async def note_taken(trail: AuditTrail, told: Sequence[Told]) -> None:
    """Audit at a site commands of its hub: that one is carried out now (no status), or how it ended. Raises StorageError."""
    await trail.note_all([_taken(*one, trail.utc_now()) for one in told])


def _taken(command: Command, status: ResultStatus | None, words: str, at: float) -> AuditEntry:
    action = action_to_map(command.action)
    after = {**action, "id": command.id}
    outcome: Outcome = "begun"
    if status is not None:
        after["words"] = words
        outcome = "done" if status is ResultStatus.DONE else "failed"
    return AuditEntry(at, f"link {command.issuer}", f"command.{action['do']}", after=after, outcome=outcome)
