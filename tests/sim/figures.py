"""What came of a run, as a value that crosses processes and becomes text."""

import collections

from attrs import define, field

from tests.sim.script import Script


@define
class Figures:
    """One run, or the sum of several. Hours are virtual.

    Of a run that failed: its words; the same in short and without figures, to know it again; when; what befell it.
    """

    what: str
    seed: int | None
    hours: float = 0.0
    wall_s: float = 0.0
    fingerprint: str = ""
    counts: collections.Counter[str] = field(factory=collections.Counter)
    happened: collections.Counter[str] = field(factory=collections.Counter)
    failure: str = ""
    failed_as: str = ""
    failed_at_s: float = 0.0
    script: Script | None = None

    def add(self, other: "Figures") -> None:
        """Add another run's."""
        self.hours += other.hours
        self.wall_s += other.wall_s
        self.counts += other.counts
        self.happened += other.happened

    @property
    def line(self) -> str:
        """What a run was, in one line."""
        rate = self.hours / self.wall_s if self.wall_s else 0.0
        head = f"seed {self.seed}: {self.hours:.2f} h in {self.wall_s:.1f} s, {rate:.3f} h/s, trace {self.fingerprint}"
        if self.failure:
            return f"{head}  FAILED after {self.failed_at_s:.0f} s: {self.failed_as}"
        return f"{head}, {self.counts['faults']} faults, {self.counts['messages']} messages"

    def __str__(self) -> str:
        who = "sum" if self.seed is None else f"seed {self.seed}"
        rate = self.hours / self.wall_s if self.wall_s else 0.0
        head = f"{self.what}, {who}: {self.hours:.2f} h in {self.wall_s:.1f} s, {rate:.3f} h/s"
        if self.fingerprint:
            head += f", trace {self.fingerprint}"
        return "\n".join([head, f"  {_words(self.counts)}", f"  {_words(self.happened)}"])


def _words(counts: collections.Counter[str]) -> str:
    return " · ".join(f"{name} {count}" for name, count in sorted(counts.items()))
