"""The pages: their numbers, names and other names."""

from collections.abc import Callable
from importlib import import_module

from attrs import frozen

from tui.app.desk import Desk
from tui.app.log import LogView
from tui.app.overview import OverviewView
from tui.app.site import SiteView
from tui.app.trace import TraceView
from tui.app.view import View

__all__ = ["CHAOS", "HOME", "LOG", "PAGES", "SITE", "TRACE", "PageKind", "import_all", "page_named"]


@frozen
class PageKind:
    """A page. `key`: the digit; "" for one that is come to by another. `aliases`: what `:` takes for it too."""

    name: str
    words: str
    key: str
    view: Callable[[Desk], View]
    aliases: tuple[str, ...] = ()


_LATER: list[str] = []


def _later(module: str, name: str) -> Callable[[Desk], View]:
    """Return what makes a view whose module is imported when it is first wanted: most pages are never looked at."""
    _LATER.append(module)

    def view(desk: Desk) -> View:
        made: View = getattr(import_module(f"tui.app.{module}"), name)(desk)
        return made

    return view


HOME = "overview"
SITE = "site"
LOG = "log"
TRACE = "trace"
CHAOS = "chaos"
PAGES = (
    PageKind(HOME, "Overview", "1", OverviewView, ("o", "home", "sites")),
    PageKind(LOG, "Requests and errors", "2", LogView, ("l", "logs", "requests", "errors")),
    PageKind(
        "telemetry", "Telemetry", "3", _later("telemetry", "TelemetryPage"), ("tm", "car", "traces", "map")
    ),
    PageKind("heating", "Heating", "4", _later("heating", "HeatingPage"), ("he", "zones", "boiler")),
    PageKind(
        "commands",
        "Commands and dead letters",
        "5",
        _later("commands", "CommandsView"),
        ("cmd", "dead", "letters"),
    ),
    PageKind("team", "Team", "6", _later("team", "TeamPage"), ("te", "stints", "messages")),
    PageKind("alarms", "Alarms", "7", _later("alarms", "AlarmsView"), ("al", "health")),
    PageKind("audit", "Audit", "8", _later("audit", "AuditView"), ("au", "who")),
    PageKind(CHAOS, "Chaos", "9", _later("chaos", "ChaosView"), ("ch", "faults", "drills", "drill")),
    PageKind(SITE, "Site", "", SiteView),
    PageKind(TRACE, "Trace", "", TraceView),
)


def import_all() -> None:
    """Have every page imported, and what asks questions: for who wants to know what keys there are."""
    for module in (*_LATER, "asking"):
        import_module(f"tui.app.{module}")


def page_named(word: str) -> PageKind | None:
    """Return the page of this name or other name, by a digit too; one that no other begins with will do."""
    pages = [page for page in PAGES if page.key]
    for page in pages:
        if word in (page.name, page.key, *page.aliases):
            return page
    found = [page for page in pages if page.name.startswith(word)]
    return found[0] if word and len(found) == 1 else None
