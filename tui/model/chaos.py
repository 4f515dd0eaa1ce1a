"""What is known of faults that are on inside of the daemons, and of drills."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from tui.model.chaos_reading import read_drill, read_faults, read_kinds, read_playables
from tui.model.chaos_values import ChaosView, DrillView, FaultKind, FaultView, Playable
from tui.model.checked import items, maps, number, part, text, whole

__all__ = ["ChaosBook"]

RUNS_MAX = 60
NOTES_MAX = 100
OUTPUT_MAX = 200
LINE_MAX = 500


@define(eq=False)
class ChaosBook:
    """By daemon: `views`, and `kinds` that can be placed there. `runs`: drills by their run; `playables`: None before
    anybody looked for them, with `playables_words` why there are none; `records_into`: where the record of one that is
    played from here goes; `output`: what it printed last."""

    views: dict[str, ChaosView] = field(factory=dict, init=False)
    kinds: dict[str, tuple[FaultKind, ...]] = field(factory=dict, init=False)
    runs: dict[str, DrillView] = field(factory=dict, init=False)
    playables: tuple[Playable, ...] | None = field(default=None, init=False)
    playables_words: str = field(default="", init=False)
    records_into: str = field(default="", init=False)
    output: tuple[str, ...] = field(default=(), init=False)
    _counts: dict[str, int] = field(factory=dict, init=False)  # of faults, as the status says it
    _drills: dict[str, tuple[str, ...]] = field(factory=dict, init=False)

    # --- what is read ----------------------------------------------------------------------------------------

    def faults_on(self, daemon: str) -> int:
        """Return how many faults a daemon last said that it has."""
        return self._counts.get(daemon, 0)

    def drills_on(self, daemon: str) -> tuple[str, ...]:
        """Return the drills that run on a daemon, by its status."""
        return self._drills.get(daemon, ())

    def faults(self) -> list[FaultView]:
        """Return the faults of all daemons."""
        return [fault for view in self.views.values() for fault in view.faults]

    def faults_of(self, daemon: str) -> tuple[FaultView, ...]:
        """Return the faults of one daemon, as far as it has told them."""
        view = self.views.get(daemon)
        return () if view is None else view.faults

    def running(self, now: float) -> list[DrillView]:
        """Return the drills that run, the newest first."""
        return [run for run in self._newest() if run.is_running(now)]

    def ended(self, now: float) -> list[DrillView]:
        """Return those that do not run, the newest first."""
        return [run for run in self._newest() if not run.is_running(now)]

    def _newest(self) -> list[DrillView]:
        return sorted(self.runs.values(), key=lambda run: (run.started_utc, run.run), reverse=True)

    # --- what changes it -------------------------------------------------------------------------------------

    def stands(self, daemon: str, told: Mapping[str, Any] | None) -> None:
        """Take what a status says of faults and drills; None of an older daemon. Raises ValueError."""
        if told is None:
            return
        faults, drills = whole(told, "faults") or 0, items(told, "drills", NOTES_MAX)
        self._counts[daemon], self._drills[daemon] = faults, tuple(map(str, drills))
        view = self.views.get(daemon)
        if view is not None and not faults and view.faults:
            self.views[daemon] = evolve(view, faults=())

    def take(self, daemon: str, told: Mapping[str, Any], now: float) -> None:
        """Take what `chaos.list` says. Raises ValueError for what is no such list."""
        view = read_faults(daemon, told, now)
        self.views[daemon] = view
        self._counts[daemon] = len(view.faults)
        for note in maps(told, "drills", NOTES_MAX):
            self.heard(daemon, part(note, "standing") or {}, now - (number(note, "told_s_ago") or 0.0))

    def take_kinds(self, daemon: str, told: Mapping[str, Any]) -> None:
        """Take what `chaos.kinds` says. Raises ValueError."""
        self.kinds[daemon] = read_kinds(told)

    def heard(self, told_by: str, standing: Mapping[str, Any], at: float) -> None:
        """Take how a drill stood at a moment. What cannot be read is left out, what is older than what is known, and all
        but its record after its end."""
        known = self.runs.get(str(standing.get("run")))
        names = () if known is None else known.told_by
        try:
            view = read_drill(standing, at, tuple(dict.fromkeys((*names, told_by))))
        except ValueError:
            return
        if known is None or view.file or (not known.is_over and (view.is_over or view.at >= known.at)):
            self.runs[view.run] = view
        else:
            self.runs[view.run] = evolve(known, told_by=view.told_by)
        while len(self.runs) > RUNS_MAX:
            del self.runs[self._newest()[-1].run]

    def take_playables(self, told: Mapping[str, Any], now: float) -> None:
        """Take what can be played on this machine, and the records there. `words`: why nothing can. Raises ValueError."""
        self.playables, self.playables_words = read_playables(told), text(told, "words")
        self.records_into = text(told, "into")
        for record in maps(told, "records", NOTES_MAX):
            self.heard("", record, now)

    def take_output(self, lines: Sequence[str]) -> None:
        """Take what the drill that was started here last printed."""
        self.output = tuple(line[:LINE_MAX] for line in lines[-OUTPUT_MAX:])
