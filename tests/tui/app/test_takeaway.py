"""What is copied and saved: the row, those tagged, a record, a command line; the whole page as a file."""

import base64
import json
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.tui.app.test_trace import line
from tests.tui.app.world import HUB, Face, in_textual, shown, site
from tui.app import driver
from tui.app.clipboard import COPY_BYTES_MAX, osc52
from tui.app.saving import save


def decoded(written: str) -> str:
    found = re.search(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", written)
    assert found, written
    return base64.b64decode(found[1]).decode()


def caught(face: Face) -> list[str]:
    """Have what goes to the terminal past the picture noted."""
    found: list[str] = []
    face.app.takeaway.write = found.append
    face.app.takeaway.environment = {"TERM": "xterm-256color"}
    return found


@in_textual
async def test_the_row_under_the_cursor_is_copied_or_those_tagged() -> None:
    async with shown() as face:
        written = caught(face)
        face.world.tell({"north": site(), "south": site(phase="racing")})
        await face.settle()
        await face.press("down", "y")
        text = decoded(written.pop())
        assert text.startswith("●  north  connected") and "\n" not in text
        assert face.status.startswith(f"copied 1 row, {len(text.encode())} bytes")
        await face.press("space", "space", "y")
        north, south = decoded(written.pop()).splitlines()
        assert "north" in north and "south" in south
        assert not written


@in_textual
async def test_a_line_of_the_log_is_copied_whole_and_what_is_read_too() -> None:
    async with shown() as face:
        written = caught(face)
        long = "x" * 300
        face.world.model.logged(HUB, line(1, "fetch.failed", "error", why=long))
        await face.press("2", "y")
        assert (
            decoded(written.pop()) == f"2026-11-21T12:00:01.000Z error   fetch.failed why={long} daemon=hub"
        )
        await face.press("enter", "y")
        text = decoded(written.pop())
        assert text.startswith("Log line\n") and f"why              {long}" in text
        await face.press("escape")
        assert face.status.startswith("copied 3 lines")


@in_textual
async def test_of_a_frozen_picture_what_stands_there_is_copied() -> None:
    async with shown() as face:
        written = caught(face)
        await face.press("down", "f")
        face.world.tell({"north": site(fetches_in_flight=77)})
        await face.settle()
        await face.press("y")
        assert "north" in face.text and "77" not in face.text
        assert "77" not in decoded(written.pop())


@in_textual
async def test_the_command_line_of_a_question_is_copied() -> None:
    async with shown() as face:
        written = caught(face)
        await face.press("down", ":", *"reconnect", "enter", "y")
        assert decoded(written.pop()) == "pitlink ctl site.reconnect site=north --at cloud-state"
        assert face.world.asked == []


@in_textual
async def test_too_much_is_said_and_not_copied() -> None:
    async with shown() as face:
        written = caught(face)
        face.world.model.logged(HUB, line(1, "x", why="y" * COPY_BYTES_MAX))
        await face.press("2", "y")
        assert written == []
        assert "are too many to copy: terminals take 74,994; w saves" in face.status
        await face.press("8", "y")
        assert "there is nothing to copy here" in face.status


@in_textual
async def test_the_row_in_all_its_columns() -> None:
    async with shown() as face:
        assert "Saved" not in face.lines[1], "80 columns have no room for it"
        await face.press("down", "e")
        assert any(text.split()[1:3] == ["Saved", "4.8"] for text in face.lines)


def test_it_is_wrapped_for_what_is_in_between() -> None:
    (bare,) = osc52("hé", {"TERM": "xterm"})
    assert bare == "\x1b]52;c;aMOp\x07"
    assert osc52("hé", {"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"}) == [
        bare,
        "\x1bPtmux;\x1b\x1b]52;c;aMOp\x07\x1b\\",
    ]
    assert len(osc52("hé", {"TERM": "tmux-256color"})) == 2, "a tmux on this side of ssh"
    for piece in osc52("hé", {"TMUX": "x"}):
        assert driver._TELLS.fullmatch(piece), "it goes past the picture, which need not be drawn anew"
    (pieces,) = osc52("a" * 2000, {"TERM": "screen", "STY": "1.pts"})
    parts = re.findall(r"\x1bP(.*?)\x1b\\", pieces, re.DOTALL)
    assert decoded("".join(parts)) == "a" * 2000
    assert all(len(part) <= 512 for part in parts) and len(parts) > 2
    assert osc52("a" * COPY_BYTES_MAX, {}) and len(osc52("a" * COPY_BYTES_MAX, {})[0]) <= 100_000
    with pytest.raises(ValueError, match="74,995 bytes"):
        osc52("a" * (COPY_BYTES_MAX + 1), {})


def test_a_page_is_saved_as_text_and_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    @in_textual
    async def body() -> None:
        async with shown() as face:
            face.app.takeaway.utc_now = lambda: datetime(2026, 11, 21, 14, 5, 9, tzinfo=UTC)
            for number in range(1, 41):
                face.world.model.logged(HUB, line(number, "fetch.done", path=f"/e/{number}"))
            await face.press("2", "/", *"/e/3", "enter", "w")
            path = tmp_path / "pitlink-log-20261121-140509Z.txt"
            assert f"saved 11 rows to {path}" in face.status
            assert path.read_text().count("\n") == 11, "what the filter leaves, seen on the screen or not"
            assert path.read_text().splitlines()[0].endswith("info    fetch.done path=/e/3 daemon=hub")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            path.write_text("mine")
            await face.press("w", "W")
            assert path.read_text() == "mine"
            assert (tmp_path / "pitlink-log-20261121-140509Z-2.txt").exists()
            rows = (tmp_path / "pitlink-log-20261121-140509Z.jsonl").read_text().splitlines()
            assert json.loads(rows[0]) == {
                "at": "2026-11-21T12:00:03.000Z", "level": "info", "event": "fetch.done", "daemon": HUB,
                "number": 3, "path": "/e/3",
            }  # fmt: skip
            await face.press("1", "W")
            row = json.loads(
                (tmp_path / "pitlink-overview-20261121-140509Z.jsonl").read_text().splitlines()[1]
            )
            assert row["Saved"] == "4.8 MiB", "columns too that there is no room for"

    body()


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    def lines():  # type: ignore[no-untyped-def]
        yield "one"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        save(tmp_path, "log", "txt", lines(), datetime(2026, 1, 1, tzinfo=UTC))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "nowhere", "log", "txt", [], datetime(2026, 1, 1, tzinfo=UTC))


def test_a_folder_that_takes_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()

    @in_textual
    async def body() -> None:
        async with shown() as face:
            await face.press("w")
            assert face.status.startswith("not saved in ")

    body()
