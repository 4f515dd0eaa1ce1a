"""The ledger: what was promised on each reliable channel and what came, so that both ends' can be held side by side.

Numbers of an epoch are given out once and in order, so what was lost on the way shows as a difference.
"""

from collections.abc import Callable, Mapping
from typing import Any

import apsw

from daemons.link.durable import DurableChannels
from daemons.ops.admin.actions import Action, ActionRefused, Param
from daemons.ops.authority.identity import Identity

__all__ = ["ledger_action"]

Find = Callable[[str], DurableChannels | None]
"""The channels of a site ("" where there is only one peer)."""

Effects = Callable[[apsw.Connection, str], Mapping[str, int]]
"""How many effects there are in the database, by channel, of a site."""


def ledger_action(find: Find, *, by_site: bool, effects: Effects | None = None) -> Action:
    """Return the action `ledger`. `by_site`: at a hub, where a parameter names the site."""

    async def show(params: Mapping[str, Any], identity: Identity) -> Any:
        site = params.get("site", "")
        durable = find(site)
        if durable is None:
            raise ActionRefused(f"there is no site {site[:64]!r} here", 404)

        def read(conn: apsw.Connection) -> dict[str, Any]:
            shown = durable.ledger(conn)
            return shown if effects is None else shown | {"effects": dict(effects(conn, site))}

        return await durable.look(read)

    return Action(
        "ledger", show, "Show what was promised on each channel, and what came.",
        params=(Param("site", help="whose"),) if by_site else (), site="site" if by_site else "", changes=False,
    )  # fmt: skip
