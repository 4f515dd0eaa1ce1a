"""What a terminal draws itself, so that lines join and dots stand where they belong: braille, blocks, boxes.

`strokes(char, width, height)` says it as rectangles, arcs and shades of one cell, in pixels; None for what a font has to draw.
"""

import unicodedata
from collections.abc import Iterator

from attrs import frozen

__all__ = ["Arc", "Rect", "strokes"]


@frozen
class Rect:
    """A filled rectangle, from its first pixel to before its last. `share`: how much of the colour, for shades."""

    left: float
    top: float
    right: float
    bottom: float
    share: float = 1.0


@frozen
class Arc:
    """A rounded corner that joins the middles of two sides: to the right or left, up or down."""

    is_right: bool
    is_down: bool


Strokes = list[Rect | Arc]
_SIDES = ("LEFT", "UP", "RIGHT", "DOWN")
_BOTH = {"HORIZONTAL": ("LEFT", "RIGHT"), "VERTICAL": ("UP", "DOWN")}
_WEIGHTS = {"LIGHT": 1, "HEAVY": 3}
_QUADRANTS = (
    ("UPPER LEFT", 0.0, 0.0),
    ("UPPER RIGHT", 0.5, 0.0),
    ("LOWER LEFT", 0.0, 0.5),
    ("LOWER RIGHT", 0.5, 0.5),
)
_SHADES = {"LIGHT SHADE": 0.25, "MEDIUM SHADE": 0.5, "DARK SHADE": 0.75}
_EIGHTHS = {
    "ONE EIGHTH": 1, "ONE QUARTER": 2, "THREE EIGHTHS": 3, "HALF": 4,
    "FIVE EIGHTHS": 5, "THREE QUARTERS": 6, "SEVEN EIGHTHS": 7,
}  # fmt: skip
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Of a braille character's bits: column and row."""


def strokes(char: str, width: int, height: int) -> Strokes | None:
    """Return what a cell of this size is drawn of."""
    code = ord(char)
    if 0x2800 <= code <= 0x28FF:
        return list(_braille(code - 0x2800, width, height))
    if 0x2500 <= code <= 0x257F:
        return _box(unicodedata.name(char).removeprefix("BOX DRAWINGS "), width, height)
    if 0x2580 <= code <= 0x259F:
        return _block(unicodedata.name(char), width, height)
    return None


def _braille(bits: int, width: int, height: int) -> Iterator[Rect]:
    """Dots at even distances, also over the border of cells: that makes of them a picture."""
    side = max(2.0, width / 5)
    for bit, (column, row) in enumerate(_DOTS):
        if bits >> bit & 1:
            x, y = width * (2 * column + 1) / 4, height * (2 * row + 1) / 8
            yield Rect(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def _block(name: str, width: int, height: int) -> Strokes:
    if name in _SHADES:
        return [Rect(0, 0, width, height, _SHADES[name])]
    if name == "FULL BLOCK":
        return [Rect(0, 0, width, height)]
    if name.startswith("QUADRANT"):
        found = [(x, y) for words, x, y in _QUADRANTS if words in name]
        return [Rect(x * width, y * height, (x + 0.5) * width, (y + 0.5) * height) for x, y in found]
    side, _, rest = name.removesuffix(" BLOCK").partition(" ")
    share = _EIGHTHS[rest] / 8
    left, top = (1 - share if side == "RIGHT" else 0), (1 - share if side == "LOWER" else 0)
    right, bottom = (share if side == "LEFT" else 1), (share if side == "UPPER" else 1)
    return [Rect(left * width, top * height, right * width, bottom * height)]


def _box(name: str, width: int, height: int) -> Strokes | None:
    """Read off the name how thick the line to each side is, as in "VERTICAL LIGHT AND RIGHT HEAVY"."""
    words = name.split()
    if "ARC" in words:
        return [Arc("RIGHT" in words, "DOWN" in words)]
    dashes = 1
    if "DASH" in words:
        dashes = {"DOUBLE": 2, "TRIPLE": 3, "QUADRUPLE": 4}[words[1]]
        words = [words[0], words[3]]
    if {"DOUBLE", "DIAGONAL"} & set(words):
        return None
    weights = _weights(words)
    found = [_line(side, weights, width, height) for side in weights]
    return [piece for rect in found for piece in _dashed(rect, dashes)]


def _weights(words: list[str]) -> dict[str, int]:
    """Return how thick the line to each side is, for those that have one."""
    found: dict[str, int] = {}
    first = next(word for word in words if word in _WEIGHTS)
    for group in " ".join(words).split(" AND "):
        own = next((word for word in group.split() if word in _WEIGHTS), first)
        sides = [side for word in group.split() for side in _BOTH.get(word, (word,)) if side in _SIDES]
        found |= dict.fromkeys(sides, _WEIGHTS[own])
    return found


def _line(side: str, weights: dict[str, int], width: int, height: int) -> Rect:
    """A line from one side to the middle of the cell, and as far over it as the lines across are thick."""
    thin = max(1, round(width / 10))
    across = ("UP", "DOWN") if side in ("LEFT", "RIGHT") else ("LEFT", "RIGHT")
    over, half = max(1, *(weights.get(other, 0) for other in across)) * thin / 2, weights[side] * thin / 2
    x, y = width // 2 + thin / 2, height // 2 + thin / 2
    match side:
        case "LEFT":
            return Rect(0, y - half, x + over, y + half)
        case "RIGHT":
            return Rect(x - over, y - half, width, y + half)
        case "UP":
            return Rect(x - half, 0, x + half, y + over)
        case _:
            return Rect(x - half, y - over, x + half, height)


def _dashed(rect: Rect, dashes: int) -> Iterator[Rect]:
    if dashes == 1:
        yield rect
        return
    is_flat = rect.right - rect.left > rect.bottom - rect.top
    length = (rect.right - rect.left if is_flat else rect.bottom - rect.top) / dashes
    for at in range(dashes):
        if is_flat:
            yield Rect(rect.left + at * length, rect.top, rect.left + (at + 0.6) * length, rect.bottom)
        else:
            yield Rect(rect.left, rect.top + at * length, rect.right, rect.top + (at + 0.6) * length)
