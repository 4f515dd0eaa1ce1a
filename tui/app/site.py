"""One site, or one daemon: where Enter leads from the overview."""

from tui.app.controls import rule_deed
from tui.app.desk import Desk
from tui.app.looks import Key, Row
from tui.app.site_rows import COLUMNS, site_rows
from tui.app.view import View

__all__ = ["SiteView"]


class SiteView(View):
    """All that is known of one site, or with `site` "" of the daemon itself."""

    columns = COLUMNS
    empty = "nothing is known of it yet"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.daemon = ""
        self.site = ""

    @property
    def target(self) -> tuple[str, str] | None:
        return (self.daemon, self.site) if self.daemon else None

    def point(self, daemon: str, site: str) -> None:
        """Show this one from now on."""
        self.daemon, self.site = daemon, site

    def heading(self) -> str:
        return self.site or self.daemon

    def rows(self) -> list[Row]:
        if not self.daemon:
            return []
        return site_rows(self.desk.model, self.daemon, self.site, self.desk.now())

    def looks_at(self) -> frozenset[tuple[str, str]]:
        return frozenset([(self.daemon, self.site)]) if self.site else frozenset()

    def choose(self, key: Key) -> None:
        """An entry of the allowlist is switched."""
        if key[0] != "rule":
            return
        rules = self.desk.model.rules.get((self.daemon, self.site), ())
        rule = next((rule for rule in rules if rule.pattern == key[1]), None)
        question = rule and rule_deed(self.desk.model, self.daemon, self.site, rule)
        if question:
            self.post_message(self.Asked([question]))
