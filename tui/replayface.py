"""A recording without a screen: lines as they came then, or how everything stood at one moment."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import trio

from tui.lineface import exit_code, print_aside, print_line, show
from tui.plain import Changes
from tui.record import Player, Recording, Reel

__all__ = ["replay", "replay_once"]

LOOK_S = 0.25


def replay_once(
    recording: Recording, at: float, *, as_json: bool, say: Callable[[str], None] = print_line
) -> int:
    """Print how everything stood at a moment, seconds since the beginning; return what `--once` then returned."""
    reel = Reel(recording)
    reel.turn_to(at)
    reel.play(at)
    then = datetime.fromtimestamp(recording.utc(at), UTC).isoformat(timespec="milliseconds")
    beside = {"replay": {"file": str(recording.path), "at": then, "at_s": at, "of_s": recording.duration_s}}
    show(reel.model, recording.began + at, beside, as_json=as_json, say=say)
    return exit_code(reel.model)


async def replay(player: Player, *, say: Callable[[str], Awaitable[None]] = print_aside) -> int:
    """Print what changed, each line after the UTC of then, up to the end of the recording; return 0."""
    changes = Changes(player.model)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(player.run)
        while True:
            is_over, now = player.is_at_end, player.now()
            then = datetime.fromtimestamp(player.utc(), UTC).strftime("%H:%M:%S")
            if player.goal is None:
                for line in changes.take(now):
                    await say(f"{then} {line}")
            if is_over:
                nursery.cancel_scope.cancel(reason="all is played")
                return 0
            await trio.sleep(LOOK_S)
