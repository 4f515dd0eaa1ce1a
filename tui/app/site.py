"""One site, or one daemon: where Enter leads from the overview."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.app.desk import Desk
from tui.app.limit_controls import limit_control, limit_words
from tui.app.looks import Key, Row
from tui.app.row_controls import rule_deed
from tui.app.site_rows import COLUMNS, site_rows
from tui.app.view import View

__all__ = ["SiteView"]


class SiteView(View):
    """All that is known of one site, or with `site` "" of the daemon itself."""

    columns = COLUMNS
    empty = "nothing is known of it yet"
    can_tag = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("l", "log", "its log", id="site.log")]

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

    def action_log(self) -> None:
        """Go to what was logged of it."""
        if self.site:
            self.post_message(self.Sought(self.site))

    def is_taggable(self, key: Key) -> bool:
        return key[0] == "rule"

    def choose(self, key: Key) -> None:
        """An entry of the allowlist is switched, or all that are tagged; a limit is set."""
        if key[0] == "limit":
            view = self.desk.model.daemons.get(self.daemon)
            limit = view and next((one for one in view.limits if one.name == key[1]), None)
            if view is not None and limit:
                given = f"{limit.name} {limit_words(limit.value)}"
                self.post_message(self.Begun(limit_control(view, given)))
        if key[0] != "rule":
            return
        wanted = {key[1] for key in self.acted_upon}
        rules = self.desk.model.rules.get((self.daemon, self.site), ())
        found = [
            question
            for rule in rules
            if rule.pattern in wanted
            and (question := rule_deed(self.desk.model, self.daemon, self.site, rule)) is not None
        ]
        self.post_message(self.Asked(found, "entries of the allowlist"))
