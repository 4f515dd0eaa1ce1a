"""Starts the operator's terminal on a real terminal, and says how it ended."""

import os
import sys

from tui.app.app import OperatorApp
from tui.app.desk import Backend, Desk
from tui.app.line import COMPRESS, Line
from tui.app.markers import Markers, markers_here

__all__ = ["run_app"]


def run_app(backend: Backend, *, is_read_only: bool = False, markers: str | None = None) -> int:
    """Show the terminal until it is left; return the exit code: 0 well, 1 crashed, 129 and 143 for SIGHUP and SIGTERM.

    Standard input and output have to be a terminal. The mouse is off over SSH, where each move of it costs 4 KB.
    `markers`: "braille", "block" or "ascii"; None: what the locale has.
    """
    if os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]  # empty means: not set
    is_ssh = "SSH_CONNECTION" in os.environ
    line, drawn = Line(hint=COMPRESS if is_ssh else ""), Markers(markers) if markers else markers_here()
    app = OperatorApp(Desk(backend, is_read_only, line=line, markers=drawn))
    app.run(mouse=not is_ssh)
    if app.last_screen:
        print("\n".join(app.last_screen))
    sys.stdout.flush()
    return app.return_code or 0
