"""A table drawn line by line: one widget, however many rows; a changed cell repaints that cell and nothing else."""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from tui.app.columns import GAP, Column, Placed, place
from tui.app.linewidget import LineWidget
from tui.app.looks import CURSOR, HEADING, NO_STYLE, TAG, Cell, Key, Kind, Row
from tui.app.runs import Runs

__all__ = ["LineTable"]

_NOTHING = Cell()
_BETWEEN = " " * GAP

_Line = tuple[tuple[Cell, ...], bool, bool]
"""What was drawn of a row: its cells, and whether the cursor is on it and it is tagged."""


class LineTable(LineWidget, can_focus=True):
    """Rows under a heading, with a cursor that stays with its row's key. `follows`: keeps to the newest, last row.

    `is_taggable(key)`: may this row be tagged? Tags are by key, and stay when their rows are not shown; without it there
    are none, and no room for them.
    """

    DEFAULT_CSS = "LineTable { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", id="row.up", show=False),
        Binding("down,j", "move(1)", "down", id="row.down", show=False),
        Binding("pageup", "page(-1)", "page up", id="row.pageup", show=False),
        Binding("pagedown", "page(1)", "page down", id="row.pagedown", show=False),
        Binding("home,g", "end(0)", "first", id="row.first", show=False),
        Binding("end,G", "end(1)", "last", id="row.last", show=False),
        Binding("enter", "choose", "open", id="row.open", show=False),
        Binding("space", "tag", "tag: what is done is done to all that are tagged", id="row.tag"),
    ]

    class Chosen(Message):
        """Enter on a row."""

        def __init__(self, table: "LineTable", key: Key) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class Tagged(Message):
        """A row was tagged, or is no longer."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        follows: bool = False,
        empty: str = "",
        is_taggable: Callable[[Key], bool] | None = None,
    ) -> None:
        super().__init__()
        self._columns = tuple(columns)
        self._is_taggable = is_taggable
        self._margin = 0 if is_taggable is None else 1
        self._tags: set[Key] = set()
        self._placed: tuple[Placed, ...] = ()
        self._width = 0
        self._rows: tuple[Row, ...] = ()
        self._empty = empty
        self._cursor = 0
        self._top = 0
        self._follows = follows
        self._at_end = follows
        self._drawn: list[_Line] = []

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown, or could be scrolled to."""
        return self._rows

    @property
    def chosen(self) -> Key | None:
        """The key of the row under the cursor."""
        return self._rows[self._cursor].key if self._rows else None

    @property
    def tags(self) -> frozenset[Key]:
        """The keys of the rows that are tagged, shown or not."""
        return frozenset(self._tags)

    def keep_tags(self, keys: Iterable[Key]) -> None:
        """Forget the tags of all other rows."""
        self._tags &= set(keys)
        self._settle()

    def say_when_empty(self, words: str) -> None:
        """Set what stands there without a row."""
        if words != self._empty:
            self._empty = words
            if not self._rows:
                self.refresh()

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows. The cursor stays with its row, or with its place when that is gone."""
        key = self.chosen
        was_empty = not self._rows
        self._rows = tuple(rows)
        if self._at_end:
            self._cursor = max(0, len(self._rows) - 1)
        elif key is not None:
            found = next((at for at, row in enumerate(self._rows) if row.key == key), self._cursor)
            # What moves is the list, not the line that is read.
            self._top = max(0, self._top + found - self._cursor)
            self._cursor = found
        self._settle()
        if was_empty != (not self._rows):
            self.refresh()

    def point_at(self, key: Key) -> None:
        """Put the cursor on this row, if it is there."""
        found = next((at for at, row in enumerate(self._rows) if row.key == key), None)
        if found is not None:
            self._go(found)

    def on_resize(self, event: events.Resize) -> None:
        """Lay the columns out anew."""
        self._width = event.size.width
        self._placed = place(self._columns, self._width - self._margin)
        self._drawn = []
        self._settle()
        self.refresh()

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._go(self._cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by screens."""
        self._go(self._cursor + by * max(1, self._height - 1))

    def action_end(self, last: int) -> None:
        """Go to the first row or the last."""
        self._go((len(self._rows) - 1) * last)

    def action_choose(self) -> None:
        """Say which row was chosen."""
        if self.chosen is not None:
            self.post_message(self.Chosen(self, self.chosen))

    def action_tag(self) -> None:
        """Tag the row under the cursor or take that back, and go on to the next."""
        key = self.chosen
        if key is None or self._is_taggable is None or not self._is_taggable(key):
            return
        self._tags ^= {key}
        self._go(self._cursor + 1)
        self.post_message(self.Tagged())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Space means something only where rows can be tagged."""
        return action != "tag" or self._is_taggable is not None

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where it was clicked."""
        if 0 < event.y <= len(self._rows) - self._top:
            self._go(self._top + event.y - 1)

    def render_line(self, y: int) -> Strip:
        """Return a line as it is drawn: the heading, then rows from the top of what is in view."""
        if y == 0:
            cells = tuple(Cell(column.title) for column in self._columns)
            return self._strip(cells, False, heading=True)
        at = self._top + y - 1
        if at < len(self._rows):
            row = self._rows[at]
            return self._strip(row.cells, at == self._cursor and self.has_focus, tagged=row.key in self._tags)
        if not self._rows and y == 2:
            return Strip([Segment(f" {self._empty}", Kind.DIM.style)]).crop_extend(
                0, self.size.width, NO_STYLE
            )
        return Strip.blank(self.size.width, NO_STYLE)

    def on_focus(self) -> None:
        """Show the cursor."""
        self._settle()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self._settle()

    @property
    def _height(self) -> int:
        return max(0, self.size.height - 1)

    def _go(self, to: int) -> None:
        self._cursor = max(0, min(to, len(self._rows) - 1))
        self._at_end = self._follows and self._cursor >= len(self._rows) - 1
        self._settle()

    def _settle(self) -> None:
        """Keep the cursor in view; repaint what differs from what was drawn."""
        self._cursor = max(0, min(self._cursor, len(self._rows) - 1))
        height = self._height
        if height:
            top = min(self._top, max(0, len(self._rows) - height))
            self._top = max(min(top, self._cursor), self._cursor - height + 1, 0)
        marked = self.has_focus
        now = [
            (row.cells, marked and at == self._cursor, row.key in self._tags)
            for at, row in enumerate(self._rows[self._top : self._top + height], self._top)
        ]
        before, self._drawn = self._drawn, now
        dirty: list[Region] = []
        for y in range(max(len(before), len(now))):
            old = before[y] if y < len(before) else None
            new = now[y] if y < len(now) else None
            if old != new:
                dirty += self._changed(y + 1, old, new)
        self.refresh_all(dirty)

    def _changed(self, y: int, old: _Line | None, new: _Line | None) -> list[Region]:
        if old is None or new is None or old[1:] != new[1:]:
            return [Region(0, y, self.size.width, 1)]
        return [
            Region(self._margin + placed.x, y, placed.width, 1)
            for placed in self._placed
            if _at(old[0], placed.index) != _at(new[0], placed.index)
        ]

    def _strip(
        self, cells: tuple[Cell, ...], marked: bool, *, heading: bool = False, tagged: bool = False
    ) -> Strip:
        base = CURSOR if marked else NO_STYLE
        line = Runs(base)
        if self._margin:
            line.add(TAG if tagged else " ", Kind.STRONG.style + base if tagged else base)
        last = self._placed[-1] if self._placed else None
        for placed in self._placed:
            cell = _at(cells, placed.index)
            text = _fitted(cell.text, placed.width, self._columns[placed.index].right)
            between = "" if placed is last else _BETWEEN
            if heading or marked:
                line.add(text, (HEADING if heading else cell.kind.style) + base)
                line.add(between, base)
            else:
                line.add(f"{text}{between}", cell.kind.style)
        return line.strip(self._width)


def _at(cells: tuple[Cell, ...], index: int) -> Cell:
    return cells[index] if index < len(cells) else _NOTHING


def _fitted(text: str, width: int, right: bool) -> str:
    if text.isascii() and len(text) <= width:
        return text.rjust(width) if right else text.ljust(width)
    if right and len(text) < width:
        text = text.rjust(width)
    return set_cell_size(text, width)
