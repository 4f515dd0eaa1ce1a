"""What draws itself line by line looks as if Textual had prepared each line, and paints what changed and no more."""

import asyncio

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tests.tui.app.world import in_textual
from tui.app.linewidget import LineWidget
from tui.app.looks import HEADING, NO_STYLE
from tui.app.runs import Runs


class Drawn(LineWidget):
    """Counts how often each line is drawn."""

    DEFAULT_CSS = "Drawn { height: 1fr; width: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.words = "● word"
        self.drawn: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        styles = [Style(color="red"), Style(bold=True), Style(reverse=True), NO_STYLE]
        line = [Segment(f"{self.words}{y}", styles[y % 4]), Segment("  dim", Style(dim=True))]
        return Strip(line).crop_extend(0, self.size.width, NO_STYLE)


class Shown(App[None]):
    def __init__(self) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"

    def compose(self) -> ComposeResult:
        yield Drawn()


def cells(strip: Strip) -> list[tuple[object, ...]]:
    """Return each cell with what a terminal would make of its style."""
    return [
        (char, bool(style and style.bold), bool(style and style.dim), bool(style and style.reverse))
        for text, style, _ in strip
        for char in text
    ]


@in_textual
async def test_lines_are_as_textual_would_have_them() -> None:
    app = Shown()
    async with app.run_test(size=(30, 8)):
        widget = app.query_one(Drawn)
        for crop in (Region(0, 0, 30, 8), Region(3, 2, 9, 4), Region(0, 1, 5, 1), Region(29, 0, 1, 8)):
            ours, theirs = widget.render_lines(crop), Widget.render_lines(widget, crop)
            assert [strip.text for strip in ours] == [strip.text for strip in theirs]
            assert [len(strip.text) for strip in ours] == [crop.width] * crop.height
            assert list(map(cells, ours)) == list(map(cells, theirs))


@in_textual
async def test_only_what_is_refreshed_is_drawn_anew() -> None:
    app = Shown()
    async with app.run_test(size=(30, 8)) as pilot:
        widget = app.query_one(Drawn)
        await pilot.pause()
        widget.drawn.clear()
        widget.words = "○ other"
        widget.refresh_all([Region(0, 2, 4, 1), Region(8, 5, 2, 1)])
        await asyncio.sleep(0)
        await pilot.pause()
        app.screen._on_timer_update()
        widget.render_lines(Region(0, 0, 30, 8))
        assert sorted(set(widget.drawn)) == [2, 5]
        widget.drawn.clear()
        widget.refresh_all([])
        widget.render_lines(Region(0, 0, 30, 8))
        assert widget.drawn == []
        await pilot.resize_terminal(40, 9)
        await pilot.pause()
        assert [len(strip.text) for strip in widget.render_lines(Region(0, 0, 40, 9))] == [40] * 9


def test_texts_of_one_style_are_one_piece() -> None:
    line = Runs(NO_STYLE)
    for text, style in (("a", NO_STYLE), ("b ", NO_STYLE), ("車", HEADING), ("c", HEADING)):
        line.add(text, style)
    strip = line.strip(8)
    assert [(text, style) for text, style, _ in strip] == [
        ("ab ", NO_STYLE),
        ("車c", HEADING),
        ("  ", NO_STYLE),
    ]
    assert strip.cell_length == 8 and Runs(NO_STYLE).strip(0).cell_length == 0
    line = Runs(NO_STYLE)
    line.add("too long", NO_STYLE)
    assert line.strip(3).text == "too"
