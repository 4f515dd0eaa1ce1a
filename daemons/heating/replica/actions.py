"""What an operator can have a nas do beside what every hub does: compare a house's history, and count it for the ledger."""

from collections.abc import Mapping
from typing import Any

import apsw
from attrs import frozen

from daemons.heating.replica.houses import Houses
from daemons.ops.admin.actions import Action, Done, Param
from daemons.ops.authority.identity import Identity
from daemons.pair.hubactions import DeskOffice
from daemons.store import fetch

__all__ = ["NasOffice"]


@frozen
class NasOffice:
    """The actions of a nas."""

    houses: Houses

    def actions(self) -> list[Action]:
        """Return them all."""
        desks = DeskOffice(self.houses, _count, "house")

        async def check(params: Mapping[str, Any], identity: Identity) -> Done:
            seat = desks.seat(params)

            async def apply() -> dict[str, Any]:
                seat.check.now()
                return {
                    "words": "it begins as soon as the house is connected; the house's standing says how it ended"
                }

            return Done(after="asked for", apply=apply)

        return [
            *desks.actions(),
            Action(
                "replica.check", check, "Compare a house's history with its own now.",
                params=(Param("site", help="its name"),), site="site",
            ),
        ]  # fmt: skip


def _count(conn: apsw.Connection, site: str) -> dict[str, int]:
    """Return how many events and batches of samples of a house are here."""
    sql = """SELECT (SELECT count(*) FROM heat_event AS e WHERE e.house = h.house)
        + (SELECT count(*) FROM heat_chunk AS c WHERE c.house = h.house) FROM heat_house AS h WHERE site = ?"""
    rows = fetch(conn, sql, (site,))
    return {"event": int(rows[0][0]) if rows else 0}
