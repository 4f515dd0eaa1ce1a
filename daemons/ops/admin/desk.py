"""The desk where actions are asked for: who may, what it needs, the audit row, and only then the deed."""

import inspect
from collections.abc import Mapping
from typing import Any

import structlog
from attrs import frozen

from daemons.ops.admin.actions import Action, ActionRefused, Done, Registry
from daemons.ops.authority.identity import Forbidden, Identity
from daemons.ops.authority.trail import AuditTrail
from daemons.store.errors import StorageError

__all__ = ["AdminDesk", "describe_action"]

_log = structlog.stdlib.get_logger("pitlink.ops")


@frozen
class AdminDesk:
    """Carries out the actions of a registry and audits them: those done, those refused, those that failed."""

    registry: Registry
    trail: AuditTrail

    async def perform(self, name: str, given: Mapping[str, Any], identity: Identity) -> Any:
        """Do an action and return its result. Cancelled before its audit row is durable, nothing was done.

        Raises ActionRefused (in words, with a status) and Forbidden; a bug is logged and becomes ActionRefused(500).
        """
        action = self.registry.get(name)
        if action is None:
            raise ActionRefused(f"there is no action {name[:64]!r} here; see: pitlink ctl", 404)
        target = _site_of(action, given)
        try:
            _check_role(action, identity)
            if action.changes and identity.only_looks:
                raise Forbidden(f"{action.name} changes something, and you only look", "looks")
            params = action.read(given)
            identity.require(action.role, target or None)
            found = await action.run(params, identity)
        except (Forbidden, ActionRefused) as exc:
            await self.trail.note_refused(identity.who, name, target, exc.words)
            raise
        except StorageError as exc:
            await self.trail.note_failure(identity.who, name, target, exc)
            raise ActionRefused(str(exc), 503) from exc
        except Exception as exc:
            _log.exception("action.failed", action=name, who=identity.who)
            await self.trail.note_failure(identity.who, name, target, exc)
            raise ActionRefused("the action failed; the daemon's log says more", 500) from exc
        done = found if isinstance(found, Done) else Done(found)
        if not action.changes or action.audits:
            return done.result
        return await self._carry_out(action, params, done, done.target or target, identity)

    async def _carry_out(
        self, action: Action, params: Mapping[str, Any], done: Done, target: str, identity: Identity
    ) -> Any:
        after = done.after if done.after is not None else _said(params)
        try:
            await self.trail.note(
                identity.who, action.name, target,
                before=done.before, after=after, outcome=done.outcome, persist=done.persist,
            )  # fmt: skip
        except StorageError as exc:
            raise ActionRefused(f"it was not done, because it cannot be audited: {exc}", 503) from exc
        if done.apply is None:
            return done.result
        try:
            async with self.trail.noting_failure(identity.who, action.name, target):
                made = done.apply()
                if inspect.isawaitable(made):
                    made = await made
        except ActionRefused:
            raise
        except StorageError as exc:
            raise ActionRefused(str(exc), 503) from exc
        except Exception as exc:
            _log.exception("action.failed", action=action.name, who=identity.who)
            raise ActionRefused("the action failed; the daemon's log says more", 500) from exc
        return made if done.result is None else done.result


def _check_role(action: Action, identity: Identity) -> None:
    """Refuse a role that will not do before anything is said of the parameters."""
    if not identity.role.covers(action.role):
        words = f"{action.name} takes the role {action.role}, and {identity.name} is {identity.role}"
        raise Forbidden(words, "role")


def _site_of(action: Action, given: Mapping[str, Any]) -> str:
    site = given.get(action.site) if action.site else None
    return site[:64].encode(errors="replace").decode() if isinstance(site, str) else ""


def _said(params: Mapping[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in params.items() if value is not None} or None


def describe_action(action: Action) -> dict[str, Any]:
    """Return an action as data, for those who choose one."""
    return {
        "name": action.name,
        "help": action.help,
        "role": str(action.role),
        "changes": action.changes,
        "site": action.site or None,
        "params": [
            {"name": param.name, "kind": param.kind, "help": param.help, "required": param.required}
            for param in action.params
        ],
    }
