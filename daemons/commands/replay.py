"""`pitlink tui --replay`: a recording on a screen, as lines, or one moment of it."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from daemons.ops.errors import RefusedToStart

__all__ = ["show_replay"]


def show_replay(
    path: Path,
    seek: str,
    speed: float,
    *,
    is_once: bool,
    as_json: bool,
    is_plain: bool,
    markers: str | None,
    own_keys: Callable[[], Mapping[str, str]],
) -> int:
    """Show a recording; return the exit code. Raises RefusedToStart, in words."""
    from tui.lineface import until_signal
    from tui.record import SPEEDS, Player, Recording, RecordingError
    from tui.replayface import replay, replay_once

    if speed not in SPEEDS:
        raise RefusedToStart(f"--speed {speed:g} is none of {', '.join(f'{one:g}' for one in SPEEDS)}")
    try:
        recording = Recording.open(path)
    except RecordingError as exc:
        raise RefusedToStart(str(exc)) from None
    with recording:
        player = Player(recording)
        try:
            at = player.find(seek) if seek else None
        except ValueError as exc:
            raise RefusedToStart(f"--seek {exc}") from None
        if is_once or as_json or is_plain:
            if recording.words:
                print(f"pitlink: {path}: {recording.words}", file=sys.stderr)
            if is_once or as_json:
                return replay_once(recording, recording.duration_s if at is None else at, as_json=as_json)
        player.play_at(speed)
        if at is not None:
            player.seek(at)
        if is_plain:
            import trio

            return trio.run(until_signal, partial(replay, player))
        keys = own_keys()
        from tui.app.replay import Replayed
        from tui.app.run import run_app

        return run_app(Replayed(player), markers=markers, keys=keys, replay=player)
