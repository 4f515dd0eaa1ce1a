"""What a terminal shows, cell by cell, by pyte: to compare two of them."""

import re
from typing import Any

import pyte

__all__ = ["Eyes"]

# What pyte does not know: private modes but those it draws by, strings for the terminal itself.
_UNKNOWN = re.compile(
    r"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$?[pu]|\x1b\[\?2026[hl]|\x1b[P\]_][^\x07\x1b]*(?:\x07|\x1b\\)"
)
Shown = list[list[tuple[Any, ...]]]


class _Screen(pyte.Screen):
    def select_graphic_rendition(self, *attrs: int, **other: Any) -> None:
        # pyte knows no faint; nothing here blinks. No colour in these pictures is one of 256.
        if 38 not in attrs and 48 not in attrs:
            attrs = tuple({2: 5, 22: 25}.get(attr, attr) for attr in attrs)
        super().select_graphic_rendition(*attrs, **other)


class Eyes:
    """Looks at a terminal of this size, on which nothing stands, or everywhere the same."""

    def __init__(self, width: int, height: int, rubbish: str = "") -> None:
        self.screen = _Screen(width, height)
        self.screen.reset_mode(pyte.modes.DECAWM)
        self._stream = pyte.Stream(self.screen)
        for y in range(height if rubbish else 0):
            self.feed(f"\x1b[{y + 1};1H\x1b[35m{rubbish * width}\x1b[m")

    def feed(self, data: str) -> None:
        self._stream.feed(_UNKNOWN.sub("", data).replace("\n", "\r\n"))

    @property
    def cursor(self) -> tuple[int, int]:
        return self.screen.cursor.x, self.screen.cursor.y

    @property
    def shown(self) -> Shown:
        """Text and attributes of each cell."""
        width, height = self.screen.columns, self.screen.lines
        return [[tuple(self.screen.buffer[y][x]) for x in range(width)] for y in range(height)]
