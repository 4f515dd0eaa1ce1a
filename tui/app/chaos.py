"""Page 9: what is broken on purpose. Faults inside of the daemons with their leases, drills with recovery clock and verdict."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.app.chaos_controls import drill_deed, end_deed, heal_deed, lift_deed, place_control
from tui.app.chaos_rows import COLUMNS, chaos_rows, kinds_of_all
from tui.app.desk import Desk
from tui.app.lists import Listing
from tui.app.looks import Key, Row
from tui.app.view import View
from tui.model import DaemonView
from tui.model.chaos_values import DrillView, FaultView
from tui.model.chaos_words import drill_words, fault_words, recovery_words
from tui.model.words import counted, daemon_name, printable

__all__ = ["ChaosView"]

OUTPUT_LINES = 40


class ChaosView(View):
    """Drills that run come first, then each daemon with its faults, then what is over, and what can be played and placed."""

    columns = COLUMNS
    empty = "no daemon is watched"
    looks_at_chaos = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "place", "place a fault or a profile", id="chaos.place"),
        Binding("x", "end", "lift the fault, or end the drill", id="chaos.end"),
        Binding("X", "heal", "lift all faults of all daemons", id="chaos.heal"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._own: set[str] = set()
        self._wanted = ""

    def paint(self) -> None:
        """The cursor goes to a drill that was just started from here: it stands above what was chosen."""
        super().paint()
        running = self.desk.model.chaos.running(self.desk.now())
        for run in running:
            if run.pid is not None and run.run not in self._own:
                self._own.add(run.run)
                self.table.point_at(("run", run.run))
        self._play_wanted()

    def called(self, word: str) -> None:
        """`:drill NAME` asks whether to play it, as soon as it is known what can be played here."""
        self._wanted = word.strip().partition(" ")[2].strip()
        if self._wanted and self.desk.model.chaos.playables is None:
            self.post_message(self.Told("looking what can be played on this machine ..."))
        self._play_wanted()

    def left(self) -> None:
        """What was waited for is not asked any more."""
        self._wanted = ""

    def rows(self) -> list[Row]:
        return chaos_rows(self.desk.model, self.desk.now())

    def heading(self) -> str:
        chaos, now = self.desk.model.chaos, self.desk.now()
        faults, drills = len(chaos.faults()), len(chaos.running(now))
        return f"{faults} faults on, {counted(drills, 'drill')}"

    @property
    def target(self) -> tuple[str, str] | None:
        """The daemon of the row; on others the only one that takes faults."""
        key = self.table.chosen
        if key is not None and key[0] in ("daemon", "fault"):
            return key[1], ""
        takes = self._takes()
        return (takes[0].daemon, "") if len(takes) == 1 else None

    # --- keys ------------------------------------------------------------------------------------------------

    def choose(self, key: Key) -> None:
        match key[0]:
            case "run":
                run = self.desk.model.chaos.runs.get(key[1])
                if run is not None:
                    self.post_message(self.Read(printable(f"Drill {run.drill}"), self._about(run)))
            case "fault":
                fault = self._fault(key)
                if fault is not None:
                    self.post_message(self.Read("Fault", [printable(fault_words(fault, self.desk.now()))]))
            case "daemon":
                self.action_place()
            case "play":
                self._play(key[1])
            case "kind":
                self._place_kind(key[1])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a replay nothing is placed: there its key is that of the pause."""
        return action != "place" or self.desk.replay is None

    def action_place(self) -> None:
        """Ask for what to place, in the daemon of the row or the only one that takes any."""
        target = self.target
        view = None if target is None else self.desk.model.daemons.get(target[0])
        known = None if view is None else self.desk.model.chaos.views.get(view.daemon)
        if view is not None and known is not None and not known.is_allowed:
            self.post_message(self.Told(printable(known.why_not)))
        elif view is not None:
            self.post_message(self.Begun(place_control(self.desk.model, view)))
        else:
            self._where("")

    def action_end(self) -> None:
        """Lift the fault, or end the drill, under the cursor."""
        key = self.table.chosen or ("",)
        if key[0] == "fault" and (fault := self._fault(key)) is not None:
            question = lift_deed(self.desk.model, fault)
            self.post_message(self.Asked([question] if question is not None else []))
        elif key[0] == "run" and (run := self.desk.model.chaos.runs.get(key[1])) is not None:
            if run.is_over:
                self.post_message(self.Told("that drill is over"))
            elif run.pid is None:
                self.post_message(
                    self.Told("that drill was started elsewhere: Ctrl-C there ends it, and heals")
                )
            else:
                self.post_message(self.Asked([end_deed(run.drill, run.pid)]))
        else:
            self.post_message(self.Told("the cursor is on no fault, and on no drill that runs"))

    def action_heal(self) -> None:
        """Lift everything everywhere."""
        model = self.desk.model
        views = [view for view in model.chaos.views.values() if view.faults and view.daemon in model.daemons]
        if not views:
            self.post_message(self.Told("no faults are on in these daemons"))
            return
        daemons = [model.daemons[view.daemon] for view in views]
        self.post_message(self.Asked([heal_deed(model, view) for view in daemons], "daemons"))

    # --- underneath ------------------------------------------------------------------------------------------

    def _takes(self) -> list[DaemonView]:
        """Return the daemons that may be broken."""
        model = self.desk.model
        return [
            model.daemons[name]
            for name, view in model.chaos.views.items()
            if view.is_allowed and name in model.daemons
        ]

    def _fault(self, key: Key) -> FaultView | None:
        _, daemon, name = key
        return next((one for one in self.desk.model.chaos.faults_of(daemon) if one.name == name), None)

    def _place_kind(self, name: str) -> None:
        kind = kinds_of_all(self.desk.model).get(name)
        if kind is not None:
            figures = (
                f"{key}={value}" for key, value in kind.attributes.items() if isinstance(value, int | float)
            )
            self._where(" ".join([name, *figures, "30s"]))

    def _where(self, given: str) -> None:
        """Ask in which daemon, when several take faults, and then for the rest."""
        name, takes = given.partition(" ")[0], self._takes()
        kinds = self.desk.model.chaos.kinds
        found = [
            one for one in takes if not name or any(kind.name == name for kind in kinds.get(one.daemon, ()))
        ]
        if not found:
            self.post_message(
                self.Told("no daemon that is watched takes faults: [chaos] allow is off in their configs")
            )
            return

        def chosen(index: str | None) -> None:
            if index is not None:
                self.post_message(self.Begun(place_control(self.desk.model, found[int(index)], given=given)))

        if len(found) == 1:
            chosen("0")
        else:
            rows = [(daemon_name(view), printable(view.daemon)) for view in found]
            self.app.push_screen(Listing("Where (Enter, Esc)", rows, first=30, is_choice=True), chosen)

    def _play_wanted(self) -> None:
        chaos = self.desk.model.chaos
        if not self._wanted or chaos.playables is None:
            return
        wanted, self._wanted = self._wanted, ""
        found = next((one for one in chaos.playables if wanted in (one.drill, one.which)), None)
        if found is not None:
            self._play(found.which)
            return
        names = ", ".join(one.drill for one in chaos.playables if not one.problem)
        words = chaos.playables_words or f"no drill is called {wanted!r}: there are {names}"
        self.post_message(self.Told(printable(words)))

    def _play(self, which: str) -> None:
        drill = next((one for one in self.desk.model.chaos.playables or () if one.which == which), None)
        if drill is None:
            return
        try:
            self.post_message(self.Asked([drill_deed(drill, self.desk.model.chaos.records_into)]))
        except ValueError as exc:
            self.post_message(self.Told(printable(str(exc))))

    def _about(self, run: DrillView) -> Sequence[str]:
        now, chaos = self.desk.now(), self.desk.model.chaos
        told_by = ", ".join(name or "this machine" for name in run.told_by)
        lines = [
            drill_words(run, now),
            run.proves,
            f"on {run.against}; since {run.started_utc}; {run.played} of {run.steps} faults played; told by {told_by}",
            f"{run.guards} guards" + (f", broken: {'; '.join(run.broken_guards)}" if run.broken_guards else ", all hold")
            if run.guards else "",
            *(recovery_words(recovery) for recovery in run.recoveries),
            f"again: {run.replay}" if run.replay else "",
            f"record: {run.file}" if run.file else "",
        ]  # fmt: skip
        if run.pid is not None:
            lines += chaos.output[-OUTPUT_LINES:]
        return [printable(line) for line in lines if line]
