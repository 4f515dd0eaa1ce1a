"""Pictures of a terminal: dots and lines where a terminal has them, colours, dim, reverse."""

import pytest

from tests.tui.whole.glyphs import Rect, strokes
from tests.tui.whole.picture import BACKGROUND, CELL, FOREGROUND, PALETTE, Screen

WIDTH, HEIGHT = CELL


def drawn(sent: str, size: tuple[int, int] = (8, 4)) -> Screen:
    screen = Screen(*size)
    screen.take(sent.encode())
    return screen


def lit(
    screen: Screen, column: int, row: int, colour: tuple[int, int, int] = FOREGROUND
) -> set[tuple[int, int]]:
    """The pixels of a cell that have a colour."""
    image = screen.picture()
    left, top = column * WIDTH, row * HEIGHT
    pixels = ((x, y) for x in range(WIDTH) for y in range(HEIGHT))
    return {(x, y) for x, y in pixels if image.getpixel((left + x, top + y)) == colour}


def test_each_dot_of_braille_is_where_it_belongs() -> None:
    places = {
        0: (0, 0), 1: (0, 1), 2: (0, 2), 3: (1, 0), 4: (1, 1), 5: (1, 2), 6: (0, 3), 7: (1, 3),
    }  # fmt: skip
    for bit, (column, row) in places.items():
        pixels = lit(drawn(chr(0x2800 + (1 << bit))), 0, 0)
        assert pixels and {(x * 2 // WIDTH, y * 4 // HEIGHT) for x, y in pixels} == {(column, row)}
    assert not lit(drawn("\u2800"), 0, 0)
    dots = [
        (stroke.left + stroke.right) / 2 for stroke in strokes("⣿", WIDTH, HEIGHT) if isinstance(stroke, Rect)
    ]
    assert sorted(set(dots)) == [WIDTH / 4, WIDTH * 3 / 4], (
        "the same distance over the border of cells as inside"
    )


def test_lines_join_over_cells() -> None:
    screen = drawn("╭──╮\r\n│┏┓│\r\n╰──╯")
    image = screen.picture()
    y = HEIGHT // 2
    assert all(image.getpixel((x, y)) == FOREGROUND for x in range(WIDTH, 3 * WIDTH)), "a line without a gap"
    x = WIDTH // 2
    assert all(image.getpixel((x, y)) == FOREGROUND for y in range(HEIGHT, 2 * HEIGHT))
    assert image.getpixel((x, HEIGHT - 1)) == FOREGROUND, "the corner goes down to the side"
    assert image.getpixel((WIDTH - 1, y)) == FOREGROUND, "and to the right"
    assert image.getpixel((1, 1)) == BACKGROUND
    thick = {y for x, y in lit(screen, 1, 1) if x == WIDTH - 1}
    assert len(thick) == 3, "a heavy line is three times as thick"


def test_every_block_and_box_is_drawn() -> None:
    for code in range(0x2500, 0x25A0):
        name_is_of_a_font = 0x2550 <= code <= 0x256C or 0x2571 <= code <= 0x2573
        assert (strokes(chr(code), WIDTH, HEIGHT) is None) == name_is_of_a_font, hex(code)
    halves = {"▀": (0, HEIGHT // 2), "▄": (HEIGHT // 2, HEIGHT), "█": (0, HEIGHT)}
    for char, (top, bottom) in halves.items():
        assert {y for _, y in lit(drawn(char), 0, 0)} == set(range(top, bottom))
    assert {x for x, _ in lit(drawn("▌"), 0, 0)} == set(range(WIDTH // 2))
    assert {x for x, _ in lit(drawn("▐"), 0, 0)} == set(range(WIDTH // 2, WIDTH))
    assert lit(drawn("▚"), 0, 0) == {
        (x, y) for x in range(WIDTH) for y in range(HEIGHT) if (x < WIDTH // 2) == (y < HEIGHT // 2)
    }


@pytest.mark.parametrize(
    ("sent", "colour"),
    [
        ("\x1b[31m█", PALETTE["red"]),
        ("\x1b[92m█", PALETTE["brightgreen"]),
        ("\x1b[38;5;196m█", (255, 0, 0)),
        ("\x1b[38;2;2;5;22m█", (2, 5, 22)),
        ("\x1b[7m ", FOREGROUND),
        ("\x1b[42m ", PALETTE["green"]),
    ],
)
def test_colours(sent: str, colour: tuple[int, int, int]) -> None:
    assert len(lit(drawn(sent), 0, 0, colour)) == WIDTH * HEIGHT


def test_dim_is_between_and_ends_with_normal() -> None:
    image = drawn("\x1b[2m█\x1b[22m█\x1b[2;31m█\x1b[0m█").picture()
    dim, plain, red, again = (image.getpixel((column * WIDTH + 3, 3)) for column in range(4))
    assert plain == again == FOREGROUND
    assert all(back < middle < front for back, middle, front in zip(BACKGROUND, dim, FOREGROUND, strict=True))
    assert red[0] < PALETTE["red"][0]


def test_letters_are_drawn_in_their_cells_and_bold_is_bolder() -> None:
    screen = drawn("i\x1b[1mi\x1b[0m M")
    image = screen.picture()

    def ink(column: int) -> int:
        of = (column * WIDTH, 0, (column + 1) * WIDTH, HEIGHT)
        return sum(image.crop(of).tobytes()) - sum(BACKGROUND) * WIDTH * HEIGHT

    assert 0 < ink(0) < ink(1)
    assert ink(2) == 0 and ink(3) > 0
