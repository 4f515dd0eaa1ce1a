"""What a terminal sends, read as keys; Esc and a key that come together are two keys.

Textual's parser takes whatever follows Esc within a tenth of a second for Alt with it, or drops the Esc. Nothing here is on
Alt, since tmux and desktops eat it, and a slow line delivers together what was typed one after the other.
"""

import codecs
import os
import re
import select
import threading
from collections.abc import Callable, Iterable

from textual._xterm_parser import XTermParser
from textual.message import Message

__all__ = ["KeyParser", "read_keys"]

ESC = "\x1b"
LOOK_S = 0.1
"""How often is looked whether an Esc stood for itself, and whether to end."""

_ALONE = re.compile(r"(?<=\x1b)(?=[^\x1b\[\]\\OPX^_Nbf\x7f\t])")
"""Behind an Esc that what follows does not belong to: it begins or ends no sequence (ECMA-48 §5.3), nor is it a key of a line:
Option with an arrow or Backspace on a Mac, Shift-Tab."""


class KeyParser(XTermParser):
    """Textual's, which is told at once that an Esc stands for itself."""

    _before = ""

    def feed(self, data: str) -> Iterable[Message]:
        """Take what came; yield keys and what the terminal says."""
        if self._before == ESC and _ALONE.search(ESC + data[:1]):
            yield from self._end_escape()
        first, *others = _ALONE.split(data)
        yield from super().feed(first)
        for part in others:
            yield from self._end_escape()
            yield from super().feed(part)
        self._before = data[-1:]

    def _end_escape(self) -> Iterable[Message]:
        """What stands there is all there is, as if nothing had followed for long."""
        if self._timeout_time is not None:
            self._timeout_time = 0.0
            yield from self.tick()


def read_keys(terminal: int, is_over: threading.Event, take: Callable[[Message], None]) -> None:
    """Read a terminal until told that it is over, or it has ended; hand on what it says. Blocks: for a thread of its own.

    Bytes that are no UTF-8 are U+FFFD, which is no key.
    """
    parser = KeyParser()
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    while not is_over.is_set():
        if select.select([terminal], [], [], LOOK_S)[0]:
            data = os.read(terminal, 4096)
            if not data:
                return  # what watches for a terminal that is gone ends it all
            if text := decode(data):  # not so for the first half of a letter
                for message in parser.feed(text):
                    take(message)
        for message in parser.tick():
            take(message)
