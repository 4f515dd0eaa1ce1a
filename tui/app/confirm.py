"""The question before a deed. What does less harm is what Enter chooses: Cancel has the focus."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from tui.app.control import Question
from tui.app.deeds import Look, Looked
from tui.model.words import counted

__all__ = ["Confirm"]

COMMANDS_MAX = 3
FRAME = 4
"""Lines around what is asked: the border, the buttons, and the alert."""


class Confirm(ModalScreen[Question | None]):
    """Returns the question as it was answered: with the lifetime that was chosen; None for no.

    `commands` says which command lines do the same, `look` has a daemon asked what a question counts, `alert` is said in
    red above all else ("": nothing is).
    """

    DEFAULT_CSS = """
    Confirm { background: transparent; align: center middle; }
    Confirm > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: solid $warning; background: $background; padding: 0 1;
    }
    Confirm VerticalScroll { height: auto; scrollbar-size-vertical: 1; }
    Confirm Label { width: 100%; }
    Confirm #alert { text-style: bold; color: ansi_red; }
    Confirm #question { text-style: bold; }
    Confirm #lasting { text-style: bold; }
    Confirm #command { color: $text-muted; margin: 1 0; }
    Confirm Horizontal { height: 1; width: 100%; }
    Confirm Button { height: 1; min-width: 12; border: none; margin-right: 2; background: $background; }
    Confirm Button:focus { text-style: bold reverse; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer", "cancel", id="confirm.cancel"),
        Binding("y", "app.copy", "copy the command line", id="confirm.copy"),
        Binding("left,right,tab,h,l", "other", "the other button", id="confirm.other", priority=True),
        Binding(
            "pagedown", "more(1)", "on, where it is long", id="confirm.pagedown", show=False, priority=True
        ),
        Binding("pageup", "more(-1)", "back", id="confirm.pageup", show=False, priority=True),
        Binding("up,k,plus", "longer(1)", "longer", id="confirm.longer", priority=True),
        Binding("down,j,minus", "longer(-1)", "shorter", id="confirm.shorter", priority=True),
    ]

    def __init__(
        self,
        question: Question,
        commands: Callable[[Question], list[str]],
        look: Callable[[Look], Looked],
        alert: str = "",
    ) -> None:
        super().__init__()
        self._question = question
        self._commands = commands
        self._alert = alert
        self._looked = [look(one) for one in question.looks]
        self._said: dict[str, str] = {}

    def copied(self) -> tuple[str, str]:
        """Return the command lines that do the same: in words, and as text."""
        commands = self._commands(self._question)
        return counted(len(commands), "command"), "\n".join(commands)

    def compose(self) -> ComposeResult:
        with Vertical():
            if self._alert:
                yield Label(self._alert, id="alert", markup=False)
            with VerticalScroll(can_focus=False) as body:
                body.styles.max_height = max(4, self.app.size.height - FRAME)
                yield Label("", id="question", markup=False)
                yield Label("", id="lines", markup=False)
                if self._question.lasting is not None:
                    yield Label("", id="lasting", markup=False)
                yield Label("", id="command", markup=False)
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self._question.verb, id="go", compact=True)

    def on_mount(self) -> None:
        """Cancel has the focus."""
        self.paint()
        self.query_one("#cancel", Button).focus()

    def paint(self) -> None:
        """Show the question as it is now, and what came of counting."""
        question = self._question
        lines = [*question.lines, *(looked.words for looked in self._looked)]
        why_not = {deed.why_not for deed in question.deeds if deed.undo is None} - {""}
        lines += [f"Cannot be undone: {words}." for words in sorted(why_not)]
        self._say("question", question.heading)
        self._say("lines", "\n".join(lines))
        if question.lasting is not None:
            self._say("lasting", f"{question.lasting.words}  (up, down: longer, shorter)")
        commands = [f"$ {command}" for command in self._commands(question)]
        more = len(commands) - COMMANDS_MAX
        self._say(
            "command",
            "\n".join([*commands[:COMMANDS_MAX], *[f"... and {more} more like these"] * (more > 0)]),
        )

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Enter on a button."""
        event.stop()
        self.dismiss(self._question if event.button.id == "go" else None)

    def action_answer(self) -> None:
        """Esc."""
        self.dismiss(None)

    def action_other(self) -> None:
        """Go to the other button."""
        self.query_one("#cancel" if self.query_one("#go", Button).has_focus else "#go", Button).focus()

    def action_more(self, by: int) -> None:
        """Show what does not fit: the buttons always do."""
        body = self.query_one(VerticalScroll)
        body.scroll_relative(y=by * max(1, body.size.height - 1), animate=False)

    def action_longer(self, by: int) -> None:
        """Choose another lifetime."""
        if self._question.lasting is not None:
            self._question = self._question.lasting.moved(by)
            self.paint()

    def _say(self, name: str, words: str) -> None:
        if self._said.get(name) != words:
            self._said[name] = words
            self.query_one(f"#{name}", Label).update(words)
