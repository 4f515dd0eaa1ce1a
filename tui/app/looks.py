"""How things look in 16 colours: kinds of text, and the glyph that says the same without colour."""

from enum import Enum

from attrs import frozen
from rich.style import Style

__all__ = ["CURSOR", "HEADING", "NO_STYLE", "TAG", "Cell", "Key", "Kind", "Row"]

Key = tuple[str, ...]


class Kind(Enum):
    """What a text says of what it stands for. The values are names of rich's styles in the terminal's own colours."""

    PLAIN = ""
    STRONG = "bold"
    DIM = "dim"
    GOOD = "green"
    NOTICE = "yellow"
    BEST = "magenta"
    BAD = "bold red"

    def __init__(self, words: str) -> None:
        self.style = Style.parse(words)
        """As the widgets draw it."""


CURSOR = Style(reverse=True)
HEADING = Style(bold=True)
NO_STYLE = Style()
TAG = "*"
"""Before a row that is tagged."""


@frozen
class Cell:
    """A text on one line."""

    text: str = ""
    kind: Kind = Kind.PLAIN


@frozen
class Row:
    """A line of a table. `key` is what a control acts upon, and what the cursor stays with."""

    key: Key
    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        """As the filter reads it."""
        return " ".join(cell.text for cell in self.cells)
