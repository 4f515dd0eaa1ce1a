"""What the organiser says about which pits show an event, at the hub's admin API."""

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen

from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity
from daemons.race.active import ActivePits

__all__ = ["ActiveOffice"]


class Fields(Protocol):
    """What the office needs of the hub's sites."""

    @property
    def active(self) -> ActivePits: ...

    def __contains__(self, site: object) -> bool: ...

    async def choose(self, event_id: str, site: str | None) -> None: ...


@frozen
class ActiveOffice:
    """The actions on the active pits of an event."""

    fields: Fields

    def actions(self) -> list[Action]:
        """Return them all."""
        site = Param("site", help="its name")
        return [
            Action(
                "site.show", self.show, "Show the event that a site has open from this site, until site.show.auto.",
                params=(site,), site="site",
            ),
            Action(
                "site.show.auto", self.auto, "Show a site's event from whichever of its pits was first and is there.",
                params=(site,), site="site",
            ),
            Action("site.shown", self.shown, "Show which pits show which field.", changes=False),
        ]  # fmt: skip

    async def show(self, params: Mapping[str, Any], identity: Identity) -> Done:
        event_id, site = self._event(params["site"]), params["site"]
        return Done(
            target=site,
            before=self._now(event_id),
            after={"event": event_id, "site": site, "chosen": True},
            apply=lambda: self.fields.choose(event_id, site),
        )

    async def auto(self, params: Mapping[str, Any], identity: Identity) -> Done:
        event_id = self._event(params["site"])
        return Done(
            target=params["site"],
            before=self._now(event_id),
            after={"event": event_id, "chosen": False},
            apply=lambda: self.fields.choose(event_id, None),
        )

    async def shown(self, params: Mapping[str, Any], identity: Identity) -> Any:
        active = self.fields.active
        return [
            {
                "field": name,
                "site": site,
                "event": active.event_of(site),
                "pits": active.group(site) or [site],
                "chosen": self._now(active.event_of(site) or "").get("chosen", False),
            }
            for name, site in sorted(active.shown.items())
        ]

    def _event(self, site: str) -> str:
        if site not in self.fields:
            raise ActionRefused(f"there is no site {site[:64]!r} here", 404)
        event_id = self.fields.active.event_of(site)
        if event_id is None:
            raise ActionRefused(f"{site} has no event open, as far as is known here", 409)
        return event_id

    def _now(self, event_id: str) -> dict[str, Any]:
        holding = self.fields.active.holdings.get(event_id)
        return (
            {} if holding is None else {"event": event_id, "site": holding.site, "chosen": holding.is_chosen}
        )
