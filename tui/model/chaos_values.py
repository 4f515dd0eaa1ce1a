"""What is broken on purpose, as frozen values: faults that are on inside of a daemon, and drills, running and over.

Moments called `at` are monotonic, by the clock of whoever feeds the model: what is on grows older and leases run down while
nothing new is heard. Durations are seconds. None: not known, never zero.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tui.model.passing import grown, run_down

__all__ = ["HERE", "ChaosView", "Clock", "DrillView", "FaultKind", "FaultView", "Playable", "Recovery"]

HERE = ""
"""In place of a daemon's name: this machine."""

UNHEARD_S = 20.0
"""A drill of which nothing was heard for so long is not known to run."""


@frozen(kw_only=True)
class FaultView:
    """A fault that is on inside of a daemon. `on_s`, `left_s`: for how long, and what was left of its lease, at `at`;
    `touched`: connections, messages or looks that it met; `params`: what places it again, but for its name and lease."""

    daemon: str
    name: str
    kind: str
    words: str
    at: float
    on_s: float | None
    left_s: float | None
    touched: int
    params: Mapping[str, Any] = field(factory=dict, hash=False)

    @property
    def is_of_drill(self) -> bool:
        """Did a drill place it?"""
        return self.name.startswith("drill.")

    def on_now(self, now: float) -> float | None:
        """Return for how long it has been on."""
        return grown(self.on_s, self.at, now)

    def left_now(self, now: float) -> float | None:
        """Return in how many seconds it ends by itself."""
        return run_down(self.left_s, self.at, now)


@frozen
class ChaosView:
    """Faults of one daemon. `why_not`: why none can be placed; "" when they can."""

    daemon: str
    at: float
    is_allowed: bool
    why_not: str
    faults: tuple[FaultView, ...]


@frozen
class FaultKind:
    """A fault that a daemon takes, or a profile of several. `attributes`: what they are when nothing is said; `choices`:
    of those that are words; `parts`: the faults of a profile, in words."""

    name: str
    words: str
    is_profile: bool
    attributes: Mapping[str, Any] = field(factory=dict, hash=False)
    choices: Mapping[str, tuple[str, ...]] = field(factory=dict, hash=False)
    parts: tuple[str, ...] = ()


@frozen
class Clock:
    """Of a recovery that is waited for: for how long the faults have been over (at the drill's `at`), and after how many
    seconds which is well again; None: not yet."""

    since_s: float
    reconnect_s: float | None
    drained_s: float | None
    fresh_s: float | None


@frozen
class Recovery:
    """How one fault of a drill was felt, and how soon it was over."""

    step: str
    detect_s: float | None
    reconnect_s: float | None
    drained_s: float | None
    fresh_s: float | None
    lost: int | None
    doubled: int | None


@frozen(kw_only=True)
class DrillView:
    """One run of a drill. `told_by`: daemons that tell of it, "" for this machine. `on`: what is on, in words; `next_words`:
    what comes, at the moment `next_at`; `guards`: how many there are, and those that are broken in words; `pid`: of its
    process, when it was started from here; `verdict`: "" while it runs."""

    run: str
    drill: str
    against: str
    started_utc: str
    phase: str
    at: float
    t_s: float
    length_s: float
    steps: int
    played: int
    told_by: tuple[str, ...]
    proves: str = ""
    on: tuple[str, ...] = ()
    next_words: str = ""
    next_at: float | None = None
    clock: Clock | None = None
    guards: int = 0
    broken_guards: tuple[str, ...] = ()
    verdict: str = ""
    why: str = ""
    recoveries: tuple[Recovery, ...] = ()
    replay: str = ""
    file: str = ""
    pid: int | None = None

    @property
    def is_over(self) -> bool:
        return bool(self.verdict)

    def is_running(self, now: float) -> bool:
        """Does it run, as far as anybody knows?"""
        return not self.is_over and now - self.at < UNHEARD_S

    def clock_now(self, now: float) -> float | None:
        """Return for how long the recovery has been waited for."""
        return None if self.clock is None else grown(self.clock.since_s, self.at, now)

    def ran_s(self, now: float) -> float:
        """Return for how long it has run, or ran."""
        return self.t_s + (max(0.0, now - self.at) if self.is_running(now) else 0.0)


@frozen
class Playable:
    """A drill that can be played on this machine. `which`: what the command takes; `problem`: why it cannot be after all."""

    which: str
    drill: str
    length_s: float | None
    steps: int
    proves: str
    problem: str
