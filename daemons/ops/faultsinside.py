"""Faults that an operator puts into a running daemon: allowed by its config alone, an admin's, audited, and leased.

What carries them is not of the daemons (`chaos/inside`); the command line binds it where the config allows.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen

from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.health import Health, Severity
from daemons.ops.options import option

__all__ = ["ChaosConfig", "FaultsInside", "fault_actions", "warn_of_faults"]

LEASE_S = 60.0

_NOT_ALLOWED = (
    "faults are not allowed in this daemon: that takes [chaos] allow = true in its config, and a restart; "
    "never at a race"
)


@frozen
class ChaosConfig:
    """Whether this daemon may be broken on purpose."""

    allow: bool = option(
        False, help="Let an admin put faults into this daemon while it runs (chaos.place). Not for a race."
    )


class FaultsInside(Protocol):
    """The port to what carries faults. Nothing here blocks."""

    def show(self) -> list[dict[str, Any]]:
        """Return what is in force."""

    def touched(self) -> dict[str, int]:
        """Return what each fault has met, those too that are over."""

    def begin(
        self,
        name: str,
        kind: str,
        attributes: Mapping[str, Any],
        stream: str,
        toxicity: float,
        site: str,
        lease_s: float,
    ) -> dict[str, Any]:
        """Begin a fault, or change the one of this name; return it as shown. Raises ValueError in words."""

    def check(
        self,
        name: str,
        kind: str,
        attributes: Mapping[str, Any],
        stream: str,
        toxicity: float,
        lease_s: float,
    ) -> None:
        """Raise ValueError, in words, for what `begin` would not begin."""

    def end(self, name: str) -> bool:
        """End a fault; return whether there was one."""

    def renew(self) -> int:
        """Begin all leases anew; return how many there are."""

    def reset(self) -> int:
        """End everything; return how many faults there were."""


@frozen
class _Office:
    inside: FaultsInside | None

    @property
    def _open(self) -> FaultsInside:
        if self.inside is None:
            raise ActionRefused(_NOT_ALLOWED, 403)
        return self.inside

    async def show(self, params: Mapping[str, Any], identity: Identity) -> Any:
        if self.inside is None:
            return {"allowed": False, "faults": [], "touched": {}}
        return {"allowed": True, "faults": self.inside.show(), "touched": self.inside.touched()}

    async def place(self, params: Mapping[str, Any], identity: Identity) -> Done:
        inside, attributes = self._open, params["attributes"]
        if not isinstance(attributes, dict):
            raise ActionRefused('attributes is a JSON object, such as {"latency": 200}', 400)
        name, kind, stream = params["name"], params["type"], params["stream"]
        toxicity, lease_s = params["toxicity"], params["lease_s"]
        try:
            inside.check(name, kind, attributes, stream, toxicity, lease_s)
        except ValueError as exc:
            raise ActionRefused(str(exc), 400) from exc

        def apply() -> dict[str, Any]:
            return inside.begin(name, kind, attributes, stream, toxicity, params["site"], lease_s)

        return Done(target=name, before=inside.show(), after=dict(params), apply=apply)

    async def remove(self, params: Mapping[str, Any], identity: Identity) -> Done:
        inside, name = self._open, params["name"]
        return Done(target=name, before=inside.show(), apply=lambda: {"removed": inside.end(name)})

    async def renew(self, params: Mapping[str, Any], identity: Identity) -> Any:
        return {"renewed": self._open.renew()}

    async def reset(self, params: Mapping[str, Any], identity: Identity) -> Done:
        inside = self._open
        return Done(before=inside.show(), apply=lambda: {"removed": inside.reset()})


def fault_actions(inside: FaultsInside | None) -> list[Action]:
    """Return chaos.list, .place, .remove, .renew and .reset; without `inside` all but the first are refused in words."""
    office, admin = _Office(inside), Role.ADMIN
    name = Param("name", help="of the fault: yours to choose")
    return [
        Action("chaos.list", office.show, "Show the faults in force, and what each has met.", admin, changes=False),
        Action(
            "chaos.place", office.place, "Put a fault into this daemon, or change it; it ends by itself.", admin,
            (
                name,
                Param("type", help="such as latency, silence, eat_message, clock_step: docs/chaos.md"),
                Param("attributes", "any", 'a JSON object, such as {"latency": 200}', required=False, default={}),
                Param("stream", help="upstream (from the site), downstream or both", required=False, default="both"),
                Param("toxicity", "number", "the share of connections, 0 to 1", required=False, default=1.0),
                Param("site", help="at a hub: the link with this site only", required=False, default=""),
                Param("lease_s", "number", "seconds until it ends by itself", required=False, default=LEASE_S),
            ),
        ),
        Action("chaos.remove", office.remove, "End a fault.", admin, (name,)),
        Action("chaos.renew", office.renew, "Begin the leases of all faults anew.", admin, changes=False),
        Action("chaos.reset", office.reset, "End all faults.", admin),
    ]  # fmt: skip


def warn_of_faults(health: Health, inside: FaultsInside | None) -> None:
    """Say that faults may be put in, and which are in force now. To be called again when that changes."""
    if inside is None:
        return
    health.set(
        "chaos", Severity.NOTICE, "faults may be put into this daemon: [chaos] allow is on, not for a race"
    )
    names = [f"{fault['name']} ({fault['type']})" for fault in inside.show()]
    words = f"broken on purpose: {', '.join(names)}" if names else ""
    health.warn("chaos-faults", words)
