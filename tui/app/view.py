"""A view: rows made of the model, in a line table, behind a filter."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from tui.app.columns import Column
from tui.app.controls import Question
from tui.app.desk import Desk
from tui.app.filter import Filter
from tui.app.linetable import LineTable
from tui.app.looks import Key, Row

__all__ = ["View"]


class View(Container):
    """The base of all views. A view reads the model, and says in messages what it wants done."""

    DEFAULT_CSS = "View { height: 1fr; layout: vertical; }"

    columns: ClassVar[Sequence[Column]]
    empty: ClassVar[str] = ""
    follows: ClassVar[bool] = False

    class Opened(Message):
        """Enter on something that has a page of its own: a site, or with `site` "" its daemon."""

        def __init__(self, daemon: str, site: str) -> None:
            super().__init__()
            self.daemon = daemon
            self.site = site

    class Read(Message):
        """Enter on something that is longer than its line."""

        def __init__(self, title: str, lines: Sequence[str]) -> None:
            super().__init__()
            self.title = title
            self.lines = tuple(lines)

    class Asked(Message):
        """A deed is wanted, or several: each is asked about."""

        def __init__(self, questions: Sequence[Question]) -> None:
            super().__init__()
            self.questions = tuple(questions)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.filter = Filter()

    def compose(self) -> ComposeResult:
        yield LineTable(self.columns, follows=self.follows, empty=self.empty)

    @property
    def table(self) -> LineTable:
        """Its table."""
        return self.query_one(LineTable)

    @property
    def target(self) -> tuple[str, str] | None:
        """What a control acts upon here: (daemon, site), with site "" the daemon itself."""
        return None

    def rows(self) -> Sequence[Row]:
        """Return all that there is to show."""
        raise NotImplementedError

    def heading(self) -> str:
        """Return what the title says of it, after its name."""
        return ""

    def filtered(self) -> Sequence[Row]:
        """Return the rows that the filter lets through."""
        rows = self.rows()
        if not self.filter.is_set:
            return rows
        matches = self.filter.matcher()
        return [row for row in rows if matches(row.text)]

    def paint(self) -> None:
        """Show how it stands now."""
        table = self.table
        rows = self.filtered()
        table.say_when_empty(f"nothing matches /{self.filter.text}" if self.filter.is_set else self.empty)
        table.show(rows)

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Enter on a row."""
        event.stop()
        self.choose(event.key)

    def choose(self, key: Key) -> None:
        """Open what was chosen."""

    def looks_at(self) -> frozenset[tuple[str, str]]:
        """Return the (daemon, site) of which commands, dead letters and allowlists are wanted while this is shown."""
        return frozenset()
