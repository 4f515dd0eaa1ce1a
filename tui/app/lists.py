"""Lists over a page: something to read, or something to choose from."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label

from tui.app.columns import Column
from tui.app.linetable import LineTable
from tui.app.looks import Cell, Row

__all__ = ["Listing"]

MARGIN = 4


class Listing(ModalScreen[str | None]):
    """Rows under a title. Returns the place of the chosen row, "0" the first, or None after Esc. `is_choice`: Enter
    chooses; else it ends."""

    DEFAULT_CSS = """
    Listing { background: transparent; align: center middle; }
    Listing > Vertical {
        width: 90%; max-width: 100; height: auto; max-height: 90%;
        border: solid $primary; background: $background; padding: 0 1;
    }
    Listing Label { width: 100%; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "give_up", "back", id="list.back"),
        Binding("y", "app.copy", "copy all of it", id="list.copy"),
    ]

    def __init__(
        self, title: str, rows: Sequence[tuple[str, str]], *, first: int = 18, is_choice: bool = False
    ) -> None:
        super().__init__()
        self._title = title
        self._rows = [
            Row((str(at), left), (Cell(left), Cell(right))) for at, (left, right) in enumerate(rows)
        ]
        self._first = first
        self._is_choice = is_choice

    def copied(self) -> tuple[str, str]:
        """Return all that stands here, with its title: in words, and as text."""
        lines = ["  ".join(cell.text for cell in row.cells if cell.text) for row in self._rows]
        return f"{len(lines)} lines", "\n".join([self._title, *lines])

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(self._title, markup=False)
            columns = [Column("", 30, grows=True)]
            if self._first:
                columns = [Column("", self._first), Column("", 20, grows=True)]
            table = LineTable(columns)
            table.styles.height = len(self._rows) + 1
            table.styles.max_height = max(3, self.app.size.height - 2 * MARGIN)
            yield table

    def on_mount(self) -> None:
        """Show them."""
        table = self.query_one(LineTable)
        table.show(self._rows)
        table.focus()

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Enter."""
        event.stop()
        self.dismiss(event.key[0] if self._is_choice else None)

    def action_give_up(self) -> None:
        """Esc."""
        self.dismiss(None)
