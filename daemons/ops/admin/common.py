"""Actions that every daemon has: log level, backup, and accepting a peer's audit."""

from collections.abc import Callable, Mapping
from typing import Any

from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.admin.limitactions import lasting_s
from daemons.ops.authority.heads import accept, kept_of
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.lapses import Lapses
from daemons.ops.logs import LogLevel, log_level, set_log_level
from daemons.ops.storecare import StoreCare
from daemons.store.errors import StorageError

__all__ = ["LOG_LEVEL", "backup_actions", "common_actions"]


LOG_LEVEL = "log level"


def common_actions(trail: AuditTrail, clear_health: Callable[[str], None], lapses: Lapses) -> list[Action]:
    """Return log.level and audit.accept. `lapses`: what takes a level back that was set for a time."""

    async def level(params: Mapping[str, Any], identity: Identity) -> Done:
        try:
            after = LogLevel(params["level"].lower())
        except ValueError:
            raise ActionRefused("level is debug, info, warning or error", 400) from None
        for_s = None if params["for_s"] is None else lasting_s(params["for_s"])
        before = log_level()
        words: dict[str, Any] = {"level": str(after)}

        def apply() -> None:
            nonlocal before
            if for_s is None:
                lapses.forget(LOG_LEVEL)
            else:
                lapses.end_now(LOG_LEVEL)  # back to what is not for a time: that is where this goes back to
                before = log_level()
                lapses.begin(LOG_LEVEL, for_s, lambda: set_log_level(before))
            set_log_level(after)

        told = str(after) if for_s is None else {**words, "for_s": for_s}
        return Done(words, "log", str(before), told, apply=apply)

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
            "log.level", level, "Change the least severe level that is logged, until the next start at the longest.",
            params=(
                Param("level", help="debug, info, warning or error"),
                Param("for_s", "number", "seconds; then it goes back by itself", required=False),
            ),
        ),
        Action(
            "audit.accept", accept_head, "Take the head of a peer's audit that it tells next, whatever was kept of it.",
            Role.ADMIN, (Param("peer", help="the site, or hub"),),
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
