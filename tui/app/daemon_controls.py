"""What can be done to a daemon itself: drain, log level, backup; and what undoes it."""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from tui.app.control import LIFETIMES_S, Control, Lasting, Question, seconds, until_words
from tui.app.deeds import Deed
from tui.model import DaemonView, Model, SiteView
from tui.model.values import LEVELS
from tui.model.words import daemon_name

__all__ = ["daemon_controls"]

UNTIL_START = "until its next start"


def daemon_controls(model: Model, view: DaemonView, site: SiteView | None) -> Iterator[tuple[str, Control]]:
    """Yield the controls of a daemon, also on the row of a site that is a daemon of its own."""
    if site is not None and view.is_hub:
        return
    made = _Daemon(model, view)
    ending = view.is_hub and view.is_draining
    drain = f"End the drain of {made.name}" if ending else f"Drain {made.name}"
    yield "drain", Control("drain", drain, made.drain)
    asks = "debug, info, warning or error, how long"
    yield "log.level", Control("level", f"Log level of {made.name}", made.level, asks, "info", LEVELS)
    yield "backup.take", Control("backup", f"Back up {made.name}", made.backup)


@frozen
class _Daemon:
    model: Model
    view: DaemonView

    @property
    def name(self) -> str:
        return daemon_name(self.view)

    def deed(self, action: str, title: str, **more: Any) -> Deed:
        """Make a deed on this daemon. `more`: parameters, and `undo` or `why_not`."""
        undo, why_not = more.pop("undo", None), more.pop("why_not", "")
        return Deed(self.view.daemon, action, more, title, self.name, undo, why_not)

    def drain(self, typed: str) -> Question:
        view, name = self.view, self.name
        sites = self.model.sites_of(view.daemon)
        if not view.is_hub:
            held = sum(site.outbox or 0 for site in sites)
            lines = (f"Waits until the hub has the {held} messages that are promised to it.",)
            why_not = "what the hub has it keeps; nothing is stopped by it"
            return Question(self.deed("drain", f"drain {name}", why_not=why_not), lines, "Drain")
        begin = self.deed("drain", f"drain {name}", enabled=True)
        end = self.deed("drain", f"end the drain of {name}", enabled=False)
        if view.is_draining:
            lines = ("The hub is ready again, and its sites may come back.",)
            undone = self.deed("drain", f"end the drain of {name}", enabled=False, undo=begin)
            return Question(undone, lines, "Take back")
        connected = sum(site.connections or 0 for site in sites)
        lines = (f"1 hub is unready and sends {connected} sites away, until this is taken back.",)
        return Question(self.deed("drain", f"drain {name}", enabled=True, undo=end), lines, "Drain")

    def level(self, typed: str) -> Question:
        level, _, lasts = typed.partition(" ")
        if level not in LEVELS:
            raise ValueError(f"{level!r} is none of {', '.join(LEVELS)}")
        return self._level(level, seconds(lasts, "a log level"))

    def _level(self, level: str, for_s: float | None) -> Question:
        view, title = self.view, f"log level of {self.name}"
        params: dict[str, Any] = {"level": level} if for_s is None else {"level": level, "for_s": for_s}
        then = f"; then {view.log_level} again" if for_s is not None and view.log_level else ""
        lines = (f"1 daemon logs what is at least {level}, {until_words(for_s, UNTIL_START)}{then}.",)
        undo = self.deed("log.level", f"{title} back to {view.log_level}", level=view.log_level)
        deed = self.deed(
            "log.level",
            f"{title} {level}",
            **params,
            **(
                {"undo": undo} if view.log_level else {"why_not": "the daemon does not tell its level before"}
            ),
        )
        again = Lasting((*LIFETIMES_S, None), for_s, lambda chosen: self._level(level, chosen), UNTIL_START)
        return Question(deed, lines, "Set", again)

    def backup(self, typed: str) -> Question:
        why_not = "a backup that was taken stays"
        deed = self.deed("backup.take", f"backup of {self.name}", why_not=why_not)
        return Question(deed, ("1 backup is taken and read back.",), "Back up")
