"""The question before a deed. What does less harm is what Enter chooses: Cancel has the focus."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label

__all__ = ["Confirm"]


class Confirm(ModalScreen[bool]):
    """Returns whether to do it. `question` names what is hit; `lines` count it and say what it does; `command` is the
    command line that does the same."""

    DEFAULT_CSS = """
    Confirm { background: transparent; align: center middle; }
    Confirm > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: solid $warning; background: $background; padding: 0 1;
    }
    Confirm Label { width: 100%; }
    Confirm #question { text-style: bold; }
    Confirm #command { color: $text-muted; margin: 1 0; }
    Confirm Horizontal { height: 1; width: 100%; }
    Confirm Button { height: 1; min-width: 12; border: none; margin-right: 2; background: $background; }
    Confirm Button:focus { text-style: bold reverse; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer(False)", "cancel", id="confirm.cancel"),
        Binding("left,right,tab,h,l", "other", "the other button", id="confirm.other", priority=True),
    ]

    def __init__(self, question: str, lines: Sequence[str], command: str, verb: str) -> None:
        super().__init__()
        self._question = question
        self._lines = tuple(lines)
        self._command = command
        self._verb = verb

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(self._question, id="question", markup=False)
            for line in self._lines:
                yield Label(line, markup=False)
            yield Label(f"$ {self._command}", id="command", markup=False)
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self._verb, id="go", compact=True)

    def on_mount(self) -> None:
        """Cancel has the focus."""
        self.query_one("#cancel", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Enter on a button."""
        event.stop()
        self.dismiss(event.button.id == "go")

    def action_answer(self, answer: bool) -> None:
        """Esc."""
        self.dismiss(answer)

    def action_other(self) -> None:
        """Go to the other button."""
        self.query_one("#cancel" if self.query_one("#go", Button).has_focus else "#go", Button).focus()
