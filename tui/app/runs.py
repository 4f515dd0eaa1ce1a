"""A line put together of texts, in as few pieces as it has styles: each piece costs at every paint."""

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

__all__ = ["Runs"]


class Runs:
    """A line that grows to the right. `base`: the style of what is left at its end."""

    def __init__(self, base: Style) -> None:
        self._base = base
        self._segments: list[Segment] = []
        self._text: list[str] = []
        self._style = base
        self._x = 0

    def add(self, text: str, style: Style) -> None:
        """Add a text."""
        if style is not self._style and text:
            self._end()
            self._style = style
        self._text.append(text)
        self._x += len(text) if text.isascii() else cell_len(text)

    def strip(self, width: int) -> Strip:
        """Return the line, `width` cells of it."""
        if width > self._x:
            self.add(" " * (width - self._x), self._base)
        self._end()
        strip = Strip(self._segments, self._x)
        return strip if self._x == width else strip.crop(0, width)

    def _end(self) -> None:
        if self._text:
            self._segments.append(Segment("".join(self._text), self._style))
            self._text = []
