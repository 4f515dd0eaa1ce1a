"""The pages: their numbers, names and other names."""

from collections.abc import Callable

from attrs import frozen

from tui.app.alarms import AlarmsView
from tui.app.audit import AuditView
from tui.app.chaos import ChaosView
from tui.app.commands import CommandsView
from tui.app.desk import Desk
from tui.app.heating import HeatingPage
from tui.app.log import LogView
from tui.app.overview import OverviewView
from tui.app.site import SiteView
from tui.app.team import TeamPage
from tui.app.telemetry import TelemetryPage
from tui.app.trace import TraceView
from tui.app.view import View

__all__ = ["HOME", "LOG", "PAGES", "SITE", "TRACE", "PageKind", "page_named"]


@frozen
class PageKind:
    """A page. `key`: the digit; "" for one that is come to by another. `aliases`: what `:` takes for it too."""

    name: str
    words: str
    key: str
    view: Callable[[Desk], View]
    aliases: tuple[str, ...] = ()


HOME = "overview"
SITE = "site"
LOG = "log"
TRACE = "trace"
PAGES = (
    PageKind(HOME, "Overview", "1", OverviewView, ("o", "home", "sites")),
    PageKind(LOG, "Requests and errors", "2", LogView, ("l", "logs", "requests", "errors")),
    PageKind("telemetry", "Telemetry", "3", TelemetryPage, ("tm", "car", "traces", "map")),
    PageKind("heating", "Heating", "4", HeatingPage, ("he", "zones", "boiler")),
    PageKind("commands", "Commands and dead letters", "5", CommandsView, ("cmd", "dead", "letters")),
    PageKind("team", "Team", "6", TeamPage, ("te", "stints", "messages")),
    PageKind("alarms", "Alarms", "7", AlarmsView, ("al", "health")),
    PageKind("audit", "Audit", "8", AuditView, ("au", "who")),
    PageKind("chaos", "Chaos", "9", ChaosView, ("ch", "faults", "drills")),
    PageKind(SITE, "Site", "", SiteView),
    PageKind(TRACE, "Trace", "", TraceView),
)


def page_named(word: str) -> PageKind | None:
    """Return the page of this name or other name, by a digit too; one that no other begins with will do."""
    pages = [page for page in PAGES if page.key]
    for page in pages:
        if word in (page.name, page.key, *page.aliases):
            return page
    found = [page for page in pages if page.name.startswith(word)]
    return found[0] if word and len(found) == 1 else None
