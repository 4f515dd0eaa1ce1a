"""Actions that every daemon has: log level, limits, backup, and accepting a peer's audit."""

from collections.abc import Callable, Mapping
from typing import Any

from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.heads import accept, kept_of
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.errors import ConfigError
from daemons.ops.limits import LimitTable
from daemons.ops.logs import LogLevel, log_level, set_log_level
from daemons.ops.storecare import StoreCare
from daemons.store.errors import StorageError

__all__ = ["backup_actions", "common_actions", "limit_actions"]


def common_actions(trail: AuditTrail, clear_health: Callable[[str], None]) -> list[Action]:
    """Return log.level and audit.accept."""

    async def level(params: Mapping[str, Any], identity: Identity) -> Done:
        try:
            after = LogLevel(params["level"].lower())
        except ValueError:
            raise ActionRefused("level is debug, info, warning or error", 400) from None
        before = log_level()
        words = {"level": str(after)}
        return Done(words, "log", str(before), str(after), apply=lambda: set_log_level(after))

    async def accept_head(params: Mapping[str, Any], identity: Identity) -> Done:
        peer = params["peer"]
        known = trail.file.read(lambda conn: kept_of(conn, peer))
        if known is None:
            raise ActionRefused(f"no head of {peer!r} is kept here", 404)
        before = {"head": str(known.head), "broken": known.broken}
        return Done(
            before,
            peer,
            before,
            "the head it tells next",
            persist=lambda conn: accept(conn, peer),
            apply=lambda: clear_health(f"audit-{peer}"),
        )

    return [
        Action(
            "log.level", level, "Change the least severe level that is logged, until the next start.",
            params=(Param("level", help="debug, info, warning or error"),),
        ),
        Action(
            "audit.accept", accept_head, "Take the head of a peer's audit that it tells next, whatever was kept of it.",
            Role.ADMIN, (Param("peer", help="the site, or hub"),),
        ),
    ]  # fmt: skip


def limit_actions(table: LimitTable[Any]) -> list[Action]:
    """Return limits.list and limits.set."""

    async def list_limits(params: Mapping[str, Any], identity: Identity) -> Any:
        return table.get()

    async def set_limit(params: Mapping[str, Any], identity: Identity) -> Done:
        name, value = params["name"], params["value"]
        try:
            before = table.check(name, value)
        except ConfigError as exc:
            raise ActionRefused(str(exc), 400) from exc

        def apply() -> dict[str, Any]:
            table.load()
            return {"name": name, "value": table.get()[name]}

        after = "as configured" if value is None else value
        persist = None if table.authority is None else lambda conn: table.set_in(conn, name, value)
        return Done(None, name, before, after, persist=persist, apply=apply)

    return [
        Action("limits.list", list_limits, "Show every limit as it holds now.", changes=False),
        Action(
            "limits.set", set_limit, "Change a limit, now and for the starts to come.", Role.ADMIN,
            (Param("name"), Param("value", "any", "without it: back to the config", required=False)),
        ),
    ]  # fmt: skip


def backup_actions(care: StoreCare) -> list[Action]:
    """Return backup.take."""

    async def take(params: Mapping[str, Any], identity: Identity) -> Done:
        async def apply() -> dict[str, Any]:
            try:
                backup = await care.take()
            except StorageError as exc:
                raise ActionRefused(str(exc), 503) from exc
            return {"path": str(backup.path), "bytes": backup.bytes}

        return Done(target=str(care.into), apply=apply)

    return [Action("backup.take", take, "Make a backup now, and read it back.")]
