"""A picture of a terminal, drawn cell by cell from the bytes that it was sent: what its user sees.

    screen = Screen(80, 24)
    screen.take(b"...")
    screen.picture().save("screen.png")

Letters are a font's; braille, blocks and boxes are drawn here, as good terminals do: with a font of its own they would not join.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pyte
from PIL import Image, ImageDraw, ImageFont
from pyte.screens import Char

from tests.tui.app.terminal import without_unknown
from tests.tui.whole.glyphs import Arc, strokes

__all__ = ["CELL", "Screen"]

CELL = (10, 20)
"""Pixels of a cell."""

FONT_SIZE = 16
BACKGROUND, FOREGROUND = (16, 20, 24), (208, 212, 216)
PALETTE = {
    "black": (38, 44, 50), "red": (224, 84, 76), "green": (110, 190, 96), "brown": (220, 176, 72),
    "blue": (92, 148, 232), "magenta": (190, 124, 212), "cyan": (84, 190, 200), "white": (208, 212, 216),
    "brightblack": (118, 126, 134), "brightred": (255, 120, 110), "brightgreen": (150, 224, 130),
    "brightbrown": (255, 214, 110), "brightblue": (140, 186, 255), "brightmagenta": (226, 166, 244),
    "brightcyan": (130, 226, 234), "brightwhite": (246, 248, 250), "bfightmagenta": (226, 166, 244),
}  # fmt: skip
"""By pyte's names, one of which is misspelt."""

FONTS = ("dejavu/DejaVuSansMono", "liberation/LiberationMono-Regular")
Colour = tuple[int, int, int]


class Screen(pyte.Screen):
    """A terminal's screen that knows dim text too: pyte does not, so what blinks stands for it (nothing of ours blinks)."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self._stream = pyte.ByteStream(self)

    def take(self, sent: bytes) -> None:
        """Take what was written to the terminal."""
        self._stream.feed(without_unknown(sent))

    def select_graphic_rendition(self, *attrs: int) -> None:
        """SGR."""
        super().select_graphic_rendition(*_dim_as_blink(attrs))

    @property
    def text(self) -> str:
        """What stands there."""
        return "\n".join(line.rstrip() for line in self.display)

    def picture(self) -> Image.Image:
        """Return it as it is seen. The cursor is not drawn."""
        width, height = CELL
        image = Image.new("RGB", (self.columns * width, self.lines * height), BACKGROUND)
        draw = ImageDraw.Draw(image)
        for row in range(self.lines):
            for column in range(self.columns):
                char = self.buffer[row][column]
                if char.data:
                    _draw_cell(image, draw, column * width, row * height, char)
        return image


def _dim_as_blink(attrs: tuple[int, ...]) -> Iterator[int]:
    """Change 2 to 5 (but not where it is part of a colour), and what ends bold to what ends both."""
    left = iter(attrs)
    for attr in left:
        if attr in (38, 48):
            kind = next(left, 0)
            yield from (attr, kind, *(next(left, 0) for _ in range(3 if kind == 2 else 1)))
        elif attr == 2:
            yield 5
        elif attr == 22:
            yield from (22, 25)
        else:
            yield attr


def _draw_cell(image: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int, char: Char) -> None:
    (width, height), is_wide = CELL, unicodedata.east_asian_width(char.data[0]) in "WF"
    front, back = _colour(char.fg, FOREGROUND), _colour(char.bg, BACKGROUND)
    if char.reverse:
        front, back = back, front
    if char.blink:
        front = _mixed(front, back, 0.6)
    width *= 1 + is_wide
    if back != BACKGROUND:
        draw.rectangle((x, y, x + width - 1, y + height - 1), back)
    drawn = strokes(char.data[0], width, height)
    if drawn is None:
        font = _font(char.bold)
        draw.text(
            (x + (width - font.getlength(char.data)) / 2, y + height * 0.76), char.data, front, font, "ls"
        )
    elif drawn:
        image.paste(_cell(char.data[0], width, height, front, back), (x, y))
    if char.underscore:
        draw.line((x, y + height - 3, x + width - 1, y + height - 3), front)


SHARP = 8
"""How much larger a cell is drawn before it is made small: edges between pixels come out right."""


@lru_cache(1000)
def _cell(char: str, width: int, height: int, front: Colour, back: Colour) -> Image.Image:
    large = Image.new("RGB", (width * SHARP, height * SHARP), back)
    draw = ImageDraw.Draw(large)
    for stroke in strokes(char, width, height) or ():
        if isinstance(stroke, Arc):
            _draw_arc(draw, stroke, width, height, front)
        else:
            edges = [round(edge * SHARP) for edge in (stroke.left, stroke.top, stroke.right, stroke.bottom)]
            draw.rectangle(
                (edges[0], edges[1], edges[2] - 1, edges[3] - 1), _mixed(front, back, stroke.share)
            )
    return large.resize((width, height), Image.Resampling.BOX)


def _draw_arc(draw: ImageDraw.ImageDraw, arc: Arc, width: int, height: int, colour: Colour) -> None:
    """A quarter of a circle, and the straight rest to the side that is farther."""
    thin = max(1, round(width / 10)) * SHARP
    x, y = width // 2 * SHARP, height // 2 * SHARP
    radius = (width // 2 - 1) * SHARP
    left = x if arc.is_right else x + thin - 2 * radius
    top = y if arc.is_down else y + thin - 2 * radius
    begin = {(True, True): 180, (False, True): 270, (False, False): 0, (True, False): 90}[
        arc.is_right, arc.is_down
    ]
    draw.arc((left, top, left + 2 * radius - 1, top + 2 * radius - 1), begin, begin + 90, colour, thin)
    rest = (top + radius, height * SHARP) if arc.is_down else (0, top + radius)
    draw.rectangle((x, rest[0], x + thin - 1, rest[1]), colour)
    rest = (left + radius, width * SHARP) if arc.is_right else (0, left + radius)
    draw.rectangle((rest[0], y, rest[1], y + thin - 1), colour)


def _colour(name: str, default: Colour) -> Colour:
    if name == "default":
        return default
    return PALETTE.get(name) or (int(name[:2], 16), int(name[2:4], 16), int(name[4:], 16))


def _mixed(front: Colour, back: Colour, share: float) -> Colour:
    red, green, blue = (round(f * share + b * (1 - share)) for f, b in zip(front, back, strict=True))
    return red, green, blue


@lru_cache(2)
def _font(is_bold: bool) -> ImageFont.FreeTypeFont:
    """Return a font of even width that is installed, else the one that Pillow brings."""
    for name in FONTS:
        path = Path("/usr/share/fonts/truetype") / f"{name}.ttf"
        bold = path.with_name(f"{path.stem.removesuffix('-Regular')}-Bold.ttf")
        if path.exists():
            return ImageFont.truetype(bold if is_bold and bold.exists() else path, FONT_SIZE)
    found = ImageFont.load_default(FONT_SIZE)
    assert isinstance(found, ImageFont.FreeTypeFont), "Pillow without FreeType draws nothing but ASCII"
    return found
