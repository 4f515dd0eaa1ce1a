"""The picture on a terminal, cell by cell: what of a drawing is new there, in few bytes.

Textual draws whole regions, each piece with its own colours and its own move of the cursor: 46 bytes to show six
characters. Of what it draws most stands there already.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from attrs import define, field
from rich.cells import split_graphemes

__all__ = ["Picture", "is_drawing", "without_colour"]

_DRAWING = re.compile(r"(?:\x1b\[\d+;\d+H|\x1b\[[\d;]*m|\n(?=\x1b\[\d+;\d+H)|[^\x00-\x1f\x7f-\x9f]+)*")
"""What Textual draws with: moves, colours, text. A line's end is always followed by a move."""

_TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|([^\x00-\x1f\x7f-\x9f]+)")

_RANGES = (
    (0x20, 0x7E),
    (0xA0, 0xAC),
    (0xAE, 0x2FF),
    (0x370, 0x482),
    (0x2190, 0x21FF),
    (0x2500, 0x25FC),
    (0x2800, 0x28FF),
)
_NARROW = frozenset(chr(code) for first, last in _RANGES for code in range(first, last + 1))
"""What takes one cell each on every terminal; anything else is measured as Textual does."""

REWRITE_MAX = 4
"""Cells that are written once more rather than stepped over: a step takes as many bytes."""

CLEAR_MIN = 4
HOME = (0, 0)

Cell = str | None
"""The text in a cell: "" in the right half of a wide one, None where nobody knows."""


def is_drawing(data: str) -> bool:
    """Return whether there is nothing in it but moves, colours and text: what a picture can take."""
    return _DRAWING.fullmatch(data) is not None


@lru_cache(4096)
def _clusters(text: str) -> tuple[tuple[str, int], ...]:
    """Return what stands in cells of its own, and how many cells."""
    return tuple((text[start:end], cells) for start, end, cells in split_graphemes(text)[0])


@lru_cache(1024)
def without_colour(codes: str) -> str:
    """Return what is left of a style ("1;31") without its colours ("1")."""
    left, rest = [], codes.split(";")
    while rest:
        code = rest.pop(0)
        if code in ("38", "48", "58"):
            del rest[: 4 if rest[:1] == ["2"] else 2]
        elif not re.fullmatch(r"[349]\d|10[0-7]", code):
            left.append(code)
    return ";".join(left)


@define(eq=False)
class Picture:
    """A terminal of this size, of which nothing is known yet. `style`: what a style ("1;31") is to be instead.

    Not to be used by two threads at once.
    """

    width: int = 0
    height: int = 0
    style: Callable[[str], str] = lambda codes: codes
    _cells: list[list[Cell]] = field(init=False)
    _styles: list[list[str]] = field(init=False)
    _shown: list[list[Cell]] = field(init=False)
    _shown_styles: list[list[str]] = field(init=False)
    _touched: set[int] = field(factory=set, init=False)
    _odd: set[int] = field(factory=set, init=False)
    """Rows with something that terminals do not agree upon how wide it is: drawn as a whole."""
    _cursor: tuple[int, int] = field(default=HOME, init=False)
    _cursor_shown: tuple[int, int] = field(default=HOME, init=False)

    def __attrs_post_init__(self) -> None:
        self.forget()

    def resize(self, width: int, height: int) -> None:
        """Know nothing any more, of a terminal of another size."""
        self.width, self.height = width, height
        self.forget()

    def forget(self) -> None:
        """Know nothing any more: neither what the terminal shows, nor what it should."""
        self._cells = [[None] * self.width for _ in range(self.height)]
        self._styles = [[""] * self.width for _ in range(self.height)]
        self._odd.clear()
        self.distrust()

    def distrust(self) -> None:
        """Know no more what the terminal shows: the next news are all that it should."""
        self._shown = [[None] * self.width for _ in range(self.height)]
        self._shown_styles = [[""] * self.width for _ in range(self.height)]
        self._touched = set(range(self.height))

    def draw(self, data: str) -> None:
        """Take what is to be drawn, which `is_drawing`. The cursor is wanted where a last move leaves it."""
        x, y, style, is_asked = *self._cursor, "", False
        for token in _TOKEN.finditer(data):
            row, column, codes, text = token.groups()
            is_asked = row is not None
            if text is not None:
                x = self._put(y, x, text, style)
            elif codes is not None:
                style = self._turned(style, codes)
            else:
                y, x = max(0, int(row) - 1), max(0, int(column) - 1)
        self._cursor = (x, y) if is_asked else HOME

    def news(self) -> str:
        """Return what makes the terminal show what was drawn, and take it as shown; "" when it does."""
        out: list[str] = []
        for y in sorted(self._touched):
            if self._cells[y] != self._shown[y] or self._styles[y] != self._shown_styles[y]:
                self._row(y, out)
                self._shown[y] = self._cells[y].copy()
                self._shown_styles[y] = self._styles[y].copy()
        self._touched.clear()
        # The cursor is hidden, but input methods look where it is; at home nobody has asked for it.
        if self._cursor != HOME and (out or self._cursor != self._cursor_shown):
            out.append(_move(*self._cursor))
        self._cursor_shown = self._cursor
        return "".join(out)

    # --- what is drawn -----------------------------------------------------------------------------------------

    def _turned(self, style: str, codes: str) -> str:
        if codes in ("", "0"):
            return ""
        codes = self.style(codes.removeprefix("0;"))
        return f"{style};{codes}" if style and codes else codes or style

    def _put(self, y: int, x: int, text: str, style: str) -> int:
        """Put a text where it belongs, as far as there is a terminal; return where it ends."""
        if y >= self.height:
            return x
        self._touched.add(y)
        if not (text.isascii() or _NARROW.issuperset(text)):
            return self._put_wide(y, x, text, style)
        end = x + len(text)
        room = self.width - x
        if room <= 0:
            return end
        self._part(y, x)
        self._part(y, min(end, self.width))
        shown = text[:room]
        self._cells[y][x : x + len(shown)] = shown
        self._styles[y][x : x + len(shown)] = [style] * len(shown)
        return end

    def _put_wide(self, y: int, x: int, text: str, style: str) -> int:
        cells, styles = self._cells[y], self._styles[y]
        for cluster, width in _clusters(text):
            if len(cluster) > 1 or not width:
                self._odd.add(y)
            if not width:
                self._append(y, x - 1, cluster)
            elif x + width <= self.width:
                self._part(y, x)
                self._part(y, x + width)
                cells[x : x + width] = [cluster, *[""] * (width - 1)]
                styles[x : x + width] = [style] * width
            x += width
        return x

    def _append(self, y: int, x: int, mark: str) -> None:
        """Put something without a width of its own, such as an accent, on what stands left of it."""
        while 0 < x < self.width and self._cells[y][x] == "":
            x -= 1
        if 0 <= x < self.width and self._cells[y][x]:
            self._cells[y][x] = f"{self._cells[y][x]}{mark}"

    def _part(self, y: int, x: int) -> None:
        """Something begins or ends here: of a wide character that stood across, blanks are left."""
        cells = self._cells[y]
        if 0 < x < self.width and cells[x] == "":
            cells[x - 1] = cells[x] = " "

    # --- what is sent ------------------------------------------------------------------------------------------

    def _row(self, y: int, out: list[str]) -> None:
        """Append what changes a row to what it should be; begins and ends without a style."""
        cells, styles = self._cells[y], self._styles[y]
        at, style, is_sure = -1, "", True
        if y in self._odd and None not in cells:
            out.append(f"{_move(0, y)}\x1b[K")
            at, changed = 0, list(range(self.width))
        else:
            both = enumerate(zip(cells, self._shown[y], styles, self._shown_styles[y], strict=True))
            changed = [x for x, (new, old, style, was) in both if new != old or style != was]
        clear = self._clear_from(y, changed)
        for x in changed:
            text = cells[x]
            if not text or x >= clear:
                continue
            if not is_sure:
                out.append(f"\x1b[{x + 1}G")
            elif x != at:
                out.append(self._step(y, at, x, style))
            if styles[x] != style:
                out.append(_turn(style, styles[x]))
                style = styles[x]
            out.append(text)
            is_sure = _NARROW.issuperset(text)
            at = x + 1
        if style:
            out.append("\x1b[m")
        if clear < self.width:
            out.append(f"{_move(clear, y) if at != clear or not is_sure else ''}\x1b[K")

    def _clear_from(self, y: int, changed: list[int]) -> int:
        """Return from which cell on the row is cleared rather than written blank; its width for nowhere."""
        cells, styles = self._cells[y], self._styles[y]
        end = self.width
        while end and cells[end - 1] == " " and not styles[end - 1]:
            end -= 1
        blank = [x for x in changed if x >= end]
        return blank[0] if len(blank) >= CLEAR_MIN else self.width

    def _step(self, y: int, at: int, x: int, style: str) -> str:
        """Return what moves the cursor from one cell of a row to another, further right; `at` -1: from anywhere."""
        if at < 0:
            return _move(x, y)
        between = self._cells[y][at:x]
        if x - at <= REWRITE_MAX and all(self._styles[y][i] == style for i in range(at, x)):
            again = "".join(text or "" for text in between)
            if len(again) == x - at and _NARROW.issuperset(again):
                return again
        return f"\x1b[{x - at}C" if x - at > 1 else "\x1b[C"


def _move(x: int, y: int) -> str:
    """Return what moves the cursor there from anywhere."""
    return f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H"


def _turn(style: str, to: str) -> str:
    """Return what changes the style from one to another."""
    if not to:
        return "\x1b[m"
    if not style:
        return f"\x1b[{to}m"
    return f"\x1b[{to[len(style) + 1 :]}m" if to.startswith(f"{style};") else f"\x1b[0;{to}m"
