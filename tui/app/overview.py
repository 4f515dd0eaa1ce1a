"""Page 1: every daemon and site that is watched."""

from tui.app.looks import Key, Row
from tui.app.overview_rows import COLUMNS, overview_rows
from tui.app.view import View
from tui.model import SiteState

__all__ = ["OverviewView"]


class OverviewView(View):
    """One line a daemon, one a site."""

    columns = COLUMNS
    empty = "no daemon is watched"
    can_tag = True

    @property
    def target(self) -> tuple[str, str] | None:
        chosen = self.table.chosen
        return None if chosen is None else (chosen[0], chosen[1])

    def target_of(self, key: Key) -> tuple[str, str] | None:
        return key[0], key[1]

    def rows(self) -> list[Row]:
        return overview_rows(self.desk.model, self.desk.now())

    def heading(self) -> str:
        sites = list(self.desk.model.sites.values())
        good = sum(
            site.state in (SiteState.CONNECTED, SiteState.ALONE) and not self.desk.model.is_stale(site.daemon)
            for site in sites
        )
        return f"{good} of {len(sites)} sites connected" if len(sites) != 1 else ""

    def choose(self, key: Key) -> None:
        self.post_message(self.Opened(key[0], key[1]))
