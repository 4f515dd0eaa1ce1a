"""How a deed comes about: chosen from a list or typed, completed, asked about, and only then done."""

from collections.abc import Callable, Sequence
from functools import partial

from textual.app import App

from tui.app.confirm import Confirm
from tui.app.controls import Control, Question, controls
from tui.app.deeds import command_line
from tui.app.desk import Desk
from tui.app.lists import Listing
from tui.app.prompt import Prompt

__all__ = ["Asking"]


class Asking:
    """Leads an operator from a wish to a deed. `tell`: says in the status line why something does not go."""

    def __init__(self, app: "App[int]", desk: Desk, tell: Callable[[str], None]) -> None:
        self._app = app
        self._desk = desk
        self._tell = tell

    def here(self, target: tuple[str, str] | None) -> list[Control]:
        """Return what can be done to what is shown."""
        if target is None or self._desk.is_read_only:
            return []
        return controls(self._desk.model, *target)

    def choose(self, target: tuple[str, str] | None) -> None:
        """Show what can be done here, to choose from."""
        found = self.here(target)
        if not found:
            if self._desk.is_read_only:
                self._tell("read-only: nothing is changed from here")
            else:
                self._tell("there is nothing to do to this")
            return

        def chosen(index: str | None) -> None:
            if index is not None:
                self.begin(found[int(index)])

        rows = [(f":{control.name}", control.title) for control in found]
        self._app.push_screen(Listing("What to do (Enter, Esc)", rows, first=12, is_choice=True), chosen)

    def begin(self, control: Control, typed: str = "") -> None:
        """Ask for what it needs, then whether to do it."""
        if control.asks and not typed:
            prompt = Prompt(f"{control.title}: {control.asks}", control.given, control.offers)
            self._app.push_screen(prompt, partial(self._typed, control))
        else:
            self._typed(control, typed)

    def confirm(self, questions: Sequence[Question]) -> None:
        """Ask about these, one after another; Cancel ends it."""
        if self._desk.is_read_only:
            self._tell("read-only: nothing is changed from here")
            return
        if not questions:
            self._tell("the daemon does not offer that to you")
            return
        question, *others = questions

        def answered(is_wanted: bool | None) -> None:
            if is_wanted:
                self._desk.deeds.ask(question.deed)
                if others:
                    self.confirm(others)

        command = command_line(question.deed, self._desk.place_of(question.deed))
        title = f"{question.deed.title[:1].upper()}{question.deed.title[1:]}?"
        self._app.push_screen(Confirm(title, question.lines, command, question.verb), answered)

    def _typed(self, control: Control, typed: str | None) -> None:
        if typed is None:
            return
        try:
            question = control.question(typed.strip())
        except ValueError as exc:
            self._tell(str(exc))
            return
        self.confirm([question])
