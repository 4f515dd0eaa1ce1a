"""Markers: what dots a cell of a drawing is made of on this terminal, and plain ASCII for one that has nothing else."""

import locale
import unicodedata
from enum import StrEnum
from functools import lru_cache

from attrs import frozen
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

__all__ = ["ASCII", "BLOCK", "BRAILLE", "AsciiOnly", "Dots", "Markers", "as_ascii", "dots_of", "markers_here"]


class Markers(StrEnum):
    """What `--markers` takes. Not every font has braille; not every terminal has more than ASCII."""

    BRAILLE = "braille"
    BLOCK = "block"
    ASCII = "ascii"


@frozen
class Dots:
    """How dots make a cell: `wide` by `high` of them.

    `aspect`: a dot's height by its width. `chars`: the character of each pattern; the dot in column x and row y, from the
    left and from the top, is bit x * high + y.
    """

    wide: int
    high: int
    aspect: float
    chars: str


def _braille() -> str:
    bits = (0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80)
    patterns = [sum(bit for at, bit in enumerate(bits) if pattern >> at & 1) for pattern in range(256)]
    return " " + "".join(chr(0x2800 + pattern) for pattern in patterns[1:])


BRAILLE = Dots(2, 4, 1.0, _braille())
BLOCK = Dots(2, 2, 2.0, " ▘▖▌▝▀▞▛▗▚▄▙▐▜▟█")
ASCII = Dots(1, 2, 1.0, " '.:")
_DOTS = {Markers.BRAILLE: BRAILLE, Markers.BLOCK: BLOCK, Markers.ASCII: ASCII}


def dots_of(markers: Markers) -> Dots:
    """Return the dots that these markers draw with."""
    return _DOTS[markers]


def markers_here() -> Markers:
    """Return the markers for this locale: ASCII where it is not UTF-8, since nothing else arrives there."""
    encoding = locale.getencoding().replace("-", "").replace("_", "").lower()
    return Markers.BRAILLE if encoding == "utf8" else Markers.ASCII


_ALIKE = str.maketrans(
    {
        "●": "*", "■": "#", "○": "o", "◌": ".", "✗": "x", "✓": "v", "‖": "=", "◆": "@", "…": "~", "°": "'",
        "─": "-", "━": "-", "═": "=", "│": "|", "┃": "|", "║": "|", "▏": "|", "▕": "|", "▔": "-", "▁": "_",
        "█": "#", "▓": "#", "▒": "=", "░": ".", "▀": "'", "▄": ".", "▌": "|", "▐": "|", "▊": "|", "▎": "|",
        "▲": "^", "▼": "v", "▶": ">", "◀": "<", "↑": "^", "↓": "v", "→": ">", "←": "<", "–": "-", "—": "-",
        "·": ".", "•": "*", "×": "x", "≤": "<", "≥": ">", "“": '"', "”": '"', "‘": "'", "’": "'",
    }
)  # fmt: skip


@lru_cache(2048)
def as_ascii(text: str) -> str:
    """Return a text of the same width in ASCII: what looks alike, letters without their marks, "?" for the rest."""
    if text.isascii():
        return text
    return "".join(map(_ascii_of, text.translate(_ALIKE)))


def _ascii_of(char: str) -> str:
    if char.isascii():
        return char
    if 0x2500 <= ord(char) <= 0x257F:
        return "+"  # a corner or a crossing of a box
    width = cell_len(char)
    plain = "".join(part for part in unicodedata.normalize("NFKD", char) if part.isascii())
    return plain if len(plain) == width else "?" * width


class AsciiOnly(LineFilter):
    """Makes everything that is drawn ASCII: boxes, glyphs and names too."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments so; those that are ASCII stay as they are."""
        return [
            segment
            if segment.text.isascii()
            else Segment(as_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]
