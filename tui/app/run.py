"""Starts the operator's terminal on a real terminal, and says how it ended."""

import os
import sys

from tui.app.app import OperatorApp
from tui.app.desk import Backend, Desk
from tui.app.line import COMPRESS, Line

__all__ = ["run_app"]


def run_app(backend: Backend, *, is_read_only: bool = False) -> int:
    """Show the terminal until it is left; return the exit code: 0 well, 1 crashed, 129 and 143 for SIGHUP and SIGTERM.

    Standard input and output have to be a terminal. The mouse is off over SSH, where each move of it costs 4 KB.
    """
    if os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]  # empty means: not set
    is_ssh = "SSH_CONNECTION" in os.environ
    app = OperatorApp(Desk(backend, is_read_only, line=Line(hint=COMPRESS if is_ssh else "")))
    app.run(mouse=not is_ssh)
    if app.last_screen:
        print("\n".join(app.last_screen))
    sys.stdout.flush()
    return app.return_code or 0
