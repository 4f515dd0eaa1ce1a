"""What dots become: expected cells, no peak lost, nothing outside drawn, everything in ASCII where there is no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from tui.app.canvas import Canvas, column
from tui.app.markers import ASCII, BLOCK, BRAILLE, AsciiOnly, Dots, Markers, as_ascii, dots_of, markers_here

KINDS = [BRAILLE, BLOCK, ASCII]


@pytest.mark.parametrize(
    ("dots", "spans", "cells"),
    [
        (BRAILLE, [(0, 0), None], ["⠁", " "]),
        (BRAILLE, [None, (7, 7)], [" ", "⢀"]),
        (BRAILLE, [(0, 7), (0, 7)], ["⣿", "⣿"]),
        (BRAILLE, [(3, 4), (2, 5)], ["⣠", "⠙"]),
        (BRAILLE, [None, None], [" ", " "]),
        (BLOCK, [(0, 0), (3, 3)], ["▘", "▗"]),
        (BLOCK, [(1, 2), (1, 1)], ["▄", "▘"]),
        (BLOCK, [(0, 3), (0, 3)], ["█", "█"]),
        (ASCII, [(0, 0)], ["'", " "]),
        (ASCII, [(1, 2)], [".", "'"]),
        (ASCII, [(2, 3)], [" ", ":"]),
    ],
)
def test_a_column_of_cells(dots: Dots, spans: list[tuple[int, int] | None], cells: list[str]) -> None:
    assert list(column(dots, spans, 2)) == cells


@given(st.sampled_from(KINDS), st.integers(1, 6), st.data())
def test_a_column_is_what_its_dots_are_one_by_one(dots: Dots, height: int, data: st.DataObject) -> None:
    row = st.integers(0, height * dots.high - 1)
    span = st.none() | st.tuples(row, row).map(lambda ends: (min(ends), max(ends)))
    spans = data.draw(st.lists(span, min_size=dots.wide, max_size=dots.wide))
    canvas = Canvas(dots, 1, height)
    for x, found in enumerate(spans):
        for y in range(found[0], found[1] + 1) if found else ():
            canvas.plot(x, y)
    assert list(column(dots, spans, height)) == canvas.rows()


def test_a_line_has_no_gaps_and_both_ends() -> None:
    canvas = Canvas(BRAILLE, 4, 2)
    canvas.line(0, 0, 7, 7)
    assert canvas.rows() == ["⠑⢄  ", "  ⠑⢄"]
    canvas = Canvas(ASCII, 5, 1)
    canvas.line(4, 1, 0, 1)
    assert canvas.rows() == ["....."]


@given(st.sampled_from(KINDS), *[st.integers(-40, 40)] * 4)
def test_what_lies_outside_is_not_drawn(dots: Dots, x: int, y: int, to_x: int, to_y: int) -> None:
    canvas = Canvas(dots, 5, 3)
    canvas.line(x, y, to_x, to_y)
    assert [len(row) for row in canvas.rows()] == [5] * 3


def test_every_pattern_has_a_character_of_its_own() -> None:
    for dots in KINDS:
        assert len(dots.chars) == 2 ** (dots.wide * dots.high) == len(set(dots.chars))
        assert all(cell_len(char) == 1 for char in dots.chars)
        assert dots.chars[0] == " "
    assert dots_of(Markers.ASCII).chars.isascii()


def test_a_locale_without_utf_8_has_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getencoding", lambda: "UTF-8")
    assert markers_here() is Markers.BRAILLE
    monkeypatch.setattr("locale.getencoding", lambda: "ANSI_X3.4-1968")
    assert markers_here() is Markers.ASCII


@given(st.text())
def test_ascii_keeps_the_width(text: str) -> None:
    printable = "".join(char for char in text if char.isprintable())
    made = as_ascii(printable)
    assert made.isascii() and cell_len(made) == cell_len(printable)


def test_ascii_says_what_it_can() -> None:
    assert as_ascii("┌──┐ ● Zoë 21.5° 車") == "+--+ * Zoe 21.5' ??"
    found = AsciiOnly().apply([Segment("✗ gone"), Segment("ok")], Color(0, 0, 0))
    assert [segment.text for segment in found] == ["x gone", "ok"]
