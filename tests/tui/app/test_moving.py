"""Where one comes to: history, the last page and back again, out; and a picture that is drawn anew."""

import sys
from pathlib import Path

import pytest

from tests.tui.app.terminal import Terminal
from tests.tui.app.world import Face, in_textual, shown
from tui.app.history import History


async def walk(face: Face, *steps: tuple[str, str]) -> None:
    for key, title in steps:
        await face.press(key)
        assert face.title.startswith(f"pitlink {title}"), (key, face.title)


@in_textual
async def test_history_goes_back_and_on_and_forgets_what_was_left() -> None:
    async with shown() as face:
        await walk(
            face,
            ("]", "Overview"), ("[", "Overview"),  # there is nothing yet
            ("2", "Requests"), ("5", "Commands"), ("8", "Audit"),
            ("[", "Commands"), ("[", "Requests"), ("]", "Commands"),
            ("7", "Alarms"), ("]", "Alarms"), ("[", "Commands"), ("[", "Requests"), ("[", "Overview"), ("[", "Overview"),
            ("]", "Requests"),
        )  # fmt: skip


@in_textual
async def test_the_last_page_and_back_again() -> None:
    async with shown() as face:
        await walk(face, ("-", "Overview"), ("2", "Requests"), ("-", "Overview"), ("-", "Requests"))
        await face.press("1", "down", "enter")
        assert face.title.startswith("pitlink Site north")
        await walk(face, ("-", "Overview"), ("-", "Site north"), ("escape", "Overview"), ("-", "Site north"))


@in_textual
async def test_the_same_page_again_is_no_step() -> None:
    async with shown() as face:
        await walk(face, ("2", "Requests"), ("2", "Requests"), ("[", "Overview"), ("-", "Requests"))


def test_history_forgets_the_oldest_places() -> None:
    history = History(("overview", "", ""))
    for number in range(100):
        history.visit((str(number), "", ""))
    assert sum(1 for _ in iter(lambda: history.move(-1), False)) == 49
    assert history.here == ("50", "", "") and not history.has_back and history.before == ("51", "", "")


@in_textual
async def test_a_list_over_a_page_keeps_its_keys_from_it() -> None:
    async with shown() as face:
        await walk(face, ("2", "Requests"))
        await face.press("question_mark", "8", "bracket", "w")
        assert "Keys here" in face.text
        await walk(face, ("escape", "Requests"))


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")
def test_ctrl_l_draws_anew_what_something_else_wiped_off(tmp_path: Path) -> None:
    child = (sys.executable, "-m", "tests.tui.app.child", str(tmp_path / "count"))
    with Terminal(*child) as terminal:
        terminal.see("site00", "Overview", "? keys")
        terminal.press("7")
        terminal.see("Alarms", "no alarms", "? keys")
        terminal._stream.feed(b"\x1b[2J")
        assert "Alarms" not in terminal.text
        terminal.press("\x0c")
        terminal.see("Alarms", "no alarms", "? keys")
        terminal.press("Q")
        assert terminal.end() == 0
        assert "no alarms" in terminal.text and terminal.is_restored, "what was shown stays"
