"""How a deed comes about: chosen from a list or typed, completed, asked about, and only then done, or undone."""

from collections.abc import Callable, Sequence
from functools import partial

from textual.app import App

from tui.app.confirm import Confirm
from tui.app.control import Control, Question, join
from tui.app.controls import controls_of_all
from tui.app.deeds import command_line
from tui.app.desk import Desk
from tui.app.lists import Listing
from tui.app.prompt import Prompt
from tui.model.words import daemon_name, printable

__all__ = ["Asking"]

Targets = Sequence[tuple[str, str]]
"""What is acted upon: (daemon, site), with site "" the daemon itself."""


class Asking:
    """Leads an operator from a wish to a deed. `tell`: says in the status line why something does not go."""

    def __init__(self, app: "App[int]", desk: Desk, tell: Callable[[str], None]) -> None:
        self._app = app
        self._desk = desk
        self._tell = tell

    def here(self, targets: Targets) -> list[Control]:
        """Return what can be done to what is shown, or tagged."""
        return [] if self._desk.why_not else self.known(targets)

    def known(self, targets: Targets) -> list[Control]:
        """Return what could be done to it from somewhere."""
        return controls_of_all(self._desk.model, targets)

    def choose(self, targets: Targets) -> None:
        """Show what can be done here, to choose from."""
        found = self.here(targets)
        if not found:
            self._tell(self._desk.why_not or "there is nothing to do to this")
            return

        def chosen(index: str | None) -> None:
            if index is not None:
                self.begin(found[int(index)])

        rows = [(f":{control.name}", control.title) for control in found]
        self._app.push_screen(Listing("What to do (Enter, Esc)", rows, first=12, is_choice=True), chosen)

    def begin(self, control: Control, typed: str = "") -> None:
        """Ask for what it needs, then whether to do it."""
        if self._desk.why_not:
            self._tell(self._desk.why_not)
            return
        if control.asks and not typed:
            prompt = Prompt(f"{control.title}: {control.asks}", control.given, control.offers)
            self._app.push_screen(prompt, partial(self._typed, control))
        else:
            self._typed(control, typed)

    def confirm(self, questions: Sequence[Question], what: str = "of them") -> None:
        """Ask about these, together when they are several; `what` they are."""
        if self._desk.why_not:
            self._tell(self._desk.why_not)
            return
        if not questions:
            self._tell("the daemon does not offer that to you")
            return

        def answered(question: Question | None) -> None:
            if question is not None:
                self._desk.deeds.ask(*question.deeds, title=question.title)

        self._ask(join(questions, what), answered)

    def undo(self) -> None:
        """Ask whether to undo what was done last; or say why that cannot be."""
        deeds = self._desk.deeds
        done = deeds.last_done
        if self._desk.why_not:
            self._tell(self._desk.why_not)
        elif deeds.under_way:
            self._tell("wait: what was done last is still under way")
        elif done is None:
            self._tell("there is nothing to undo")
        elif done.undo is not None:
            deeds.take_last()
            done.undo()
            deeds.tell(f"undone: {done.title}", is_good=True)
        elif not (undoing := [(deed, deed.undo) for deed in done.deeds if deed.undo is not None]):
            why = {deed.why_not for deed in done.deeds} - {""}
            self._tell(f"{done.title}: cannot be undone{': ' if why else ''}{'; '.join(sorted(why))}")
        else:
            questions = [
                Question(undo, (f"This undoes: {deed.title}.", f"What is done: {undo.title}."), "Undo")
                for deed, undo in undoing
            ]

            def answered(question: Question | None) -> None:
                if question is not None:
                    deeds.take_last()
                    deeds.ask(*question.deeds, title=f"undo: {done.title}", is_undoing=True)

            self._ask(join(questions, "deeds"), answered)

    def _ask(self, question: Question, answered: Callable[[Question | None], None]) -> None:
        """Put a question, over the page."""
        confirm = Confirm(question, self._commands, self._desk.deeds.look, self._alert(question))
        self._app.push_screen(confirm, answered)

    def _alert(self, question: Question) -> str:
        """Return what is said in red: that it is not a rehearsal."""
        daemons = self._desk.model.daemons
        names = [
            daemon_name(view)
            for name in dict.fromkeys(deed.daemon for deed in question.deeds)
            if (view := daemons.get(name)) is not None and view.is_production
        ]
        return f"! PRODUCTION: {', '.join(names)}" if names else ""

    def _commands(self, question: Question) -> list[str]:
        return [command_line(deed, self._desk.place_of(deed)) for deed in question.deeds]

    def _typed(self, control: Control, typed: str | None) -> None:
        if typed is None:
            return
        try:
            question = control.question(typed.strip())
        except ValueError as exc:
            self._tell(printable(str(exc)))
            return
        self.confirm([question])
