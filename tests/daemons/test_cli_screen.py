"""What is plainly asked for a screen is understood as the command line understands it, and nothing else is."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.cli import app
from daemons.commands.screen import plainly_asked

FILES = ("--token-file", "--ca-file", "--keys")
PLACES = ("--connect", "-C", "--at", "-a")
WORDS = (
    "tui", *FILES, *PLACES, "--read-only", "--who", "--markers", "--once", "--json", "--plain", "--hz", "--help", "-h",
    "--version", "--record", "--replay", "--no-read-only", "--read-only=true", "--connect=x", "-Cx", "--read_only", "--",
    "-", "", "read-only", "connect", "who", "ascii", "braille", "dots", "x", "./state", "https://hub.example", "ann@field",
    "-1", "2.0", "Ann B", "a=b", "~/keys", "é",
)  # fmt: skip


def as_command_line(words: list[str]) -> dict[str, object] | None:
    """Return what the command line gives `tui`, or None where it refuses or does something else."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            command, bound, *_ = app.parse_args(words, exit_on_error=False, print_error=False)
    except Exception:
        return None
    return dict(bound.arguments) if command.__name__ == "tui" else None


@given(st.lists(st.sampled_from(WORDS), max_size=7).map(lambda words: ["tui", *words]))
def test_what_is_understood_at_once_is_as_the_command_line_has_it(words: list[str]) -> None:
    asked = plainly_asked(words)
    assert asked is None or asked == as_command_line(words)


OPTIONS = st.one_of(
    st.tuples(
        st.sampled_from(PLACES), st.sampled_from(["x", "./state", "https://hub.example", "ann@field", "é b"])
    ),
    st.just(("--read-only",)),
    st.tuples(st.sampled_from(FILES), st.sampled_from(["x", "./a b", "/tmp/../t", "~/keys"])),
    st.tuples(st.just("--who"), st.sampled_from(["ann", "a@b"])),
    st.tuples(st.just("--markers"), st.sampled_from(["ascii", "block", "braille"])),
)


@given(st.lists(OPTIONS, max_size=6, unique_by=lambda one: one if one[0] in PLACES else one[0]))
def test_usual_ways_to_ask_are_understood_at_once(options: list[tuple[str, ...]]) -> None:
    words = ["tui", *(word for option in options for word in option)]
    asked = plainly_asked(words)
    assert asked is not None
    assert asked == as_command_line(words)


@pytest.mark.parametrize(
    "words",
    [
        [], ["status"], ["--help"], ["--version"], ["tui", "--help"], ["tui", "x"], ["tui", "connect", "x"], ["tui", "--once"],
        ["tui", "-C"], ["tui", "-C", ""], ["tui", "-C", "--read-only"], ["tui", "--who", "-"], ["tui", "--who", "a b"],
        ["tui", "--markers", "dots"], ["tui", "--keys", "a", "--keys", "b"], ["tui", "--read-only", "--read-only"],
        ["tui", "--replay", "x"], ["tui", "--hz", "4"], ["tui", "--connect=x"], ["tui", "--", "-C", "x"],
    ],
)  # fmt: skip
def test_all_else_is_for_the_command_line_to_judge(words: list[str]) -> None:
    assert plainly_asked(words) is None


@pytest.mark.process
def test_what_is_wrong_is_said_as_the_command_line_says_it(tmp_path: Path) -> None:
    def said(door: str, *words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", door, "tui", *words]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return ran.returncode, ran.stdout, ran.stderr

    code, out, err = told = said("daemons", "--conect", str(tmp_path))
    assert told == said("daemons.cli", "--conect", str(tmp_path))
    assert code == 2
    assert "--conect" in out + err
