"""How often the burner may start: so many in any 24 hours, and not all of them by breakfast.

A bucket of starts: a quarter of a day's is in it at most, the rest comes evenly over the day. However they are spent,
no 24 hours see more than a day's. Counted besides, for people: those of the local day.
"""

from attrs import define

from daemons.heating.control.scene import Scene

__all__ = ["Starts"]

_DAY_S = 86_400.0


@define
class Starts:
    """`a_day` 0: as often as it likes. `day`: the local day that `count` is of; "" before one was known."""

    a_day: int
    count: int = 0
    day: str = ""
    day_since: float = 0.0
    tokens: float = -1.0
    filled_at: float = 0.0
    are_short: bool = False

    @property
    def _most(self) -> float:
        return max(1.0, self.a_day / 4)

    @property
    def _rate(self) -> float:
        return max(self.a_day - self._most, 0.25) / _DAY_S

    def begin(self, mono: float) -> None:
        """Begin with a full bucket; what was kept over a restart comes on top."""
        self.tokens, self.filled_at, self.day_since = self._most, mono, mono

    def turn(self, scene: Scene) -> None:
        """Begin a new local day. While the day is not known, one ends after 24 hours."""
        self.are_short = self.are_short and self._have(scene.mono) < self._most / 2
        if scene.is_sure:
            if scene.day != self.day:
                self.day, self.day_since = scene.day, scene.mono
                self.count = 0
        elif scene.mono - self.day_since >= _DAY_S:
            self.count, self.day_since = 0, scene.mono

    def wait_s(self, mono: float) -> float:
        """Return in how many seconds the next start is allowed."""
        if self.a_day <= 0:
            return 0.0
        have = self._have(mono)
        return 0.0 if have >= 1 else (1 - have) / self._rate

    def must_wait(self, mono: float) -> bool:
        """Must a start wait? Then they are short until half of the bucket is full again."""
        self.are_short = self.are_short or self.wait_s(mono) > 0
        return self.wait_s(mono) > 0

    def spend(self, mono: float) -> None:
        """Count a start. One that could not wait (frost) is owed."""
        self.count += 1
        self.tokens, self.filled_at = max(self._have(mono) - 1, -self._most), mono

    def _have(self, mono: float) -> float:
        return min(self._most, self.tokens + (mono - self.filled_at) * self._rate)
