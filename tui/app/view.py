"""A view: rows made of the model, in a line table, behind a filter."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from tui.app.columns import Column
from tui.app.control import Control, Question
from tui.app.desk import Desk
from tui.app.filter import Filter
from tui.app.linetable import LineTable
from tui.app.looks import Key, Row
from tui.model.words import counted

__all__ = ["View"]


class View(Container):
    """The base of all views. A view reads the model, and says in messages what it wants done."""

    DEFAULT_CSS = "View { height: 1fr; layout: vertical; }"

    columns: ClassVar[Sequence[Column]]
    empty: ClassVar[str] = ""
    follows: ClassVar[bool] = False
    hz: ClassVar[float] = 0.0
    """How often it wants to be painted, a second, where nobody has chosen how often; 0: as usual."""

    can_tag: ClassVar[bool] = False
    looks_at_chaos: ClassVar[bool] = False
    """Whether faults and drills are wanted while this is shown."""

    class Opened(Message):
        """Enter on something that has a page of its own: a site, or with `site` "" its daemon."""

        def __init__(self, daemon: str, site: str) -> None:
            super().__init__()
            self.daemon = daemon
            self.site = site

    class Traced(Message):
        """Enter on something that is one of several lines of the same wish."""

        def __init__(self, trace: str) -> None:
            super().__init__()
            self.trace = trace

    class Sought(Message):
        """The log of a site is wanted."""

        def __init__(self, site: str) -> None:
            super().__init__()
            self.site = site

    class Read(Message):
        """Enter on something that is longer than its line."""

        def __init__(self, title: str, lines: Sequence[str]) -> None:
            super().__init__()
            self.title = title
            self.lines = tuple(lines)

    class Asked(Message):
        """A deed is wanted, or several, which are asked about together. `what`: what they are done to, such as "sites"."""

        def __init__(self, questions: Sequence[Question], what: str = "of them") -> None:
            super().__init__()
            self.questions = tuple(questions)
            self.what = what

    class Begun(Message):
        """Something is to be done that needs more to be said: the control asks for it."""

        def __init__(self, control: Control) -> None:
            super().__init__()
            self.wanted = control

    class Told(Message):
        """Why something does not go."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Turned(Message):
        """It shows something else of what there is."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.filter = Filter()

    def compose(self) -> ComposeResult:
        is_taggable = self.is_taggable if self.can_tag else None
        yield LineTable(self.columns, follows=self.follows, empty=self.empty, is_taggable=is_taggable)

    @property
    def table(self) -> LineTable:
        """Its table."""
        return self.query_one(LineTable)

    @property
    def target(self) -> tuple[str, str] | None:
        """What a control acts upon here: (daemon, site), with site "" the daemon itself."""
        return None

    @property
    def targets(self) -> list[tuple[str, str]]:
        """What a control acts upon: all that is tagged here, else what is under the cursor."""
        found = [target for key in self.acted_upon if (target := self.target_of(key)) is not None]
        target = self.target
        return list(dict.fromkeys(found)) or ([] if target is None else [target])

    def target_of(self, key: Key) -> tuple[str, str] | None:
        """Return what a row stands for, to a control: (daemon, site); None when for nothing of its own."""
        return None

    def is_taggable(self, key: Key) -> bool:
        """May this row be tagged?"""
        return True

    @property
    def acted_upon(self) -> list[Key]:
        """The keys of the rows that are tagged, hidden by a filter or not, in their order; else of that under the cursor."""
        tags = self.table.tags
        if tags:
            return [row.key for row in self.rows() if row.key in tags]
        return [] if self.table.chosen is None else [self.table.chosen]

    def tags_words(self) -> str:
        """Return how many rows are tagged, and how many of them cannot be seen; "" for none."""
        if not self.can_tag or not (tags := self.table.tags):
            return ""
        hidden = len(tags - {row.key for row in self.table.rows})
        return f"{len(tags)} tagged" + (f", {hidden} hidden by the filter" if hidden else "")

    def clear_tags(self) -> bool:
        """Take all tags back; return whether there were any."""
        had = bool(self.can_tag and self.table.tags)
        if had:
            self.table.keep_tags(())
        return had

    def rows(self) -> Sequence[Row]:
        """Return all that there is to show."""
        raise NotImplementedError

    def words_when_empty(self) -> str:
        """Return what stands there without a row."""
        return self.empty

    def heading(self) -> str:
        """Return what the title says of it, after its name."""
        return ""

    def called(self, word: str) -> None:
        """Take what was typed to come here: a page has several names."""

    def left(self) -> None:
        """Something else is shown now, or lies over it."""

    def widen(self) -> bool:
        """Take off whatever leaves rows out; return whether anything did."""
        had, self.filter = self.filter.is_set, Filter()
        return had

    def said(self, row: Row) -> str:
        """Return a row as it is copied and saved."""
        return "  ".join(text for cell in row.cells if (text := cell.text.strip()))

    def record(self, row: Row) -> Mapping[str, Any]:
        """Return a row as it is saved as JSON: by its columns, those too that there is no room for."""
        names = [column.title or f"column {at}" for at, column in enumerate(self.columns, 1)]
        return {name: cell.text.strip() for name, cell in zip(names, row.cells, strict=False)}

    @property
    def under_cursor(self) -> Row | None:
        """The row under the cursor."""
        return next((row for row in self.table.rows if row.key == self.table.chosen), None)

    def copied(self) -> tuple[str, str]:
        """Return what is tagged or under the cursor: in words, and as text."""
        tags, here = self.table.tags, self.under_cursor
        rows = [row for row in self.rows() if row.key in tags] if tags else [here] if here else []
        return counted(len(rows), "row"), "\n".join(map(self.said, rows))

    def filtered(self) -> Sequence[Row]:
        """Return the rows that the filter lets through. A tag goes with its row, not with its being shown."""
        rows = self.rows()
        if self.can_tag and self.table.tags:
            self.table.keep_tags(row.key for row in rows)
        if not self.filter.is_set:
            return rows
        matches = self.filter.matcher()
        return [row for row in rows if matches(row.text)]

    def paint(self) -> None:
        """Show how it stands now."""
        table = self.table
        rows = self.filtered()
        table.say_when_empty(
            f"nothing matches /{self.filter.text}" if self.filter.is_set else self.words_when_empty()
        )
        table.show(rows)

    def show_anew(self) -> None:
        """Show it now, and in the title what is shown."""
        self.paint()
        self.post_message(LineTable.Tagged())

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Enter on a row."""
        event.stop()
        self.choose(event.key)

    def choose(self, key: Key) -> None:
        """Open what was chosen."""

    def looks_at(self) -> frozenset[tuple[str, str]]:
        """Return the (daemon, site) of which commands, dead letters and allowlists are wanted while this is shown."""
        return frozenset()
