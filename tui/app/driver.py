"""The driver of a terminal: sends the cells that have changed, and nothing to one that does not keep up.

Textual's own sends each region anew that something happened in, into a queue that holds 30 writes: at the next one the
whole loop stands still until the terminal reads again. Here what is drawn goes into a picture, of which is sent what is
new; a terminal that lags gets one picture, the newest, when it has caught up.
"""

import os
import re
import threading
from typing import TYPE_CHECKING, Any

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.message import Message

from tui.app.cells import Picture, is_drawing, without_colour
from tui.app.keyboard import read_keys
from tui.app.painter import LAG, waiting_writes

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["CellDriver"]

_TELLS = re.compile(
    r"(?:\x1b\[[?<>=][\d;]*\$?[a-zA-Z]|\x1b\[\d* q|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x07"
    r"|\x1bPtmux;(?:[^\x1b]|\x1b\x1b)*\x1b\\)*"
)
"""What draws nothing: modes, questions, what goes to the clipboard, the bell."""

CATCH_UP_S = 0.05
SYNC_MIN = 1024
"""Bytes from which on a terminal is asked to show them at once. Less comes in one piece anyway."""


class CellDriver(LinuxDriver):
    """Textual's driver for Linux and macOS, with a picture between. `written`: bytes sent to the terminal so far;
    `terminal_size`: columns and rows as last heard, which the layout may not know yet."""

    def __init__(
        self,
        app: "App[Any]",
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.written = 0
        self.terminal_size: tuple[int, int] | None = None
        self._picture = Picture(style=without_colour) if os.environ.get("NO_COLOR") else Picture()
        # The thread that reads keys writes too: it asks the terminal for its size.
        self._lock = threading.RLock()
        self._new_size: tuple[int, int] | None = None
        self._is_synced = False
        self._is_behind = False

    def draw_anew(self) -> None:
        """Send the whole picture: something else has written on the terminal."""
        with self._lock:
            self._take_size()
            self._picture.distrust()
            self._send_news()

    def write(self, data: str) -> None:
        """Take what is to be drawn, and send what of it is new; send at once what is for the terminal itself."""
        if data in (SYNC_START, SYNC_END):
            self._is_synced = True
            return
        with self._lock:
            if is_drawing(data):
                self._take_size()
                self._picture.draw(data)
                self._send_news()
                return
            self._send(self._picture.news())
            self._send(data)
            if not _TELLS.fullmatch(data):
                self._picture.forget()

    def start_application_mode(self) -> None:
        """Begin, or go on after another program had the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.draw_anew()

    def run_input_thread(self) -> None:
        """Hand on keys, in a thread of Textual's."""
        read_keys(self.fileno, self.exit_event, self.process_message)

    def process_message(self, message: Message) -> None:
        """Take what the terminal says; a terminal that tells its size itself sends no signal."""
        if isinstance(message, Resize):
            self.terminal_size = self._new_size = message.size
        super().process_message(message)

    def _get_terminal_size(self) -> tuple[int, int]:
        # By a handler of a signal, in the midst of whatever is being drawn: so it is only noted.
        self.terminal_size = self._new_size = super()._get_terminal_size()
        return self._new_size

    def _take_size(self) -> None:
        size, self._new_size = self._new_size, None
        if size == (self._picture.width, self._picture.height):
            self._picture.distrust()
        elif size is not None:
            self._picture.resize(*size)

    def _send_news(self) -> None:
        """Send what is new, or as soon as the terminal has caught up."""
        if waiting_writes(self) > LAG:
            if not self._is_behind:
                self._is_behind = True
                self._loop.call_later(CATCH_UP_S, self._catch_up)
            return
        news = self._picture.news()
        if self._is_synced and len(news) >= SYNC_MIN:
            news = f"{SYNC_START}{news}{SYNC_END}"
        self._send(news)

    def _catch_up(self) -> None:
        with self._lock:
            self._is_behind = False
            self._send_news()

    def _send(self, data: str) -> None:
        if data:
            self.written += len(data.encode(errors="replace"))
            super().write(data)
