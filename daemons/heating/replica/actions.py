"""What an operator can have a nas do: with its links, and with the commands and dead letters of its houses."""

from collections.abc import Callable, Mapping
from typing import Any

import apsw
from attrs import frozen

from daemons.heating.replica.houses import Houses, Lodger
from daemons.link.deadactions import dead_letter_actions
from daemons.link.durable import DurableChannels
from daemons.link.ledger import ledger_action
from daemons.link.outbox import OutboxFull
from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity
from daemons.store import fetch

__all__ = ["NasOffice"]


@frozen
class NasOffice:
    """The actions of a nas. `set_draining` makes it unready and refuses links, or takes that back."""

    houses: Houses
    set_draining: Callable[[bool], Any]

    def actions(self) -> list[Action]:
        """Return them all."""
        site = Param("site", help="its name")
        one = (site, Param("id", help="as site.commands says it"))
        return [
            Action("site.commands", self.commands, "List the commands to a house.", params=(site,), site="site", changes=False),
            Action(
                "site.withdraw", self.withdraw, "Have a house not run a command that it has not run yet.",
                params=one, site="site",
            ),
            Action("command.drop", self.drop, "Forget a command that failed or expired.", params=one, site="site"),
            Action("replica.check", self.check, "Compare a house's history with its own now.", params=(site,), site="site"),
            Action(
                "drain", self.drain, "Be unready, and send the houses away until this is taken back.",
                params=(Param("enabled", "flag", "false takes it back", required=False, default=True),),
            ),
            *dead_letter_actions(self._channels, by_site=True),
            ledger_action(self._channels, by_site=True, effects=_count),
        ]  # fmt: skip

    def _lodger(self, params: Mapping[str, Any]) -> Lodger:
        if params["site"] not in self.houses:
            raise ActionRefused(f"there is no house {params['site'][:64]!r} here", 404)
        return self.houses[params["site"]]

    def _channels(self, site: str) -> DurableChannels | None:
        return self.houses[site].peer.durable if site in self.houses else None

    async def commands(self, params: Mapping[str, Any], identity: Identity) -> Any:
        return await self._lodger(params).desk.listed()

    async def withdraw(self, params: Mapping[str, Any], identity: Identity) -> Done:
        desk, id_ = self._lodger(params).desk, params["id"]
        found = await desk.find(id_)
        if found is None:
            raise ActionRefused(f"there is no command {id_[:64]!r} to {params['site']}", 404)
        if found["decided_at"] is not None:
            raise ActionRefused(f"it is {found['status']} already")

        async def apply() -> dict[str, Any]:
            try:
                await desk.revoke(id_)
            except OutboxFull as exc:
                raise ActionRefused(str(exc), 503) from exc
            return {"words": "the house is asked not to run it; that is so when it says that it failed"}

        return Done(before=found["status"], after={"id": id_}, apply=apply)

    async def drop(self, params: Mapping[str, Any], identity: Identity) -> Done:
        desk, id_ = self._lodger(params).desk, params["id"]

        async def apply() -> dict[str, Any]:
            if not await desk.drop(id_):
                raise ActionRefused(f"there is no dead letter {id_[:64]!r} of {params['site']}", 404)
            return {"id": id_}

        return Done(before={"id": id_}, after="dropped", apply=apply)

    async def check(self, params: Mapping[str, Any], identity: Identity) -> Done:
        lodger = self._lodger(params)

        async def apply() -> dict[str, Any]:
            lodger.check.now()
            return {
                "words": "it begins as soon as the house is connected; the house's standing says how it ended"
            }

        return Done(after="asked for", apply=apply)

    async def drain(self, params: Mapping[str, Any], identity: Identity) -> Done:
        enabled = params["enabled"]
        return Done({"draining": enabled}, after=enabled, apply=lambda: self.set_draining(enabled))


def _count(conn: apsw.Connection, site: str) -> dict[str, int]:
    """Return how many events and batches of samples of a house are here."""
    sql = """SELECT (SELECT count(*) FROM heat_event AS e WHERE e.house = h.house)
        + (SELECT count(*) FROM heat_chunk AS c WHERE c.house = h.house) FROM heat_house AS h WHERE site = ?"""
    rows = fetch(conn, sql, (site,))
    return {"event": int(rows[0][0]) if rows else 0}
