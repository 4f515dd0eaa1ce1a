"""What can be done to a site or a daemon, in words: the name for `:`, what it asks for, what it hits, the deed itself."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from tui.app.deeds import Deed
from tui.model import DaemonView, DeadLetter, Model, Rule, SiteView
from tui.model.words import age, count, printable, size

__all__ = ["Control", "Question", "controls", "dead_deed", "rule_deed"]

UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600}


@frozen
class Question:
    """A deed, and what is asked before it: `lines` count what it hits, `verb` is on the button."""

    deed: Deed
    lines: tuple[str, ...]
    verb: str


@frozen
class Control:
    """Something to be done here. `asks`: what to type for it, with `given` there already; "" when nothing.

    `question` makes of what was typed what is then asked; raises ValueError with words for what makes no sense.
    """

    name: str
    title: str
    question: Callable[[str], Question]
    asks: str = ""
    given: str = ""
    offers: tuple[str, ...] = ()


def controls(model: Model, daemon: str, site: str) -> list[Control]:
    """Return what can be done to a site, or with `site` "" to the daemon: only what it offers this operator."""
    view = model.daemons.get(daemon)
    if view is None:
        return []
    of = model.sites.get((daemon, site))
    found = [] if of is None else _site_controls(view, of)
    if of is None or view.kind == "pits":
        found += _daemon_controls(model, view)
    offered = {str(action["name"]) for action in model.actions.get(daemon, ())}
    return [control for action, control in found if action in offered]


def _site_controls(view: DaemonView, site: SiteView) -> list[tuple[str, Control]]:
    at_hub = view.kind != "pits"
    prefix = "site." if at_hub else ""
    of: dict[str, Any] = {"site": site.name} if at_hub else {}
    name = printable(site.name)
    busy = f"{count(site.in_flight)} fetches are under way, {count(site.queue)} wait"

    def question(action: str, title: str, verb: str, lines: list[str], **params: Any) -> Question:
        return Question(Deed(view.daemon, action, {**of, **params}, title), tuple(lines), verb)

    def pause(typed: str) -> Question:
        for_s = _seconds(typed)
        until = f"for {age(for_s)}; then it answers again by itself" if for_s else "until it is resumed"
        lines = [f"1 site stops to answer the hub {until}.", f"{busy}; spectators see what is kept."]
        return question(
            f"{prefix}pause",
            f"pause site {name}",
            "Pause",
            lines,
            **({"for_s": for_s} if for_s else {}),
        )

    def resume(typed: str) -> Question:
        return question(f"{prefix}resume", f"resume site {name}", "Resume", ["1 site answers again."])

    def reconnect(typed: str) -> Question:
        lines = [
            f"1 site's link ends and is dialled again at once; {busy}.",
            "Messages are kept and resumed.",
        ]
        return question(f"{prefix}reconnect", f"reconnect site {name}", "Reconnect", lines)

    def purge(typed: str) -> Question:
        what = f"below {typed}" if typed else "all of them"
        kept = view.cache
        lines = [f"1 site and its hub forget the copies of site {name}: {what}."]
        if kept is not None:
            lines.append(f"The hub keeps {count(kept.entries)} copies of all sites, {size(kept.size_bytes)}.")
        params = {"prefix": typed} if typed else {}
        return question(f"{prefix}purge", f"purge copies of site {name}", "Purge", lines, **params)

    return [
        (
            f"{prefix}pause",
            Control(
                "pause", f"Pause site {name}", pause, "for how long (5m, 90s; empty: until resumed)", "5m"
            ),
        ),
        (f"{prefix}resume", Control("resume", f"Resume site {name}", resume)),
        (f"{prefix}reconnect", Control("reconnect", f"Reconnect site {name} now", reconnect)),
        (
            f"{prefix}purge",
            Control("purge", f"Purge copies of site {name}", purge, "below which path (empty: all)"),
        ),
    ]


def _daemon_controls(model: Model, view: DaemonView) -> list[tuple[str, Control]]:
    name = printable(f"{view.kind} {view.called}")

    def question(action: str, title: str, verb: str, lines: list[str], **params: Any) -> Question:
        return Question(Deed(view.daemon, action, params, title), tuple(lines), verb)

    def drain(typed: str) -> Question:
        if view.kind == "pits":
            held = sum(site.outbox or 0 for site in model.sites_of(view.daemon))
            lines = [f"Waits until the hub has the {held} messages that are promised to it."]
            return question("drain", f"drain {name}", "Drain", lines)
        sites = sum(site.connections or 0 for site in model.sites_of(view.daemon))
        if view.is_draining:
            lines = ["The hub is ready again, and its sites may come back."]
            return question("drain", f"end the drain of {name}", "Take back", lines, enabled=False)
        lines = [f"1 hub is unready and sends {sites} sites away, until this is taken back."]
        return question("drain", f"drain {name}", "Drain", lines, enabled=True)

    def level(typed: str) -> Question:
        if typed not in LEVELS:
            raise ValueError(f"{typed!r} is none of {', '.join(LEVELS)}")
        lines = [f"1 daemon logs what is at least {typed}, until its next start."]
        return question("log.level", f"log level of {name}", "Set", lines, level=typed)

    def backup(typed: str) -> Question:
        return question("backup.take", f"backup of {name}", "Back up", ["1 backup is taken and read back."])

    ending = view.kind != "pits" and view.is_draining
    return [
        ("drain", Control("drain", f"End the drain of {name}" if ending else f"Drain {name}", drain)),
        (
            "log.level",
            Control(
                "level", f"Log level of {name}", level, "level (debug, info, warning, error)", "info", LEVELS
            ),
        ),
        ("backup.take", Control("backup", f"Back up {name}", backup)),
    ]


LEVELS = ("debug", "info", "warning", "error")


def rule_deed(model: Model, daemon: str, site: str, rule: Rule) -> Question | None:
    """Return what switches an entry of a site's allowlist; None when the daemon does not offer that."""
    view = model.daemons.get(daemon)
    if view is None:
        return None
    at_hub = view.kind != "pits"
    action = "site.allowlist.switch" if at_hub else "allowlist.switch"
    if not _offers(model, daemon, action):
        return None
    to = not rule.is_enabled
    params: Mapping[str, Any] = {
        **({"site": site} if at_hub else {}),
        "pattern": rule.pattern,
        "enabled": to,
    }
    title = f"switch {printable(rule.pattern)} of site {printable(site)} {'on' if to else 'off'}"
    words = "may be fetched again" if to else "is no longer fetched; what is kept goes on being shown"
    lines = (f"1 entry of the allowlist: {' '.join(rule.methods)} {printable(rule.pattern)} {words}.",)
    return Question(Deed(daemon, action, params, title), lines, "Switch on" if to else "Switch off")


def dead_deed(model: Model, letters: list[DeadLetter], *, requeue: bool) -> list[Question]:
    """Return what applies dead letters after all, or drops them for good: one deed each, as the daemon does them."""
    found = []
    for letter in letters:
        view = model.daemons.get(letter.daemon)
        action = "dead.requeue" if requeue else "dead.drop"
        if view is None or not _offers(model, letter.daemon, action):
            continue
        of = {} if view.kind == "pits" else {"site": letter.site}
        title = f"{'requeue' if requeue else 'drop'} dead letter {letter.id} of site {printable(letter.site)}"
        what = "is applied after all" if requeue else "is removed for good; this cannot be undone"
        lines = (
            f"1 message ({letter.channel} {letter.seq}, {printable(letter.type)}, {size(letter.size_bytes)}) {what}.",
            f"It failed with: {printable(letter.error)}",
        )
        deed = Deed(letter.daemon, action, {**of, "id": letter.id}, title)
        found.append(Question(deed, lines, "Requeue" if requeue else "Drop"))
    return found


def _offers(model: Model, daemon: str, action: str) -> bool:
    return any(offered["name"] == action for offered in model.actions.get(daemon, ()))


def _seconds(typed: str) -> float | None:
    """Return "5m", "90", "5:00" in seconds; None for nothing. Raises ValueError."""
    text = typed.strip().lower()
    if not text:
        return None
    try:
        if ":" in text:
            minutes, _, rest = text.partition(":")
            found = int(minutes) * 60 + float(rest)
        else:
            number = text.rstrip("minsh")
            found = float(number) * UNITS_S[text[len(number) :].strip() or "s"]
    except (KeyError, ValueError):
        raise ValueError(f"{typed!r} is no time such as 5m, 90s or 5:00") from None
    if not 0 < found < 7 * 86400:
        raise ValueError("a pause is between a moment and a week")
    return found
