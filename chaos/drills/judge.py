"""From what was seen to checks and a verdict. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import define, evolve, field

from chaos.drills.drill import RECOVERIES, Bound, Drill
from chaos.drills.record import Check, FaultRun, Kind, Recovery, Verdict
from chaos.drills.recovery import Spell, recovery_of, spells_of
from chaos.drills.watch import Reading

__all__ = ["GuardWatch", "bound_check", "judge", "ran_spells", "recovered", "recovery_checks"]

WORDS: Final[Mapping[str, str]] = {
    "detect": "noticed",
    "reconnect": "connected again",
    "drained": "all that was promised delivered",
    "fresh": "fresh on screen",
    "lost": "lost",
    "doubled": "doubled",
    "late": "late",
    "dead": "became dead letters",
}

_BEFORE: Final = 40
"""Readings before a spell that are looked at: one of them is whole."""


def bound_check(drill: Drill, bound: Bound, kind: Kind, value: float | None) -> Check:
    """Return a bound as a check of what was measured."""
    ok = bound.holds(value)
    words = "" if ok else ("it is not known" if value is None else f"{bound.probe} is {value:g}")
    return Check(bound.probe, kind, bound.words, value, drill.unit_of(bound.probe), ok, words)


@define(eq=False)
class GuardWatch:
    """One guard over all readings: the worst that was seen, and since when it is broken."""

    bound: Bound
    worst: float | None = field(default=None, init=False)
    tripped_s: float | None = field(default=None, init=False)
    _broken_since_s: float | None = field(default=None, init=False)

    def see(self, reading: Reading) -> bool:
        """Return whether the drill must end."""
        value = reading.figure(self.bound.probe)
        if value is not None and (self.worst is None or self._is_worse(value)):
            self.worst = value
        if self.bound.holds(value):
            self._broken_since_s = None
            return False
        if self._broken_since_s is None:
            self._broken_since_s = reading.t_s
        if reading.t_s - self._broken_since_s < self.bound.for_s:
            return False
        self.tripped_s = reading.t_s
        return True

    def _is_worse(self, value: float) -> bool:
        worst = self.worst if self.worst is not None else value
        return value > worst if self.bound.at_most is not None else value < worst

    def check(self, drill: Drill) -> Check:
        """Return it as a check."""
        name, unit = self.bound.probe, drill.unit_of(self.bound.probe)
        debounce = f", for {self.bound.for_s:g} s" if self.bound.for_s else ""
        words = "" if self.tripped_s is None else f"broken{debounce}, at {self.tripped_s:.1f} s"
        return Check(name, Kind.GUARD, self.bound.words, self.worst, unit, self.tripped_s is None, words)


def ran_spells(drill: Drill, runs: Mapping[str, FaultRun]) -> list[Spell]:
    """Return the spells that began and are over, on the readings' clock."""
    found = []
    for spell in spells_of(drill.scenario):
        mine = [runs[step.name] for step in spell.steps if step.name in runs]
        begun = [run.from_s for run in mine if run.from_s is not None]
        ended = [run.until_s for run in mine if run.until_s is not None]
        if begun and len(begun) == len(ended):
            found.append(evolve(spell, from_s=min(begun), until_s=max(ended)))
    return found


def recovered(drill: Drill, spells: Sequence[Spell], readings: Sequence[Reading]) -> list[Recovery]:
    """Return the recovery of each spell, from its readings up to the beginning of the next."""
    found = []
    for number, spell in enumerate(spells):
        ends_s = spells[number + 1].from_s if number + 1 < len(spells) else float("inf")
        before = [one for one in readings if one.t_s <= spell.from_s][-_BEFORE:]
        mine = [one for one in readings if spell.from_s < one.t_s <= ends_s]
        found.append(
            recovery_of(spell, [*before, *mine], fresh_s=drill.fresh_s, late_after_s=drill.late_after_s)
        )
    return found


def recovery_checks(drill: Drill, spells: Sequence[Spell], recoveries: Sequence[Recovery]) -> list[Check]:
    """Return the recovery bounds as checks, one for each spell that a bound concerns."""
    checks = []
    for spell, recovery in zip(spells, recoveries, strict=True):
        for bound in drill.recovery:
            if not any(bound.concerns(step) for step in spell.steps):
                continue
            timed = RECOVERIES[bound.what] == "s"
            value: float | None = getattr(recovery, f"{bound.what}_s" if timed else bound.what)
            ok = value is not None and value <= bound.at_most
            words = "" if ok else _wrong(bound.what, value)
            name = f"{bound.what} after {spell.name}"
            limit = f"at most {bound.at_most:g}"
            checks.append(Check(name, Kind.RECOVERY, limit, value, RECOVERIES[bound.what], ok, words))
    return checks


def _wrong(what: str, value: float | None) -> str:
    if value is None:
        return f"not {WORDS[what]}, or not known, before the next fault or the end"
    return f"{WORDS[what]} after {value:g} s" if RECOVERIES[what] == "s" else f"{value:g} {WORDS[what]}"


def judge(reasons: Sequence[tuple[Verdict, str]], checks: Sequence[Check]) -> tuple[Verdict, str]:
    """Return the verdict and why. The worst reason counts; without one the checks do."""
    for verdict in (Verdict.NOT_RESTORED, Verdict.ABORTED, Verdict.INVALID):
        words = [why for which, why in reasons if which is verdict]
        if words:
            return verdict, "; ".join(dict.fromkeys(words))
    failed = [check for check in checks if not check.ok]
    if failed:
        return Verdict.FAIL, "; ".join(f"{check.name}: {check.words or check.limit}" for check in failed)
    return Verdict.PASS, ""
