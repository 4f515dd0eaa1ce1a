"""The picture of a terminal: whatever is drawn, what it sends makes the same picture, and no more than it has to."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.app.eyes import Eyes
from tui.app.cells import Picture, is_drawing, without_colour

STYLES = ("", "1", "2", "31", "1;31", "7", "1;7", "32;44", "1;32;44")
CHARS = "ab1 │█⣿ñ漢字🏁"
WIDTH, HEIGHT = 24, 5

PARTS = st.lists(
    st.tuples(st.sampled_from(STYLES), st.text(CHARS, max_size=10) | st.just(" " * 24)), max_size=5
)
EDITS = st.lists(st.tuples(st.integers(0, HEIGHT - 1), PARTS, st.booleans()), max_size=6)
Row = list[tuple[str, str]]
"""A style and a character for each place; a wide one takes two, the second of them "".
"""


def row_of(parts: list[tuple[str, str]]) -> Row:
    """Return a row as Textual cuts it: at the edge, and never through a wide character."""
    row: Row = []
    for style, text in [*parts, ("", " " * WIDTH)]:
        for char in text:
            room = WIDTH - len(row)
            if char in "漢字🏁":
                row += [(style, char), (style, "")] if room >= 2 else [(style, " ")][:room]
            else:
                row += [(style, char)][:room]
    return row


def piece(y: int, old: Row, new: Row, is_whole: bool) -> str:
    """Return what Textual draws: all of a row, or from the first change to the last."""
    changed = [x for x in range(WIDTH) if old[x] != new[x]] or [0]
    first, last = (0, WIDTH - 1) if is_whole else (changed[0], changed[-1])
    while first and "" in (old[first][1], new[first][1]):
        first -= 1
    while last < WIDTH - 1 and "" in (old[last + 1][1], new[last + 1][1]):
        last += 1
    out = f"\x1b[{y + 1};{first + 1}H"
    for style, part in itertools.groupby(new[first : last + 1], key=lambda cell: cell[0]):
        text = "".join(char for _, char in part)
        out += f"\x1b[{style}m{text}\x1b[0m" if style else text
    return out


@given(st.lists(st.tuples(EDITS, st.sampled_from(["send", "wait", "spoil"])), max_size=8))
def test_it_is_the_same_picture(frames: list[tuple[list[tuple[int, Row, bool]], str]]) -> None:
    plain, ours = Eyes(WIDTH, HEIGHT, "#"), Eyes(WIDTH, HEIGHT, "#")
    picture = Picture(WIDTH, HEIGHT)
    page = [row_of([]) for _ in range(HEIGHT)]
    blank: list[tuple[int, Row, bool]] = [(y, [], True) for y in range(HEIGHT)]
    for edits, then in [(blank, "send"), *frames, ([], "send")]:
        data = ""
        for y, parts, is_whole in sorted(edits, key=lambda edit: edit[0]):
            row = row_of(parts)
            data += piece(y, page[y], row, is_whole) + ("\n" if y < HEIGHT - 1 else "")
            page[y] = row
        data += "\x1b[1;1H"
        assert is_drawing(data)
        plain.feed(data)
        picture.draw(data)
        if then == "wait":
            continue  # a terminal that lags
        if then == "spoil":
            ours = Eyes(WIDTH, HEIGHT, "?")
            picture.distrust()
        ours.feed(picture.news())
        assert ours.shown == plain.shown
        assert picture.news() == "", "nothing is sent twice"


def sent(before: str, after: str) -> str:
    picture = Picture(20, 2)
    picture.draw(f"\x1b[1;1H{before:20}\n\x1b[2;1H{'':20}")
    picture.news()
    picture.draw(f"\x1b[1;1H{after:20}\x1b[1;1H")
    return picture.news()


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        ("round trip 41 ms", "round trip 42 ms", "\x1b[1;13H2"),
        ("41 ms, 12 ms", "42 ms, 13 ms", "\x1b[1;2H2\x1b[6C3"),
        ("41, 12", "42, 13", "\x1b[1;2H2, 13"),
        ("all is well here", "all", "\x1b[1;5H\x1b[K"),
        ("abc", "a c", "\x1b[1;2H "),
        ("same", "same", ""),
    ],
)
def test_what_changes_is_what_is_sent(before: str, after: str, news: str) -> None:
    assert sent(before, after) == news


def test_what_is_not_drawn_keeps_its_style() -> None:
    """Between two changes stands something in another style, short enough to be written once more."""
    plain, ours, picture = Eyes(20, 1), Eyes(20, 1), Picture(20, 1)
    for first, last in (("1", "1"), ("2", "3")):
        data = f"\x1b[1;1H{first}\x1b[1;31mab\x1b[0m{last}{'':16}\x1b[1;1H"
        plain.feed(data)
        picture.draw(data)
        news = picture.news()
        ours.feed(news)
    assert news == "\x1b[1H2\x1b[2C3"
    assert ours.shown == plain.shown


@pytest.mark.parametrize(
    ("at", "row"), [(1, "x 字b "), (2, " x字b "), (3, "漢x b "), (4, "漢 xb "), (5, "漢字x ")]
)
def test_of_a_wide_character_that_is_cut_nothing_is_left(at: int, row: str) -> None:
    """As when something is drawn across it: no terminal shows half of it, and all of them are told so."""
    picture, ours = Picture(6, 1), Eyes(6, 1)
    picture.draw("\x1b[1;1H漢字b \x1b[1;1H")
    ours.feed(picture.news())
    picture.draw(f"\x1b[1;{at}Hx\x1b[1;1H")
    ours.feed(picture.news())
    assert ours.screen.display == [row]


def test_what_terminals_do_not_agree_upon_is_drawn_with_all_its_row() -> None:
    """A sun with a selector is two cells for Textual and one for some terminals: no cell after it is taken for granted."""
    news = sent("☀\ufe0f 41 ms", "☀\ufe0f 42 ms")
    assert news.startswith("\x1b[1H\x1b[K☀\ufe0f\x1b[3G 42 ms")


def test_an_accent_that_comes_alone_stays_with_its_letter() -> None:
    picture, eyes = Picture(10, 1), Eyes(10, 1)
    picture.draw("\x1b[1;1Hcafe")
    picture.draw("\x1b[1;5H\u0301 au lait")
    eyes.feed(picture.news())
    assert eyes.screen.display == ["café au la"]


def test_the_cursor_goes_where_somebody_wants_it() -> None:
    picture = Picture(10, 2)
    picture.draw("\x1b[1;1Hab\x1b[1;1H")
    assert picture.news() == "\x1b[1Hab"
    picture.draw("\x1b[2;3H")
    assert picture.news() == "\x1b[2;3H"
    picture.draw("\x1b[2;3H")
    assert picture.news() == ""


def test_what_lies_outside_is_not_drawn() -> None:
    """As when a terminal has become smaller, and what is drawn was meant for the larger one."""
    picture = Picture(4, 1)
    picture.draw("\x1b[1;3Habc\n\x1b[2;1Hdef")
    assert picture.news() == "\x1b[1;3Hab"


@pytest.mark.parametrize(
    ("style", "left"),
    [("1;31", "1"), ("38;5;200;7", "7"), ("4;48;2;1;2;3", "4"), ("97;100", ""), ("2;39;49", "2"), ("1", "1")],
)
def test_a_style_without_its_colours(style: str, left: str) -> None:
    assert without_colour(style) == left


@pytest.mark.parametrize(
    "data",
    ["\x1b[2J", "\x1b[2;5r", "a\rb", "a\nb", "\x1bPq#0\x1b\\", "\x1b]52;c;YQ==\x07", "\x1b[?2048h", "\x9b1m"],
)
def test_it_takes_nothing_that_it_does_not_know(data: str) -> None:
    assert not is_drawing(data)
    assert not is_drawing(f"\x1b[1;1Hab{data}")
