"""`pitlink tui`: daemons on a screen, as lines, or as one snapshot."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from daemons.commands.place import CaFile, TokenFile
from daemons.commands.screen import DRILLS, has_screen, open_feeds, own_keys, recorder_into, show_screen
from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.ops.speaking import NAME_WORDS, is_speakable

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
    ] = DRILLS,
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
            is_plain=plain or not has_screen(),
            markers=markers,
            own_keys=partial(own_keys, keys),
        )
    if seek or speed != 1.0:
        raise RefusedToStart("--seek and --speed are for --replay")
    if who and not is_speakable(who):
        raise ConfigError([Problem("--who", "is no name", NAME_WORDS)])
    has_lines = once or as_json or plain or not has_screen()

    if not has_lines:
        return show_screen(
            connect=connect,
            token_file=token_file,
            ca_file=ca_file,
            read_only=read_only,
            who=who,
            markers=markers,
            keys=keys,
            hz=hz,
            drills=drills,
            record=record,
        )
    with recorder_into(record) as recorder:
        import trio

        from tui.lineface import follow, until_signal
        from tui.lineface import once as show_once

        feeds = open_feeds(connect, token_file, ca_file, who, read_only, hz, recorder)
        if once or as_json:
            return trio.run(until_signal, partial(show_once, feeds, as_json=as_json))
        return trio.run(until_signal, partial(follow, feeds, recorder))


def _list_keys(path: Path | None) -> int:
    keymap = own_keys(path)
    from tui.app.keymap import all_bound, list_keys

    print(list_keys(all_bound(), keymap))
    return 0
