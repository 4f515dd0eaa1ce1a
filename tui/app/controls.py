"""What can be done to what is shown: gathered of every kind of control there is.

A kind is a function of the model, a daemon, and a site or None; it yields controls, each with the action that the daemon
has to offer for it. Another kind is another line of `KINDS`.
"""

from collections.abc import Callable, Iterable, Sequence

from tui.app.chaos_controls import chaos_controls
from tui.app.command_controls import command_controls
from tui.app.control import Control, Question, join
from tui.app.daemon_controls import daemon_controls
from tui.app.limit_controls import limit_controls
from tui.app.site_controls import site_controls
from tui.model import DaemonView, Model, SiteView

__all__ = ["KINDS", "Control", "Question", "controls", "controls_of_all"]

Kind = Callable[[Model, DaemonView, SiteView | None], Iterable[tuple[str, Control]]]

KINDS: tuple[Kind, ...] = (site_controls, daemon_controls, limit_controls, chaos_controls, command_controls)


def controls(model: Model, daemon: str, site: str) -> list[Control]:
    """Return what can be done to a site, or with `site` "" to the daemon: only what it offers this operator."""
    view = model.daemons.get(daemon)
    if view is None:
        return []
    of = model.sites.get((daemon, site))
    found = (pair for kind in KINDS for pair in kind(model, view, of))
    return [control for action, control in found if model.offers(daemon, action)]


def controls_of_all(model: Model, targets: Sequence[tuple[str, str]]) -> list[Control]:
    """Return what can be done to all of these at once: what each of them has, asked about together."""
    if len(targets) == 1:
        return controls(model, *targets[0])
    each = [{control.name: control for control in controls(model, *target)} for target in targets]
    what = "sites" if all(site for _, site in targets) else "of them"
    found = []
    for name, first in (each[0] if each else {}).items():
        same = [of[name] for of in each if name in of]
        if len(same) == len(each):
            found.append(_together(first, same, what))
    return found


def _together(first: Control, same: Sequence[Control], what: str) -> Control:
    def question(typed: str) -> Question:
        return join([control.question(typed) for control in same], what)

    title = f"{first.name.capitalize()} all {len(same)} {what}"
    return Control(first.name, title, question, first.asks, first.given, first.offers)
