"""Anything that a daemon lets be done, typed as `pitlink ctl` takes it: for what has no control of its own."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from daemons.ops.typed import read_typed
from tui.app.control import Control, Question
from tui.app.deeds import Deed
from tui.model import DaemonView, Model, SiteView
from tui.model.words import daemon_name, printable

__all__ = ["command_controls"]

_WHY_NOT = "what undoes it is another command, which only you know"


def command_controls(model: Model, view: DaemonView, site: SiteView | None) -> Iterator[tuple[str, Control]]:
    """Yield the control that has any action done: at a hub's site those on that site, else those of the daemon."""
    at_site = site.name if site is not None and view.is_hub else ""
    known = {
        str(action["name"]): action
        for action in model.actions.get(view.daemon, ())
        if action.get("changes", True) and bool(action.get("site")) == bool(at_site)
    }
    if not known:
        return
    names = {name.removeprefix("site.") if at_site else name: name for name in sorted(known)}
    on = printable(f"site {at_site}") if at_site else daemon_name(view)

    def question(typed: str) -> Question:
        try:
            called, *given = shlex.split(typed) or [""]
        except ValueError as exc:
            raise ValueError(f"{typed!r} cannot be read: {exc}") from None
        name = called if called in known else names.get(called, "")
        if not name:
            raise ValueError(f"{called!r} is none of {', '.join(names)}")
        params = {**({"site": at_site} if at_site else {}), **_params(known[name], given)}
        title = printable(f"{name} {' '.join(given)}".strip()) + f" on {on}"
        lines = (
            f"1 {'site' if at_site else 'daemon'}: {on}. {printable(str(known[name].get('help', '')))}".strip(),
        )
        return Question(Deed(view.daemon, name, params, title, on, why_not=_WHY_NOT), lines, "Do it")

    asks = "an action, name=value ..."
    yield next(iter(known)), Control("command", f"Send a command to {on}", question, asks, "", tuple(names))


def _params(action: Mapping[str, Any], given: list[str]) -> dict[str, Any]:
    """Return what was typed as the action wants it. Raises ValueError for what it does not take, or for want of something."""
    kinds = {str(param["name"]): param for param in action.get("params", ())}
    found: dict[str, Any] = {}
    for text in given:
        name, is_pair, value = text.partition("=")
        if not is_pair or name not in kinds or name == action.get("site"):
            takes = ", ".join(name for name in kinds if name != action.get("site")) or "nothing"
            raise ValueError(f"{text!r}: write name=value; {action['name']} takes {takes}")
        found[name] = read_typed(str(kinds[name].get("kind", "any")), value)
    missing = [
        name for name, param in kinds.items()
        if param.get("required") and name not in found and name != action.get("site")
    ]  # fmt: skip
    if missing:
        raise ValueError(f"{action['name']} also needs {', '.join(f'{name}=' for name in missing)}")
    return found
