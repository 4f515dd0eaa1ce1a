"""One line of text, such as a title: repainted only when it says something else."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.app.linewidget import LineWidget
from tui.app.looks import Cell

__all__ = ["OneLine"]


class OneLine(LineWidget):
    """Cells one after another, and at the right end one more; what does not fit is cut off at the right of the left."""

    DEFAULT_CSS = "OneLine { height: 1; width: 1fr; }"

    def __init__(self, name: str, *, is_bar: bool = False) -> None:
        super().__init__(id=name)
        self._left: tuple[Cell, ...] = ()
        self._right = Cell()
        self._base = Style(reverse=True) if is_bar else Style()

    @property
    def text(self) -> str:
        """What it says."""
        return " ".join(cell.text for cell in (*self._left, self._right) if cell.text)

    def say(self, left: Sequence[Cell], right: Cell | None = None) -> None:
        """Say this from now on."""
        now = (tuple(left), right or Cell())
        if now != (self._left, self._right):
            self._left, self._right = now
            self.refresh_all([self.size.region])

    def render_line(self, y: int) -> Strip:
        """Return it as it is drawn."""
        width = self.size.width
        end = f" {self._right.text}" if self._right.text else ""
        room = max(0, width - cell_len(end))
        segments, used = [], 0
        for cell in self._left:
            text = f"{cell.text} " if cell.text else ""
            if used + cell_len(text) > room:
                text = set_cell_size(text, room - used)
            segments.append(Segment(text, self._base + cell.kind.style))
            used += cell_len(text)
        segments.append(Segment(" " * (room - used), self._base))
        segments.append(Segment(end, self._base + self._right.kind.style))
        return Strip(segments).crop_extend(0, width, self._base)
