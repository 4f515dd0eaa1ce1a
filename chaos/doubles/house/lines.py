"""The GPIO lines of a Pi as its kernel holds them, and what hangs on them. Pure: times are passed in.

A line is claimed by one owner, which may drive it or listen to it. When the owner goes, a Pi's kernel leaves an output
driven as it was; told to be strict (`dtparam=strict_gpiod`) it makes it an input again, with the pull that was set last.
A relay is energised while its line is at the active level, be it by being driven or by the pull; at a line that
nothing drives and nothing pulls it is as its board's own resistor has it: off.
"""

from collections import deque
from collections.abc import Callable, Hashable

from attrs import define, field, frozen

__all__ = ["PULLS", "Busy", "Call", "Line", "Lines", "NotOurs"]

PULLS = ("none", "up", "down")
LINES = 54
_CALLS_MAX = 20_000


class Busy(Exception):
    """The line is somebody else's."""


class NotOurs(Exception):
    """The line was not claimed by who wants to use it, or not for that."""


@define(eq=False)
class Line:
    """`level`: what an output drives; `outside`: what drives an input from outside (None: nothing)."""

    number: int
    pull: str
    is_output: bool = False
    level: int = 0
    outside: int | None = None
    owner: Hashable | None = None
    listens: bool = False
    active_low: bool | None = None
    """Of the relay at it; None: there is none."""
    energised_s: float = 0.0
    energised_since: float | None = None
    off_at: float | None = None
    """When it was energised last; None: never, or it still is."""
    times: int = 0
    """How often the relay was energised."""

    def now(self) -> int | None:
        """Return the level at the pin; None: it floats."""
        if self.is_output:
            return self.level
        if self.outside is not None:
            return self.outside
        return {"up": 1, "down": 0, "none": None}[self.pull]

    @property
    def is_energised(self) -> bool:
        return self.active_low is not None and self.now() == (0 if self.active_low else 1)


@frozen
class Call:
    """Something that was done to a line at `at` (seconds of the machine's monotonic clock), by which owner."""

    at: float
    who: str
    what: str
    pin: int
    level: int | None = None
    pull: str = ""


Edge = Callable[[Hashable, int, int], None]
"""Told of an edge at a line that its owner listens to: owner, pin, level."""


@define(eq=False)
class Lines:
    """All lines of a chip. As after power-on: inputs, 0 to 8 pulled up, the rest down."""

    strict: bool = False
    on_edge: Edge = lambda owner, pin, level: None
    calls: deque[Call] = field(factory=lambda: deque(maxlen=_CALLS_MAX))
    lines: dict[int, Line] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.lines = {n: Line(n, "up" if n <= 8 else "down") for n in range(LINES)}

    def claim_output(self, who: Hashable, now: float, pin: int, level: int, pull: str = "") -> None:
        """Make a line an output at `level`, in one go. `pull` "": as it is."""
        line = self._claimed(who, pin)
        self._told(now, who, "claim_output", pin, level, pull)
        with _Change(self, line, now):
            line.pull, line.is_output, line.level, line.listens = pull or line.pull, True, level, False

    def claim_input(
        self, who: Hashable, now: float, pin: int, pull: str = "", *, listens: bool = False
    ) -> None:
        """Make a line an input; `listens`: edges are told to its owner."""
        line = self._claimed(who, pin)
        self._told(now, who, "claim_alert" if listens else "claim_input", pin, None, pull)
        with _Change(self, line, now):
            line.pull, line.is_output, line.listens = pull or line.pull, False, listens

    def write(self, who: Hashable, now: float, pin: int, level: int) -> None:
        """Drive an output that is the caller's. Raises NotOurs."""
        line = self._line(pin)
        if line.owner != who or not line.is_output:
            raise NotOurs(f"GPIO {pin} is not an output of yours")
        self._told(now, who, "write", pin, level)
        with _Change(self, line, now):
            line.level = level

    def free(self, who: Hashable, now: float, pin: int) -> None:
        """Let a line go. Raises NotOurs."""
        line = self._line(pin)
        if line.owner != who:
            raise NotOurs(f"GPIO {pin} is not yours")
        self._told(now, who, "free", pin)
        self._release(line, now)

    def gone(self, who: Hashable, now: float) -> None:
        """An owner has ended, in whatever way: all its lines are free."""
        for line in self.lines.values():
            if line.owner == who:
                self._told(now, who, "gone", line.number, line.level if line.is_output else None)
                self._release(line, now)

    def force(self, now: float, pin: int, level: int, who: str = "force") -> None:
        """Drive a line whoever owns it, as `pinctrl` does by the chip's registers."""
        line = self._line(pin)
        self._told(now, who, "force", pin, level)
        with _Change(self, line, now):
            line.is_output, line.level = True, level

    def outside(self, now: float, pin: int, level: int | None) -> None:
        """Drive a pin from outside (a contact that closes is 0), or no more (None)."""
        line = self._line(pin)
        with _Change(self, line, now):
            line.outside = level

    def relay(self, now: float, pin: int, active_low: bool) -> None:
        """A relay hangs at this line."""
        line = self._line(pin)
        with _Change(self, line, now):
            line.active_low = active_low

    def energised_s(self, now: float, pin: int) -> float:
        """Return for how long the relay at a line was energised in all."""
        line = self._line(pin)
        return line.energised_s + (0.0 if line.energised_since is None else now - line.energised_since)

    def _line(self, pin: int) -> Line:
        line = self.lines.get(pin)
        if line is None:
            raise NotOurs(f"there is no GPIO {pin}")
        return line

    def _claimed(self, who: Hashable, pin: int) -> Line:
        line = self._line(pin)
        if line.owner not in (None, who):
            raise Busy(f"GPIO {pin} is somebody else's")
        line.owner = who
        return line

    def _release(self, line: Line, now: float) -> None:
        with _Change(self, line, now):
            line.owner, line.listens = None, False
            if self.strict:
                line.is_output = False

    def _told(
        self, now: float, who: object, what: str, pin: int, level: int | None = None, pull: str = ""
    ) -> None:
        self.calls.append(Call(now, str(who), what, pin, level, pull))


class _Change:
    """What follows from a change of a line: edges to who listens, the relay's time."""

    def __init__(self, lines: Lines, line: Line, now: float) -> None:
        self.lines, self.line, self.now = lines, line, now
        self.before = line.now()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        line, after = self.line, self.line.now()
        if line.is_energised and line.energised_since is None:
            line.energised_since, line.times, line.off_at = self.now, line.times + 1, None
        elif not line.is_energised and line.energised_since is not None:
            line.energised_s += self.now - line.energised_since
            line.energised_since, line.off_at = None, self.now
        if line.listens and after is not None and after != self.before and line.owner is not None:
            self.lines.on_edge(line.owner, line.number, after)
