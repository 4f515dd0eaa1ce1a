"""A driver that writes down what Textual's own would have sent and what it sends itself, step by step, into TEE.

To be asked for by TEXTUAL_DRIVER; each line is JSON: what happened, and the data.
"""

import json
import os
from typing import Any

from tui.app.cells import is_drawing
from tui.app.driver import CellDriver

__all__ = ["TeeDriver"]


class TeeDriver(CellDriver):
    def __init__(self, *args: Any, **other: Any) -> None:
        super().__init__(*args, **other)
        self._is_taken = False
        self._tee = open(os.environ["TEE"], "w", buffering=1)  # noqa: SIM115 (as long as the program)

    def write(self, data: str) -> None:
        if is_drawing(data):
            self._take_size()
        self._is_taken = True  # a size that is told from here on counts for what is drawn next
        self._note("plain", data)
        super().write(data)
        self._is_taken = False
        self._note("behind" if self._is_behind else "even")

    def draw_anew(self) -> None:
        self._take_size()
        self._note("spoilt")
        super().draw_anew()
        self._note("even")

    def _take_size(self) -> None:
        if self._is_taken:
            return
        size = self._new_size
        super()._take_size()
        if size is not None:
            self._note("size", size)

    def _send(self, data: str) -> None:
        self._note("sent", data)
        super()._send(data)

    def _note(self, what: str, data: object = "") -> None:
        self._tee.write(json.dumps([what, data]) + "\n")
