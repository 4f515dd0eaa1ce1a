"""What can be broken on purpose, and mended: a fault or a profile put into a daemon, one lifted, all of them; a drill."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from tui.app.control import LIFETIMES_S, Control, Lasting, Question, seconds, until_words
from tui.app.deeds import Deed
from tui.model import DaemonView, Model, SiteView
from tui.model.chaos_values import HERE, FaultKind, FaultView, Playable
from tui.model.words import age, counted, daemon_name, printable

__all__ = ["chaos_controls", "drill_deed", "end_deed", "heal_deed", "lift_deed", "place_control"]

LASTS_S = 30.0
_TYPED = "a fault or a profile, its attributes, for how long: latency latency=300 30s"
_OWN = ("stream", "toxicity", "site", "name")


def chaos_controls(model: Model, view: DaemonView, site: SiteView | None) -> Iterator[tuple[str, Control]]:
    """Yield the controls of faults inside of a daemon; at a hub's site, of the link with that one."""
    yield "chaos.place", place_control(model, view, site)
    faults = model.chaos.faults_of(view.daemon)
    if not faults:
        return
    made = _Chaos(model, view, None)
    names = tuple(fault.name for fault in faults)
    yield "chaos.remove", Control("lift", f"Lift a fault of {made.name}", made.lift, "which", names[0], names)
    yield "chaos.reset", Control("heal", f"End all faults in {made.name}", made.heal)


def place_control(model: Model, view: DaemonView, site: SiteView | None = None, given: str = "") -> Control:
    """Return the control that puts a fault into a daemon; `given`: what is typed already."""
    made = _Chaos(model, view, site if site is not None and view.is_hub else None)
    offers = tuple(kind.name for kind in model.chaos.kinds.get(view.daemon, ()))
    asks = "fault, for how long"
    return Control(
        "chaos", f"Break {made.name}", made.place, asks, given or "latency latency=300 30s", offers
    )


def lift_deed(model: Model, fault: FaultView) -> Question | None:
    """Return what ends a fault; None when its daemon is not known any more."""
    view = model.daemons.get(fault.daemon)
    return None if view is None else _Chaos(model, view, None).lift(fault.name)


def heal_deed(model: Model, view: DaemonView) -> Question:
    """Return what ends all faults in a daemon."""
    return _Chaos(model, view, None).heal("")


def drill_deed(drill: Playable, records: str) -> Question:
    """Return what plays a drill on a site and a hub of its own, on this machine. Raises ValueError."""
    if drill.problem:
        raise ValueError(f"{drill.drill} cannot be played: {drill.problem}")
    lines = (
        f"1 site and 1 hub are started on this machine for it, and {drill.steps} faults are played on them"
        + (f", in {age(drill.length_s)}." if drill.length_s is not None else "."),
        "Nothing that is shown here is touched. It heals and ends when this terminal ends.",
        f"Its record goes to {records}.",
    )
    title = f"drill {printable(drill.drill)}"
    command = ("pitlink", "chaos", "drill", drill.which, "--report", records)
    why_not = "a drill ends by itself, or with x"
    deed = Deed(HERE, "drill", {"which": drill.which}, title, title, why_not=why_not, command=command)
    return Question(deed, lines, "Play")


def end_deed(drill: str, pid: int) -> Question:
    """Return what ends the drill that was started from here, as a process of this machine."""
    lines = ("1 drill is aborted. What it has broken is healed first.",)
    title = f"end drill {printable(drill)}"
    why_not = "it can be played again"
    command = ("kill", "-TERM", str(pid))
    return Question(Deed(HERE, "end", {}, title, title, why_not=why_not, command=command), lines, "End")


@frozen
class _Chaos:
    """`site`: at a hub, the link with this site alone."""

    model: Model
    view: DaemonView
    site: SiteView | None

    @property
    def name(self) -> str:
        return daemon_name(self.view)

    @property
    def faults(self) -> tuple[FaultView, ...]:
        return self.model.chaos.faults_of(self.view.daemon)

    def place(self, typed: str) -> Question:
        """Raises ValueError, in words."""
        known = self.model.chaos.views.get(self.view.daemon)
        if known is not None and not known.is_allowed:
            raise ValueError(f"{self.name}: {known.why_not}")
        kinds = {kind.name: kind for kind in self.model.chaos.kinds.get(self.view.daemon, ())}
        name, given, lasts = _read(typed)
        if kinds and name not in kinds:
            raise ValueError(f"{name!r} is none of {', '.join(kinds)}")
        params = _params(name, kinds.get(name), given)
        if self.site is not None:
            params.setdefault("site", self.site.name)
        return self._place(params, seconds(lasts, "a fault") or LASTS_S)

    def _place(self, params: Mapping[str, Any], lease_s: float | None) -> Question:
        what = str(params.get("type") or params.get("profile"))
        given = str(params.get("name") or what)
        taken = {fault.name.partition(".")[0] for fault in self.model.chaos.faults()}
        taken |= {fault.name for fault in self.faults}
        name = next(
            one
            for number in range(1, 1000)
            if (one := given if number == 1 else f"{given}-{number}") not in taken
        )
        title = f"{printable(what)} in {self.name}"
        undo = self._deed(
            "chaos.remove", f"lift {title}", {"name": f"{name}.*" if "profile" in params else name}
        )
        full = {**params, "name": name, "lease_s": lease_s or LASTS_S}
        deed = Deed(self.view.daemon, "chaos.place", full, f"place {title}", self.name, undo)
        lines = (
            f"{self._hits(params)} {_shown(params)}",
            "It ends by itself; :heal ends everything at once.",
        )
        lasting = Lasting(
            (10.0, *LIFETIMES_S), lease_s, lambda for_s: self._place({**params, "name": given}, for_s)
        )
        return Question(deed, lines, "Break", lasting)

    def _hits(self, params: Mapping[str, Any]) -> str:
        """Return whom it hits, counted."""
        if params.get("type") == "clock_step":
            return "1 daemon's clock:"
        site = params.get("site")
        if not self.view.is_hub:
            return "1 site's link to its hub:"
        if site:
            return f"1 site's link, {printable(str(site))}:"
        sites = self.model.sites_of(self.view.daemon)
        return (
            f"The links of all {len(sites)} sites, {sum(one.connections or 0 for one in sites)} connections:"
        )

    def lift(self, typed: str) -> Question:
        name = typed.strip()
        fault = next((fault for fault in self.faults if fault.name == name), None)
        if fault is None:
            raise ValueError(f"no fault of {self.name} is called {name!r}")
        title = f"lift {printable(name)} in {self.name}"
        undo, why_not = self._again(fault)
        lines = (f"1 fault ends: {printable(fault.kind)} {printable(fault.words)}".rstrip() + ".",)
        return Question(self._deed("chaos.remove", title, {"name": name}, why_not, undo), lines, "Lift")

    def _again(self, fault: FaultView) -> tuple[Deed | None, str]:
        """Return what places a fault again, for as long as its lease had left; or why nothing does."""
        if fault.is_of_drill:
            return None, "it was a drill's, which places its own"
        if fault.left_s is None:
            return None, "the daemon does not say how long it had left; place it again with :chaos"
        lease_s = float(max(1, round(fault.left_s)))
        title = f"place {printable(fault.name)} in {self.name} again {until_words(lease_s, '')}"
        return self._deed("chaos.place", title, {**fault.params, "name": fault.name, "lease_s": lease_s}), ""

    def heal(self, typed: str) -> Question:
        faults = self.faults
        names = ", ".join(printable(fault.name) for fault in faults)
        lines = [f"{counted(len(faults), 'fault')} end: {names}."]
        if any(fault.is_of_drill for fault in faults):
            lines.append("A drill's are among them: it then shows nothing.")
        why_not = "what is healed stays whole; :chaos places a fault again"
        deed = self._deed("chaos.reset", f"end all faults in {self.name}", {}, why_not)
        return Question(deed, tuple(lines), "Heal")

    def _deed(
        self,
        action: str,
        title: str,
        params: Mapping[str, Any],
        why_not: str = "",
        undo: Deed | None = None,
    ) -> Deed:
        return Deed(self.view.daemon, action, params, title, self.name, undo, why_not)


def _read(typed: str) -> tuple[str, dict[str, str], str]:
    """Return what was typed: what to place, what of it is given (key=value), for how long. Raises ValueError."""
    try:
        what, *rest = shlex.split(typed)
    except ValueError as exc:
        raise ValueError(f"say what to break: {_TYPED}") from exc
    given, lasts = dict[str, str](), list[str]()
    for one in rest:
        key, is_given, value = one.partition("=")
        if is_given:
            given[key] = value
        else:
            lasts.append(one)
    return what, given, "".join(lasts)


def _params(name: str, kind: FaultKind | None, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of chaos.place, but for what it is called and how long it lasts. Raises ValueError."""
    params: dict[str, Any] = {key: given[key] for key in ("stream", "site", "name") if key in given}
    if "toxicity" in given:
        params["toxicity"] = _value(given["toxicity"])
    attributes = {key: _value(value) for key, value in given.items() if key not in _OWN}
    if kind is not None and kind.is_profile:
        if attributes:
            raise ValueError(f"{name} is a profile: it has its own figures")
        return {"profile": name, **params}
    if kind is not None:
        for key in attributes:
            if key not in kind.attributes:
                has = ", ".join(kind.attributes) or "no attributes"
                raise ValueError(f"{name} has no {key!r}; it has {has}")
    return {"type": name, **({"attributes": attributes} if attributes else {}), **params}


def _value(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, int | float) else text


def _shown(params: Mapping[str, Any]) -> str:
    parts = [str(params.get("type") or f"profile {params.get('profile')}")]
    parts += [f"{key} {value}" for key, value in params.get("attributes", {}).items()]
    if "stream" in params:
        parts.append(f"{params['stream']} alone" if params["stream"] != "both" else "both ways")
    if "toxicity" in params:
        parts.append(f"a share of {params['toxicity']} of the connections")
    return printable(", ".join(parts)) + "."
