"""Keys of one's own: read from a file, judged as a whole, shown where keys are shown, and heard."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tui.app as app
from daemons.ops.errors import ConfigError
from tests.tui.app.terminal import Terminal
from tests.tui.app.world import in_textual, shown
from tui.app.keymap import all_bound, keys_file, list_keys, own_keys, read_keys
from tui.app.keynames import why_not


def read(folder: Path, text: str) -> dict[str, str]:
    path = folder / "keys.toml"
    path.write_text(text)
    return read_keys(path, all_bound(), is_needed=True)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_file_gives_ids_other_keys(tmp_path: Path) -> None:
    told = '[keys]\n"app.freeze" = "F"\n"app.keys" = "h, f5"\n"row.down" = "n,down"\n"pane.other" = "N"'
    keymap = read(tmp_path, told)
    assert keymap == {
        "app.freeze": "F", "app.keys": "h,f5", "row.down": "n,down", "pane.other": "N",
    }  # fmt: skip
    assert read(tmp_path, '[keys]\n"replay.on10" = "."\n"replay.back10" = "comma"\n"app.last" = "\\\\"') == {
        "replay.on10": "full_stop",
        "replay.back10": "comma",
        "app.last": "backslash",
    }
    assert read(tmp_path, "") == {}


def test_two_may_change_places_and_different_places_may_share_a_key(tmp_path: Path) -> None:
    read(tmp_path, '[keys]\n"app.copy" = "w"\n"app.save" = "y"')
    read(tmp_path, '[keys]\n"alarm.acknowledge" = "r"')
    read(tmp_path, '[keys]\n"list.back" = "f"')


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = """
colour = 3
[keys]
"app.freze" = "F"
"zzz" = "F"
"app.copy" = "ctrl+b"
"app.save" = "alt+w"
"app.controls" = "f12,hyperspace"
"app.speak" = 7
"app.redraw" = ""
"prompt.back" = "b"
"app.keys" = "j"
"dead.drop" = "r"
"""
    found = problems(tmp_path, text)
    for start, *parts in (
        ("keys.toml: colour", "everything stands under [keys]"),
        ("keys.toml: keys.'app.freze'", "there is no such id", "did you mean 'app.freeze'?"),
        ("keys.toml: keys.'zzz'", "pitlink tui --list-keys shows the ids"),
        ("keys.toml: keys.'app.copy'", "'ctrl+b': tmux takes it", "letters, digits"),
        ("keys.toml: keys.'app.save'", "Alt keys do not come through"),
        ("keys.toml: keys.'app.controls'", "'f12': terminals and systems take it"),
        ("keys.toml: keys.'app.controls'", "'hyperspace': there is no such key"),
        ("keys.toml: keys.'app.speak'", "must be a text with a key in it"),
        ("keys.toml: keys.'app.redraw'", "must be a text with a key in it"),
        ("keys.toml: keys.'prompt.back'", "is a text where something is typed"),
        ("keys.toml: keys.'app.keys'", "'j' is the key of 'row.down' (down) too"),
        ("keys.toml: keys.'dead.drop'", "'r' is the key of 'dead.requeue'"),
    ):
        line = next((line for line in found if line.startswith(start) and parts[0] in line), None)
        assert line is not None, (start, parts, found)
        assert all(part in line for part in parts), line
        found.remove(line)
    assert found == []


def test_what_is_no_file_of_keys_is_said(tmp_path: Path) -> None:
    assert "cannot be read" in problems(tmp_path, "[keys")[0]
    assert problems(tmp_path, "keys = 3")[0].startswith("keys.toml: keys: must be a table")
    with pytest.raises(ConfigError, match="there is no such file"):
        own_keys(tmp_path / "nowhere.toml")


def test_the_usual_file_is_where_configs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert own_keys(None) == {}
    path = tmp_path / "pitlink" / "keys.toml"
    path.parent.mkdir()
    path.write_text('[keys]\n"app.freeze" = "F"')
    assert own_keys(None) == {"app.freeze": "F"}
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert keys_file({"XDG_CONFIG_HOME": "not/absolute"}) == tmp_path / "home/.config/pitlink/keys.toml"


def test_the_keys_that_are_printed_are_a_file_that_says_so(tmp_path: Path) -> None:
    bound = all_bound()
    printed = list_keys(bound, {"app.freeze": "F"})
    assert '"app.freeze" = "F"' in printed and "# freeze the picture, or go on" in printed
    assert len(tomllib.loads(printed)["keys"]) == len(bound)
    again = read(tmp_path, printed)
    assert again.pop("app.freeze") == "F"
    assert all(tuple(again[one.id].split(",")) == one.keys for one in bound if one.id in again)


def test_no_usual_key_is_eaten_on_the_way() -> None:
    for one in all_bound():
        assert one.words, one.id
        for key in one.keys:
            assert key and not why_not(key, one.id), (one.id, key)


@in_textual
async def test_keys_of_ones_own_are_heard_and_shown() -> None:
    keys = {"app.freeze": "F", "app.keys": "h", "row.down": "n,down", "go.audit": "A", "app.redraw": "f"}
    async with shown(size=(100, 45), keys=keys) as face:
        assert "h keys" in face.status
        await face.press("F")
        assert "FROZEN (F goes on)" in face.title
        await face.press("F", "f")
        assert "FROZEN" not in face.title, "the old key does something else now"
        await face.press("n")
        assert face.table.chosen is not None and face.table.chosen[-1] == "north"
        await face.press("j", "question_mark", "h")
        assert "Keys here" in face.text, "and the old one of h nothing at all"
        line = next(text for text in face.lines if "freeze the picture" in text)
        assert line.strip(" │").split()[0] == "F"
        await face.press("escape", "A")
        assert face.title.startswith("pitlink Audit")


@pytest.mark.process
def test_the_command_prints_them_and_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    command = [sys.executable, "-m", "daemons.cli", "tui", "--keys", str(path)]
    path.write_text('[keys]\n"app.freeze" = "F"\n')
    done = subprocess.run([*command, "--list-keys"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and '"app.freeze" = "F"' in done.stdout
    # Also what is imported with the first key that wants it, by a program that has not seen one.
    sources = "".join(source.read_text() for source in Path(app.__file__).parent.glob("*.py"))
    literal = set(re.findall(r'\bid="([a-z]+\.[a-z0-9]+)"', sources))
    assert len(literal) > 40 and literal <= set(tomllib.loads(done.stdout)["keys"])
    path.write_text('[keys]\n"app.freeze" = "ctrl+s"\n"x" = "y"\n')
    with Terminal(*command) as terminal:
        terminal.read(lambda: "there is no such id" in terminal.text.replace("\n", ""))
        assert "terminals take it to stop" in terminal.text.replace("\n", "")
        assert terminal.end() == 2
