"""How many bytes a second go to this terminal, said so calmly that saying it costs next to none."""

from collections import deque

from attrs import define, field

__all__ = ["Meter"]

WINDOW_S = 4.0
SAY_S = 2.0
DOWN = 0.7
"""A step is left downwards when there is this much less of it: what wavers around a step does not change the words."""

STEPS = (0, 20, 50, *(digit * 10**power for power in range(2, 8) for digit in (1, 2, 5)))
"""Bytes a second that are said, rounded down. What saying them costs is below the first."""


@define(eq=False)
class Meter:
    """Told from time to time how much was sent in all. `version` moves when it has something else to say."""

    version: int = 0
    step: int = 0
    _told: deque[tuple[float, int]] = field(factory=deque, init=False)
    _said_at: float = field(default=0.0, init=False)

    @property
    def words(self) -> str:
        """The rate, rounded down: "0 B/s", "200 B/s", "5 kB/s"; "" before anything was told."""
        if not self._told:
            return ""
        return f"{self.step} B/s" if self.step < 1000 else f"{self.step // 1000} kB/s"

    def told(self, total_bytes: int, now: float) -> None:
        """Take how much was sent since the beginning, at a moment in seconds."""
        self._told.append((now, total_bytes))
        while len(self._told) > 2 and self._told[1][0] <= now - WINDOW_S:
            self._told.popleft()
        if len(self._told) == 1:
            self.version += 1
            self._said_at = now
        first_at, before = self._told[0]
        if now - self._said_at < SAY_S or now <= first_at:
            return
        rate = (total_bytes - before) / (now - first_at)
        step = max(step for step in STEPS if step <= rate)
        if step > self.step or rate < self.step * DOWN:
            self.step = step
            self.version += 1
            self._said_at = now
