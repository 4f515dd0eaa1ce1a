"""What can be done to single entries: of an allowlist, and messages that could not be applied."""

from collections.abc import Iterable
from typing import Any

from tui.app.control import Question
from tui.app.deeds import Deed
from tui.model import CommandRow, DeadLetter, Model, Rule
from tui.model.words import printable, size

__all__ = ["dead_deeds", "rule_deed", "withdraw_deeds"]

_WITHDRAW = ("site.withdraw", "heat.withdraw")


def rule_deed(model: Model, daemon: str, site: str, rule: Rule) -> Question | None:
    """Return what switches an entry of a site's allowlist; None when the daemon does not offer that."""
    view = model.daemons.get(daemon)
    if view is None:
        return None
    at_hub = view.is_hub
    action = "site.allowlist.switch" if at_hub else "allowlist.switch"
    if not model.offers(daemon, action):
        return None
    to, pattern = not rule.is_enabled, printable(rule.pattern)

    def deed(enabled: bool, undo: Deed | None = None) -> Deed:
        of: dict[str, Any] = {"site": site} if at_hub else {}
        title = f"switch {pattern} of site {printable(site)} {'on' if enabled else 'off'}"
        return Deed(daemon, action, {**of, "pattern": rule.pattern, "enabled": enabled}, title, pattern, undo)

    words = "may be fetched again" if to else "is no longer fetched; what is kept goes on being shown"
    lines = (f"1 entry of the allowlist: {' '.join(rule.methods)} {pattern} {words}.",)
    return Question(deed(to, deed(not to)), lines, "Switch on" if to else "Switch off")


def dead_deeds(model: Model, letters: Iterable[DeadLetter], *, requeue: bool) -> list[Question]:
    """Return what applies dead letters after all, or drops them for good: one deed each, as the daemon does them."""
    found = []
    for letter in letters:
        view = model.daemons.get(letter.daemon)
        action = "dead.requeue" if requeue else "dead.drop"
        if view is None or not model.offers(letter.daemon, action):
            continue
        of = {"site": letter.site} if view.is_hub else {}
        on = f"dead letter {letter.id} of site {printable(letter.site)}"
        what = "is applied after all" if requeue else "is removed for good"
        why_not = "what was applied is applied" if requeue else "what was dropped is gone"
        lines = (
            f"1 message ({letter.channel} {letter.seq}, {printable(letter.type)}, {size(letter.size_bytes)}) {what}.",
            f"It failed with: {printable(letter.error)}",
        )
        title = f"{'requeue' if requeue else 'drop'} {on}"
        deed = Deed(letter.daemon, action, {**of, "id": letter.id}, title, on, why_not=why_not)
        found.append(Question(deed, lines, "Requeue" if requeue else "Drop"))
    return found


def withdraw_deeds(model: Model, commands: Iterable[CommandRow]) -> list[Question]:
    """Return what has sites not run commands that they have not run yet; of what is decided there is nothing to withdraw."""
    found = []
    for command in commands:
        action = next((name for name in _WITHDRAW if model.offers(command.daemon, name)), None)
        view = model.daemons.get(command.daemon)
        if command.decided_utc is not None or action is None or view is None:
            continue
        do, site = printable(str(command.action.get("do", "")))[:24], printable(command.site)
        on = f"command {printable(command.id[:12])} ({do}) to site {site}"
        lines = (f"1 command is not run any more, if site {site} has not run it by then: {do}.",)
        params = {**({"site": command.site} if view.is_hub else {}), "id": command.id}
        why_not = "it can be sent again"
        deed = Deed(command.daemon, action, params, f"withdraw {on}", on, why_not=why_not)
        found.append(Question(deed, lines, "Withdraw"))
    return found
