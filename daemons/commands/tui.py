"""`pitlink tui`: daemons on a screen, as lines, or as one snapshot."""

import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from attrs import evolve
from cyclopts import Parameter

from daemons.commands.place import CaFile, TokenFile, client_at, running
from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.ops.speaking import NAME_WORDS, is_speakable

if TYPE_CHECKING:
    from tui.feed import Feeds, Source
    from tui.record import Recorder

__all__ = ["tui"]


def tui(
    *,
    connect: Annotated[
        list[str] | None,
        Parameter(
            name=["--connect", "-C", "--at", "-a"],
            help="A daemon: its state folder or admin socket, a hub's https://host, or a machine for ssh: host, "
            "user@host or host:/its/state/folder. May be repeated; without it those that run here.",
        ),
    ] = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    once: Annotated[bool, Parameter(negative="", help="Print how everything stands, and end.")] = False,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="One snapshot as JSON, and end.")
    ] = False,
    plain: Annotated[
        bool, Parameter(negative="", help="Print lines as things change: for pipes and screen readers.")
    ] = False,
    read_only: Annotated[bool, Parameter(negative="", help="Show, and do nothing.")] = False,
    who: Annotated[str, Parameter(help="For whom this user does things, for the audit.")] = "",
    markers: Annotated[
        Literal["braille", "block", "ascii"] | None,
        Parameter(
            help="What curves and maps are drawn with, ascii: everything. Without it braille, or ascii where the locale is "
            "not UTF-8."
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        Parameter(
            help="A file with keys of your own; without it ~/.config/pitlink/keys.toml, if it is there."
        ),
    ] = None,
    list_keys: Annotated[
        bool, Parameter(negative="", help="Print all keys as such a file, to be edited, and end.")
    ] = False,
    hz: Annotated[float, Parameter(help="How often daemons are asked, 1 to 4 times a second.")] = 2.0,
    drills: Annotated[
        Path,
        Parameter(help="A folder with drills of your own; the records of those played from here go into it."),
    ] = Path("drills"),
    record: Annotated[
        Path | None, Parameter(help="Write all that is heard to this new file, to replay it.")
    ] = None,
    replay: Annotated[
        Path | None, Parameter(help="Show what was recorded in this file, in place of daemons.")
    ] = None,
    seek: Annotated[
        str,
        Parameter(
            help="Where a replay begins: 12:30 or 12:30:05 of the day in UTC, or +1:30 since the beginning."
        ),
    ] = "",
    speed: Annotated[
        float, Parameter(help="How fast a replay goes, 0.25 to 64 times, by powers of two.")
    ] = 1.0,
) -> int:
    """Show daemons and their sites on this terminal, and have them do things.

    On a pipe or a terminal that can do nothing it prints lines. --once ends with 1 while something is failing, and with 3
    when a daemon is not reached.
    """
    if list_keys:
        return _list_keys(keys)
    if replay is not None:
        if record is not None or connect:
            raise RefusedToStart("--replay shows a file and no daemon: leave out --record and --connect")
        from daemons.commands.replay import show_replay

        return show_replay(
            replay,
            seek,
            speed,
            is_once=once,
            as_json=as_json,
            is_plain=plain or not _has_screen(),
            markers=markers,
            own_keys=partial(_own_keys, keys),
        )
    if seek or speed != 1.0:
        raise RefusedToStart("--seek and --speed are for --replay")
    if who and not is_speakable(who):
        raise ConfigError([Problem("--who", "is no name", NAME_WORDS)])
    has_lines = once or as_json or plain or not _has_screen()

    def opened(recorder: "Recorder | None") -> "Feeds":
        from tui.feed import open_feeds

        sources = _sources(connect, token_file, ca_file, who, read_only)
        return open_feeds(sources, hz, None if recorder is None else recorder.model)

    def with_drills(recorder: "Recorder | None") -> "Feeds":
        from tui.feed import Drilling

        feeds = opened(recorder)
        feeds.drilling = Drilling((sys.executable, "-m", "daemons.cli"), drills, feeds.model)
        return feeds

    if not has_lines:
        with _looking_for_no_garbage():
            keymap = _own_keys(keys)
            from tui.app.later import Later
            from tui.app.run import run_app

            with _recorder(record) as recorder:
                backend = Later(partial(with_drills, recorder))
                return run_app(
                    backend, is_read_only=read_only, markers=markers, keys=keymap, recorder=recorder
                )
    with _recorder(record) as recorder:
        import trio

        from tui.lineface import follow, until_signal
        from tui.lineface import once as show_once

        feeds = opened(recorder)
        if once or as_json:
            return trio.run(until_signal, partial(show_once, feeds, as_json=as_json))
        return trio.run(until_signal, partial(follow, feeds, recorder))


@contextmanager
def _looking_for_no_garbage() -> Iterator[None]:
    """Until the first picture stands, which turns it on: nothing of what is imported is garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _recorder(path: Path | None) -> "AbstractContextManager[Recorder | None]":
    """Return what records into a new file, open as long as its block. Raises RefusedToStart."""
    if path is None:
        return nullcontext()
    from tui.record import Recorder, RecordingError

    try:
        return Recorder(path)
    except RecordingError as exc:
        raise RefusedToStart(str(exc)) from None


def _own_keys(path: Path | None) -> dict[str, str]:
    """Return the operator's own keys. Raises ConfigError, and RefusedToStart where there is no screen to use them."""
    _need_textual()
    from tui.app.keymap import own_keys

    return own_keys(path)


def _list_keys(path: Path | None) -> int:
    keymap = _own_keys(path)
    from tui.app.keymap import all_bound, list_keys

    print(list_keys(all_bound(), keymap))
    return 0


def _need_textual() -> None:
    """Raise RefusedToStart when the screen cannot be made."""
    if importlib.util.find_spec("textual") is None:
        raise RefusedToStart(
            "the screen needs Textual, which is not installed: pip install 'pitlink[tui]'. Without it: pitlink tui --plain"
        )


def _has_screen() -> bool:
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return is_terminal and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def _sources(
    connect: list[str] | None,
    token_file: Path | None,
    ca_file: Path | None,
    who: str = "",
    read_only: bool = False,
) -> "list[tuple[str, Source]]":
    """Return the daemons to watch, by name. Raises RefusedToStart and ConfigError."""
    from tui.feed import Direct, SshTunnel, is_ssh_place

    def direct(at: str | None, place: str = "") -> Direct:
        own = (token_file, ca_file) if connect else (None, None)
        return Direct(evolve(client_at(at, *own), speaks_for=who, only_looks=read_only), place)

    if not connect:
        found = [str(socket.parent) for socket in running()]
        if len(found) <= 1:
            return [(found[0] if found else "here", direct(None))]
        return [(folder, direct(folder, folder)) for folder in found]
    sources: list[tuple[str, Source]] = []
    for place in dict.fromkeys(connect):
        is_url = place.startswith(("https://", "http://"))
        if not is_url and not Path(place).exists() and is_ssh_place(place):
            host, _, folder = place.partition(":")
            sources.append((place, SshTunnel(host, folder, speaks_for=who, only_looks=read_only)))
        else:
            sources.append((place, direct(place, place)))
    return sources
