"""Plays a recording: its own time goes on by the clock, stands still, jumps, and is told as if it were now."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import trio
from attrs import define, field

from tui.model import Model
from tui.record.recording import Recording
from tui.record.reel import Reel

__all__ = ["SPEEDS", "Player"]

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
LEAST_S = 0.001
"""Of waiting: what is nearer than numbers tell apart would be waited for without end."""

_NO_TIME = "{!r} is no time: 12:30 or 12:30:05 is one of the day in UTC, +1:30 one since the beginning"
SLICE_S = 0.02
"""So long it plays without a break when there is much to play: keys and painting go on beside it."""


@define(eq=False)
class Player:
    """Plays into `model`. `run` must be running; the other methods may be called from anywhere in its thread.

    Positions are seconds since the beginning of the recording. At its end it stands still, and can be taken back.
    `clock`: seconds, of the time that passes here.
    """

    recording: Recording
    clock: Callable[[], float] = trio.current_time
    speed: float = field(default=1.0, init=False)
    is_paused: bool = field(default=False, init=False)
    version: int = field(default=0, init=False)
    _reel: Reel = field(init=False)
    _from: tuple[float, float] = field(default=(0.0, 0.0), init=False)  # a position, and when it was that
    _now: float = field(default=0.0, init=False)
    _goal: float | None = field(default=None, init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._reel = Reel(self.recording)

    # --- what is shown -------------------------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """What was known at `position`."""
        return self._reel.model

    @property
    def position(self) -> float:
        """How far it is: never further than what the model was told."""
        if self._goal is not None:
            return max(0.0, min(self._reel.position, self._goal))
        return max(0.0, min(self._due(), self._reel.next_at))

    def now(self) -> float:
        """Return the moment by the model's clock: ages are those of then."""
        return self.recording.began + self.position

    def utc(self) -> float:
        """Return what the clock on the wall said then."""
        return self.recording.utc(self.position)

    @property
    def goal(self) -> float | None:
        """Where it is going to, while that takes time; else None."""
        return self._goal

    @property
    def is_at_end(self) -> bool:
        """Has all been played?"""
        return self._goal is None and self.position >= self.recording.duration_s

    @property
    def words(self) -> str:
        """What is not as it should be with the recording; "" when it is whole."""
        words = [self.recording.words] if self.recording.words else []
        if self._reel.left_out:
            words.append(f"of another pitlink, left out: {', '.join(sorted(self._reel.left_out))}")
        return "; ".join(words)

    # --- what is done with it ------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stand still, or go on."""
        self._hold()
        self.is_paused = not self.is_paused
        self._change()

    def turn(self, by: int) -> None:
        """Play faster by so many steps, or slower: between a quarter and 64 times."""
        self.play_at(SPEEDS[min(len(SPEEDS) - 1, max(0, SPEEDS.index(self.speed) + by))])

    def play_at(self, speed: float) -> None:
        """Play at a speed, one of SPEEDS."""
        self._hold()
        self.speed = speed
        self._change()

    def seek(self, position: float) -> None:
        """Go to a position; beyond the ends, to the end."""
        self._goal = min(self.recording.duration_s, max(0.0, position))
        self._change()

    def move(self, by_s: float) -> None:
        """Go on by so many seconds, or back."""
        self.seek((self.position if self._goal is None else self._goal) + by_s)

    def find(self, text: str) -> float:
        """Return the position of a time of day in UTC, "12:30" or "12:30:05", or of one since the beginning, "+90",
        "+1:30", "+1:00:00". Raises ValueError, in words."""
        if text.startswith("+"):
            return min(_seconds(text[1:], text), self.recording.duration_s)
        if ":" not in text:
            raise ValueError(_NO_TIME.format(text))
        of_day = timedelta(seconds=_seconds(text if text.count(":") == 2 else f"{text}:00", text))
        begin, end = (self._moment(at) for at in (0.0, self.recording.duration_s))
        today = self._moment(self.position).replace(hour=0, minute=0, second=0, microsecond=0)
        for day in (0, 1, -1):
            wanted = today + timedelta(days=day) + of_day
            if begin - timedelta(seconds=1) < wanted < begin:
                return 0.0  # the second in which it began
            found = self.recording.at_utc(wanted.timestamp())
            if found is not None:
                return found
        raise ValueError(
            f"{text} is not in it: the recording goes from {begin:%H:%M:%S} to {end:%H:%M:%S} UTC"
        )

    def _moment(self, position: float) -> datetime:
        return datetime.fromtimestamp(self.recording.utc(position), UTC)

    async def run(self) -> None:
        """Play until cancelled. Never returns."""
        self._hold()
        while True:
            self._changed = trio.Event()
            await self._catch_up()
            wait_s = math.inf
            if not self.is_paused and self._reel.next_at < math.inf:
                wait_s = max(LEAST_S, (self._reel.next_at - self._due()) / self.speed)
            with trio.move_on_after(wait_s):
                await self._changed.wait()

    async def _catch_up(self) -> None:
        """Take the model to where it should be by now, in slices."""
        turned_to = None
        while True:
            began = time.perf_counter()
            if self._goal is not None and self._goal != turned_to:
                turned_to = self._goal
                self._reel.turn_to(turned_to)
            until = self._due() if self._goal is None else self._goal
            is_there = self._reel.play(until, lambda: time.perf_counter() - began > SLICE_S)  # noqa: B023 called at once
            if is_there:
                break
            await trio.lowlevel.checkpoint()
        if self._goal is not None:
            self._from = (self._goal, self._time())
            self._goal = None
            self.version += 1

    def _due(self) -> float:
        position, at = self._from
        if self.is_paused:
            return position
        return min(position + max(0.0, self._time() - at) * self.speed, self.recording.duration_s)

    def _hold(self) -> None:
        """Begin to count from here."""
        self._from = (self.position, self._time())

    def _time(self) -> float:
        try:
            self._now = self.clock()
        except RuntimeError:
            pass  # Trio does not run: no time passes
        return self._now

    def _change(self) -> None:
        self.version += 1
        self._changed.set()


def _seconds(text: str, said: str) -> float:
    """Return "h:m:s", "m:s" or "s" in seconds."""
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(part.isdecimal() for part in parts):
        raise ValueError(_NO_TIME.format(said))
    return float(sum(int(part) * 60**place for place, part in enumerate(reversed(parts))))
