"""Admin actions on dead letters: messages that came and could not be applied."""

from collections.abc import Callable, Mapping
from typing import Any

from daemons.link.durable import DurableChannels
from daemons.link.inbox import DeadLetter
from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity
from daemons.store.errors import StorageError

__all__ = ["dead_letter_actions"]

LISTED_MAX = 200

Find = Callable[[str], DurableChannels | None]
"""The channels of a site ("" where there is only one peer)."""


def dead_letter_actions(find: Find, *, by_site: bool) -> list[Action]:
    """Return dead.list, dead.requeue and dead.drop. `by_site`: at a hub, where a parameter names the site."""
    site = (Param("site", help="whose"),) if by_site else ()
    one = (*site, Param("id", "whole", "as dead.list says it"))

    def channels(params: Mapping[str, Any]) -> DurableChannels:
        found = find(params.get("site", ""))
        if found is None:
            raise ActionRefused(f"there is no site {params['site']!r} here", 404)
        return found

    async def find_letter(params: Mapping[str, Any]) -> tuple[DurableChannels, DeadLetter]:
        durable = channels(params)
        for letter in await durable.dead_letters():
            if letter.id == params["id"]:
                return durable, letter
        raise ActionRefused(f"there is no dead letter {params['id']}", 404)

    async def list_letters(params: Mapping[str, Any], identity: Identity) -> Any:
        letters = await channels(params).dead_letters()
        return {"count": len(letters), "oldest": [_describe(letter) for letter in letters[:LISTED_MAX]]}

    async def requeue(params: Mapping[str, Any], identity: Identity) -> Done:
        durable, letter = await find_letter(params)

        async def apply() -> dict[str, Any]:
            try:
                is_done = await durable.requeue(letter.id, lambda message: message)
            except StorageError as exc:
                raise ActionRefused(str(exc), 503) from exc
            except Exception as exc:
                raise ActionRefused(f"it still cannot be applied: {type(exc).__name__}") from exc
            return _gone(is_done, letter)

        return Done(target=_name(params, letter), before=_describe(letter), after="requeued", apply=apply)

    async def drop(params: Mapping[str, Any], identity: Identity) -> Done:
        durable, letter = await find_letter(params)

        async def apply() -> dict[str, Any]:
            try:
                return _gone(await durable.drop_dead_letter(letter.id), letter)
            except StorageError as exc:
                raise ActionRefused(str(exc), 503) from exc

        return Done(target=_name(params, letter), before=_describe(letter), after="dropped", apply=apply)

    key = "site" if by_site else ""
    return [
        Action("dead.list", list_letters, "List messages that could not be applied.", params=site, site=key, changes=False),
        Action("dead.requeue", requeue, "Apply one after all.", params=one, site=key),
        Action("dead.drop", drop, "Remove one for good.", params=one, site=key),
    ]  # fmt: skip


def _gone(is_done: bool, letter: DeadLetter) -> dict[str, Any]:
    if not is_done:
        raise ActionRefused(f"dead letter {letter.id} has gone meanwhile", 404)
    return {"id": letter.id}


def _name(params: Mapping[str, Any], letter: DeadLetter) -> str:
    return f"{params['site']} {letter.id}" if "site" in params else str(letter.id)


def _describe(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter without its body, which is nobody's business."""
    return {
        "id": letter.id,
        "channel": letter.channel,
        "seq": letter.seq,
        "type": letter.type,
        "bytes": len(letter.body),
        "error": letter.error,
        "at": letter.at,
    }
