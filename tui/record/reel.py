"""A model that is taken to any moment of a recording. Knows no clock: whoever plays says how far."""

import math
from collections.abc import Callable, Iterator

from attrs import define, field

from tui.model import TAKES, Model
from tui.record.detach import become
from tui.record.recording import Call, Recording

__all__ = ["Reel"]


BEFORE = -1.0
"""Before the first call, which is at 0."""


@define(eq=False)
class Reel:
    """`model` holds what was known at `position`, seconds since the beginning; it stays the same object.

    `left_out`: calls that this pitlink cannot make again, such as a newer one's.
    """

    recording: Recording
    model: Model = field(factory=Model, init=False)
    position: float = field(default=BEFORE, init=False)
    left_out: set[str] = field(factory=set, init=False)
    _calls: Iterator[Call] = field(init=False)
    _next: Call | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._read_from(-1)

    @property
    def next_at(self) -> float:
        """When the next call comes: seconds since the beginning, infinity after the last."""
        return math.inf if self._next is None else self._next.at

    def turn_to(self, at: float) -> None:
        """Go to where `play` comes to this moment from soonest: stay here, or go to a keyframe or the beginning."""
        index = self.recording.keyframe_before(at)
        is_back = at < self.position
        if index >= 0 and (is_back or self.recording.keyframe_at(index) > self.position):
            found = self.recording.keyframe(index)
            if found is not None:
                become(self.model, found)
                self.position = self.recording.keyframe_at(index)
                self._read_from(index)
                return
        if is_back:
            become(self.model, Model())
            self.position = BEFORE
            self._read_from(-1)

    def play(self, until: float, is_enough: Callable[[], bool] = lambda: False) -> bool:
        """Make the calls up to a moment and at it, until enough is done; return whether that moment was come to."""
        while self._next is not None and self._next.at <= until:
            if is_enough():
                return False
            self._make(self._next)
            self.position = max(self.position, self._next.at)
            self._next = next(self._calls, None)
        self.position = max(self.position, until)
        return True

    def _make(self, call: Call) -> None:
        try:
            if call.name not in TAKES:
                raise ValueError("not of this pitlink")
            getattr(self.model, call.name)(**call.args)
        except Exception:  # a file may hold anything, and the rest of it may be of use
            self.left_out.add(call.name)

    def _read_from(self, index: int) -> None:
        self._calls = self.recording.calls(after=index)
        self._next = next(self._calls, None)
