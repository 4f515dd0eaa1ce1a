"""The line at the bottom where something is typed: a command after `:`, a filter after `/`."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label

__all__ = ["Prompt"]


class Prompt(ModalScreen[str | None]):
    """Returns what was typed, or None after Esc. `offers`: Tab completes to them, one after another."""

    DEFAULT_CSS = """
    Prompt { background: transparent; align: left bottom; }
    Prompt > Horizontal { height: 1; width: 100%; background: $surface; }
    Prompt Label { width: auto; max-width: 65%; text-style: bold; }
    Prompt Input { border: none; height: 1; padding: 0 1; width: 1fr; }
    Prompt Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "back", id="prompt.back"),
        Binding("tab", "complete", "complete", id="prompt.complete", priority=True),
    ]

    def __init__(self, sign: str, text: str = "", offers: Sequence[str] = ()) -> None:
        super().__init__()
        self._sign = sign
        self._text = text
        self._offers = tuple(offers)
        self._typed = ""
        self._completed: str | None = None
        self._tabs = 0

    def compose(self) -> ComposeResult:
        suggester = SuggestFromList(self._offers, case_sensitive=False) if self._offers else None
        with Horizontal():
            yield Label(self._sign, markup=False)
            yield Input(self._text, suggester=suggester, select_on_focus=False)

    def on_mount(self) -> None:
        """A cursor that blinks is 1.7 KB a second over SSH."""
        box = self.query_one(Input)
        box.cursor_blink = False
        box.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self.dismiss(event.value)

    def action_give_up(self) -> None:
        """Esc."""
        self.dismiss(None)

    def action_complete(self) -> None:
        """Put the next offer there that begins so."""
        box = self.query_one(Input)
        if box.value != self._completed:  # something was typed since
            self._typed, self._tabs = box.value, 0
        fitting = [offer for offer in self._offers if offer.lower().startswith(self._typed.lower())]
        if fitting:
            box.value = self._completed = fitting[self._tabs % len(fitting)]
            box.cursor_position = len(box.value)
            self._tabs += 1
