"""Faults that an operator puts into a running daemon: allowed by its config alone, an admin's, audited, and leased.

What carries them is not of the daemons (`chaos/inside`); the command line binds it where the config allows. Drills that
break the daemon from outside say here how they stand: that is allowed everywhere.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from attrs import field, frozen

from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.drillnotes import DrillNotes
from daemons.ops.health import Health, Severity
from daemons.ops.options import option

__all__ = ["ChaosConfig", "ChaosOffice", "FaultsInside"]

LEASE_S = 60.0
NOTE_S = 15.0
PART = "*"
"""At the end of a name: all whose names begin so. No name has it."""

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
    """The port to what carries faults. Nothing here blocks. `on_change` is called when what is in force has changed."""

    on_change: Callable[[], None]

    def kinds(self) -> dict[str, Any]:
        """Return what can be begun: "faults", each with its attributes, and "profiles", each with its parts."""

    def parts(self, profile: str) -> list[dict[str, Any]]:
        """Return the faults of a profile: name, type, attributes and stream of each. Raises ValueError in words."""

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
class ChaosOffice:
    """The actions on faults, and what the status says of them. `inside`: None where the config does not allow faults."""

    inside: FaultsInside | None
    notes: DrillNotes = field(factory=DrillNotes)

    def keep_told(self, health: Health) -> None:
        """Have the daemon's health say that faults may be put in and which are in force, now and at each change."""
        if self.inside is not None:
            self.inside.on_change = partial(_warn_of_faults, health, self.inside)
            self.inside.on_change()

    def status(self) -> dict[str, Any]:
        """Return what every operator is to know at once."""
        return {
            "allowed": self.inside is not None,
            "faults": 0 if self.inside is None else len(self.inside.show()),
            "drills": self.notes.running(),
        }

    def actions(self) -> list[Action]:
        """Return them: all but those that look, and those of drills, are refused in words without `inside`."""
        admin = Role.ADMIN
        name = Param("name", help="of the fault: yours to choose")
        run = Param("run", help="which run of a drill: a text that no other run has")
        standing = Param(
            "standing", "any", 'a JSON object that names the drill, {"drill": "cable-pull", ...}'
        )
        lease = Param("lease_s", "number", "seconds until it counts as gone", required=False, default=NOTE_S)
        return [
            Action(
                "chaos.list", self._show, "Show the faults in force, what each has met, and drills.", changes=False
            ),
            Action(
                "chaos.kinds", self._kinds, "Show the faults and profiles that can be put in.", changes=False
            ),
            Action(
                "chaos.place", self._place, "Put a fault or a profile into this daemon, or change it; it ends by itself.",
                admin,
                (
                    name,
                    Param("type", help="such as latency, silence, eat_message, clock_step: docs/chaos.md",
                          required=False, default=""),
                    Param("attributes", "any", 'a JSON object, such as {"latency": 200}', required=False, default={}),
                    Param("stream", help="upstream (from the site), downstream or both", required=False, default="both"),
                    Param("toxicity", "number", "the share of connections, 0 to 1", required=False, default=1.0),
                    Param("site", help="at a hub: the link with this site only", required=False, default=""),
                    Param("lease_s", "number", "seconds until it ends by itself", required=False, default=LEASE_S),
                    Param("profile", help="in place of a type: all that it has, named NAME.PART", required=False,
                          default=""),
                ),
            ),
            Action(
                "chaos.remove", self._remove, "End a fault, or with NAME.* all whose names begin so.", admin, (name,)
            ),
            Action("chaos.renew", self._renew, "Begin the leases of all faults anew.", admin, changes=False),
            Action("chaos.reset", self._reset, "End all faults.", admin),
            Action("chaos.drill", self._begin_note, "Say that a drill on this daemon begins, or how it ended.",
                   params=(run, standing, lease)),
            Action("chaos.note", self._note, "Say how a drill stands that has begun.", params=(run, standing, lease),
                   changes=False),
        ]  # fmt: skip

    @property
    def _open(self) -> FaultsInside:
        if self.inside is None:
            raise ActionRefused(_NOT_ALLOWED, 403)
        return self.inside

    async def _show(self, params: Mapping[str, Any], identity: Identity) -> Any:
        drills = self.notes.show()
        if self.inside is None:
            return {"allowed": False, "words": _NOT_ALLOWED, "faults": [], "touched": {}, "drills": drills}
        shown, touched = self.inside.show(), self.inside.touched()
        return {"allowed": True, "faults": shown, "touched": touched, "drills": drills}

    async def _kinds(self, params: Mapping[str, Any], identity: Identity) -> Any:
        return {"faults": [], "profiles": []} if self.inside is None else self.inside.kinds()

    async def _place(self, params: Mapping[str, Any], identity: Identity) -> Done:
        inside, lease_s = self._open, params["lease_s"]
        try:
            wanted = _wanted(inside, params)
            for one in wanted:
                inside.check(*one, lease_s)
        except ValueError as exc:
            raise ActionRefused(str(exc), 400) from exc

        def apply() -> Any:
            try:
                begun = [inside.begin(*one, params["site"], lease_s) for one in wanted]
            except ValueError as exc:  # the last of a profile's may be one too many
                for name, *_ in wanted:
                    inside.end(name)
                raise ActionRefused(str(exc), 400) from exc
            return {"placed": begun} if params["profile"] else begun[0]

        return Done(target=params["name"], before=inside.show(), after=dict(params), apply=apply)

    async def _remove(self, params: Mapping[str, Any], identity: Identity) -> Done:
        inside, name = self._open, params["name"]
        if not name.endswith(PART):
            return Done(target=name, before=inside.show(), apply=lambda: {"removed": inside.end(name)})
        names = [one["name"] for one in inside.show() if one["name"].startswith(name.removesuffix(PART))]
        return Done(target=name, before=inside.show(), apply=lambda: {"removed": sum(map(inside.end, names))})

    async def _renew(self, params: Mapping[str, Any], identity: Identity) -> Any:
        return {"renewed": self._open.renew()}

    async def _reset(self, params: Mapping[str, Any], identity: Identity) -> Done:
        inside = self._open
        return Done(before=inside.show(), apply=lambda: {"removed": inside.reset()})

    async def _begin_note(self, params: Mapping[str, Any], identity: Identity) -> Done:
        keep, standing = self._kept(params), params["standing"]
        after = {key: standing[key] for key in ("against", "verdict", "why") if standing.get(key)}
        return Done(target=standing["drill"], after=after or "begins", apply=keep)

    async def _note(self, params: Mapping[str, Any], identity: Identity) -> Any:
        keep = self._kept(params)
        if not self.notes.knows(params["run"]):
            raise ActionRefused("nothing is known of this run: begin it with chaos.drill", 409)
        return keep()

    def _kept(self, params: Mapping[str, Any]) -> Callable[[], Any]:
        """Return what keeps a drill's word. Raises ActionRefused for one that is none."""
        run, standing, lease_s = params["run"], params["standing"], params["lease_s"]
        try:
            self.notes.check(run, standing, lease_s)
        except ValueError as exc:
            raise ActionRefused(str(exc), 400) from exc
        return lambda: self.notes.keep(run, standing, lease_s)


_Wanted = tuple[str, str, Mapping[str, Any], str, float]
"""Name, type, attributes, stream and toxicity."""


def _wanted(inside: FaultsInside, params: Mapping[str, Any]) -> list[_Wanted]:
    """Return the faults that are asked for. Raises ValueError in words."""
    name, kind, profile, attributes = (params[key] for key in ("name", "type", "profile", "attributes"))
    if bool(kind) == bool(profile):
        raise ValueError("name one type, or one profile")
    if not isinstance(attributes, dict):
        raise ValueError('attributes is a JSON object, such as {"latency": 200}')
    toxicity = params["toxicity"]
    if not profile:
        return [(name, kind, attributes, params["stream"], toxicity)]
    if attributes or params["stream"] != "both":
        raise ValueError("a profile has attributes and streams of its own")
    return [
        (f"{name}.{part['name']}", part["type"], part["attributes"], part["stream"], toxicity)
        for part in inside.parts(profile)
    ]


def _warn_of_faults(health: Health, inside: FaultsInside) -> None:
    health.set(
        "chaos", Severity.NOTICE, "faults may be put into this daemon: [chaos] allow is on, not for a race"
    )
    names = [f"{fault['name']} ({fault['type']})" for fault in inside.show()]
    words = f"broken on purpose: {', '.join(names)}" if names else ""
    health.warn("chaos-faults", words)
