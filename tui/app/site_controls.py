"""What can be done to a site: pause, resume, reconnect, purge; and what undoes it, made of how the site stands before."""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from tui.app.control import LIFETIMES_S, Control, Lasting, Question, seconds, until_words
from tui.app.deeds import Deed, Look
from tui.model import DaemonView, Model, SiteView
from tui.model.words import count, printable, size

__all__ = ["site_controls"]

PAUSE_S = 300.0
UNTIL_RESUMED = "until it is resumed"


def site_controls(model: Model, view: DaemonView, site: SiteView | None) -> Iterator[tuple[str, Control]]:
    """Yield the controls of a site, each with the action that the daemon has to offer for it."""
    if site is None:
        return
    made = _Site(view, site)
    name, prefix = made.name, made.prefix
    yield f"{prefix}pause", Control("pause", f"Pause site {name}", made.pause_typed)
    yield f"{prefix}resume", Control("resume", f"Resume site {name}", made.resume)
    yield f"{prefix}reconnect", Control("reconnect", f"Reconnect site {name} now", made.reconnect)
    asks = "a path, or how they begin (/: all)"
    yield f"{prefix}purge", Control("purge", f"Purge copies of site {name}", made.purge, asks, "/")


@frozen
class _Site:
    view: DaemonView
    site: SiteView

    @property
    def is_at_hub(self) -> bool:
        return self.view.is_hub

    @property
    def prefix(self) -> str:
        return "site." if self.is_at_hub else ""

    @property
    def of(self) -> dict[str, str]:
        """The parameter that names the site, where there are several."""
        return {"site": self.site.name} if self.is_at_hub else {}

    @property
    def name(self) -> str:
        return printable(self.site.name)

    def deed(self, action: str, title: str, **more: Any) -> Deed:
        """Make a deed on this site. `more`: parameters, and `undo` or `why_not`."""
        undo, why_not = more.pop("undo", None), more.pop("why_not", "")
        action = f"{self.prefix}{action}"
        return Deed(self.view.daemon, action, {**self.of, **more}, title, self.name, undo, why_not)

    @property
    def busy(self) -> str:
        return f"{count(self.site.in_flight)} fetches are under way, {count(self.site.queue)} wait"

    # --- pause and resume ----------------------------------------------------------------------------------------

    def pause_typed(self, typed: str) -> Question:
        return self.pause(seconds(typed) if typed else PAUSE_S)

    def pause(self, for_s: float | None) -> Question:
        until = until_words(for_s, UNTIL_RESUMED)
        then = "; then it answers again by itself" if for_s is not None else ""
        lines = (
            f"1 site stops to answer the hub {until}{then}.",
            f"{self.busy}; spectators see what is kept.",
        )
        undo = self._as_it_was() or self.deed("resume", f"resume site {self.name}")
        params = {} if for_s is None else {"for_s": for_s}
        deed = self.deed("pause", f"pause site {self.name}", undo=undo, **params)
        return Question(deed, lines, "Pause", Lasting((*LIFETIMES_S, None), for_s, self.pause, UNTIL_RESUMED))

    def resume(self, typed: str) -> Question:
        undo, title = self._as_it_was(), f"resume site {self.name}"
        why_not = "" if undo is not None else f"site {self.name} was not paused before"
        return Question(
            self.deed("resume", title, undo=undo, why_not=why_not), ("1 site answers again.",), "Resume"
        )

    def _as_it_was(self) -> Deed | None:
        """Return what pauses the site as it is paused now; None when it is not."""
        if not self.site.is_paused:
            return None
        left_s = self.site.paused_left_s
        params = {} if left_s is None else {"for_s": float(max(1, round(left_s)))}
        words = until_words(params.get("for_s"), UNTIL_RESUMED)
        return self.deed("pause", f"pause site {self.name} {words}, as it was", **params)

    # --- the others ----------------------------------------------------------------------------------------------

    def reconnect(self, typed: str) -> Question:
        lines = (
            f"1 site's link ends and is dialled again at once; {self.busy}.",
            "Messages are kept and resumed.",
        )
        why_not = "a link that was ended cannot be had back; it dials again by itself"
        deed = self.deed("reconnect", f"reconnect site {self.name}", why_not=why_not)
        return Question(deed, lines, "Reconnect")

    def purge(self, typed: str) -> Question:
        prefix = "" if typed in ("", "/") else typed
        if prefix and not prefix.startswith("/"):
            raise ValueError(f"{typed!r} is no path: they begin with /")
        what = f"of what begins with {printable(prefix)}" if prefix else "all of them"
        line = f"1 site and its hub forget the copies of site {self.name}, {what}, and fetch anew what is watched."
        why_not = "what was forgotten is gone; it is fetched anew when it is asked for"
        params = {"prefix": prefix} if prefix else {}
        deed = self.deed("purge", f"purge copies of site {self.name}", why_not=why_not, **params)
        look = Look(self.view.daemon, "cache.count", {**self.of, **params}, f"{self.name}: ", _counted)
        return Question(deed, (line,), "Purge", looks=(look,))


def _counted(told: Any) -> str:
    return f"it hits {count(int(told['entries']))} copies, {size(int(told['bytes']))}"
