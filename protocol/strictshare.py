"""The bound on lanes 0 and 1: at most 80 % of the bytes of any second while others wait.

Strict priority without a bound lets a flood of commands stop the events for ever. What was sent strictly
while nobody else waited is not held against anyone.
"""

from collections import deque

__all__ = ["StrictShare"]

_WINDOW_S = 1.0
_BIN_S = 0.1
_STRICT_PER_OTHER = 4
"""80 % of all is four times what the others got."""

_FREE_BYTES = 4 * 1024
"""One command (a frame of at most 4 KiB) may go in any second, also when the others have been stalled for
longer."""


class _Bin:
    __slots__ = ("ends_at", "other_bytes", "strict_bytes")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.strict_bytes = 0
        self.other_bytes = 0


class StrictShare:
    """Account for the bytes of the last second, in ten bins."""

    def __init__(self) -> None:
        self._bins: deque[_Bin] = deque()
        self._strict_bytes = 0
        self._other_bytes = 0

    def note(self, now: float, strict_bytes: int, other_bytes: int) -> None:
        """Count what was picked: strict bytes only when others were waiting."""
        if not self._bins or self._bins[-1].ends_at <= now:
            self._expire(now)
            self._bins.append(_Bin(now + _BIN_S))
        newest = self._bins[-1]
        newest.strict_bytes += strict_bytes
        newest.other_bytes += other_bytes
        self._strict_bytes += strict_bytes
        self._other_bytes += other_bytes

    def allowance_bytes(self, now: float) -> int:
        """Return how much the strict lanes may send now while others wait; 0 or less: hold them back."""
        self._expire(now)
        return max(_FREE_BYTES, _STRICT_PER_OTHER * self._other_bytes) - self._strict_bytes

    def changes_at(self) -> float | None:
        """Return when the oldest bytes leave the window."""
        return self._bins[0].ends_at + _WINDOW_S if self._bins else None

    def _expire(self, now: float) -> None:
        while self._bins and self._bins[0].ends_at + _WINDOW_S <= now:
            oldest = self._bins.popleft()
            self._strict_bytes -= oldest.strict_bytes
            self._other_bytes -= oldest.other_bytes
