"""Starts the operator's terminal on a real terminal, and says how it ended."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.app.app import OperatorApp
from tui.app.desk import Backend, Desk
from tui.app.hangup import HUNG_UP
from tui.app.line import COMPRESS, Line
from tui.app.markers import Markers, markers_here

if TYPE_CHECKING:
    from tui.record import Player, Recorder

__all__ = ["run_app"]


def run_app(
    backend: Backend,
    *,
    is_read_only: bool = False,
    markers: str | None = None,
    keys: Mapping[str, str] | None = None,
    recorder: "Recorder | None" = None,
    replay: "Player | None" = None,
) -> int:
    """Show the terminal until it is left; return the exit code: 0 well, 1 crashed, 129 and 143 for SIGHUP and SIGTERM.

    Standard input and output have to be a terminal. The mouse is off over SSH, where each move of it costs 4 KB.
    `markers`: "braille", "block" or "ascii"; None: what the locale has. `keys`: the operator's own, by id. `recorder`,
    `replay`: what writes down what is known, and what plays it. Raises ConfigError and RefusedToStart of a backend
    that is made later, when the terminal is given back.
    """
    if os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]  # empty means: not set
    is_ssh = "SSH_CONNECTION" in os.environ
    line, drawn = Line(hint=COMPRESS if is_ssh else ""), Markers(markers) if markers else markers_here()
    desk = Desk(
        backend, is_read_only, keys=keys or {}, line=line, markers=drawn, recorder=recorder, replay=replay
    )
    app = OperatorApp(desk)
    app.run(mouse=not is_ssh)
    if app.refused is not None:
        raise app.refused
    if app.last_screen:
        print("\n".join(app.last_screen))
    if app.return_code == HUNG_UP:
        _hush()
    sys.stdout.flush()
    return app.return_code or 0


def _hush() -> None:
    """Let what is still to be written vanish: a terminal that is gone fails of it, and so would our exit code."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
