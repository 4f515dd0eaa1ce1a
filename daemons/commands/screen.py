"""`pitlink tui` on a screen. What is plainly asked for is understood here, before the command line is imported: that takes
as long as a third of the screen itself, and the operator waits for it.
"""

import gc
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemons.ops.errors import RefusedToStart
from daemons.ops.speaking import is_speakable

if TYPE_CHECKING:
    from tui.feed import Feeds
    from tui.record import Recorder

__all__ = ["DRILLS", "has_screen", "open_feeds", "own_keys", "plainly_asked", "recorder_into", "show_screen"]

DRILLS = Path("drills")
_PLACE = ("--connect", "-C", "--at", "-a")
_FILES = ("--token-file", "--ca-file", "--keys")
_MARKERS = ("braille", "block", "ascii")


def plainly_asked(words: Sequence[str]) -> dict[str, Any] | None:
    """Return what `show_screen` takes, or None for what the command line is to judge: help, what is wrong, what is no
    screen, and every way to write an option but with its value behind a space.
    """
    if words[:1] != ["tui"]:
        return None
    given: dict[str, Any] = {}
    rest = iter(words[1:])
    for option in rest:
        if option == "--read-only":
            name, value = "read_only", "yes"
        else:
            name, value = option.removeprefix("--").replace("-", "_"), next(rest, "")
        is_place = option in _PLACE
        if not value or value.startswith("-") or (name in given and not is_place):
            return None
        if is_place:
            given.setdefault("connect", []).append(value)
        elif option == "--read-only":
            given[name] = True
        elif option in _FILES:
            given[name] = Path(value)
        elif (option == "--markers" and value in _MARKERS) or (option == "--who" and is_speakable(value)):
            given[name] = value
        else:
            return None
    return given


def show_screen(
    *,
    connect: list[str] | None = None,
    token_file: Path | None = None,
    ca_file: Path | None = None,
    read_only: bool = False,
    who: str = "",
    markers: str | None = None,
    keys: Path | None = None,
    hz: float = 2.0,
    drills: Path = DRILLS,
    record: Path | None = None,
) -> int:
    """Show daemons until the screen is left; return the exit code. Options as `pitlink tui` has them. Raises
    RefusedToStart and ConfigError.
    """

    def with_drills(recorder: "Recorder | None") -> "Feeds":
        from tui.feed import Drilling

        feeds = open_feeds(connect, token_file, ca_file, who, read_only, hz, recorder)
        feeds.drilling = Drilling((sys.executable, "-m", "daemons.cli"), drills, feeds.model)
        return feeds

    with _looking_for_no_garbage():
        keymap = own_keys(keys)
        from tui.app.later import Later
        from tui.app.run import run_app

        with recorder_into(record) as recorder:
            backend = Later(partial(with_drills, recorder))
            return run_app(backend, is_read_only=read_only, markers=markers, keys=keymap, recorder=recorder)


@contextmanager
def _looking_for_no_garbage() -> Iterator[None]:
    """Until the first picture stands, which turns it on: nothing of what is imported is garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def open_feeds(
    connect: list[str] | None,
    token_file: Path | None,
    ca_file: Path | None,
    who: str,
    read_only: bool,
    hz: float,
    recorder: "Recorder | None",
) -> "Feeds":
    """Return what asks the daemons. Raises RefusedToStart and ConfigError."""
    from daemons.commands.watched import sources
    from tui.feed import open_feeds as opened

    found = sources(connect, token_file, ca_file, who, read_only)
    return opened(found, hz, None if recorder is None else recorder.model)


def recorder_into(path: Path | None) -> "AbstractContextManager[Recorder | None]":
    """Return what records into a new file, open as long as its block. Raises RefusedToStart."""
    if path is None:
        return nullcontext()
    from tui.record import Recorder, RecordingError

    try:
        return Recorder(path)
    except RecordingError as exc:
        raise RefusedToStart(str(exc)) from None


def own_keys(path: Path | None) -> dict[str, str]:
    """Return the operator's own keys. Raises ConfigError, and RefusedToStart where there is no screen to use them."""
    if importlib.util.find_spec("textual") is None:
        raise RefusedToStart(
            "the screen needs Textual, which is not installed: pip install 'pitlink[tui]'. Without it: pitlink tui --plain"
        )
    from tui.app.keymap import own_keys as read

    return read(path)


def has_screen() -> bool:
    """Whether this is a terminal that can show one."""
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return is_terminal and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
