"""Page 2: requests and errors, as the daemons log them, while they happen."""

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from tui.app.columns import Column
from tui.app.desk import Desk
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.view import View
from tui.model import LogRow
from tui.model.values import LEVELS
from tui.model.words import log_line, log_text, printable

__all__ = ["LogView", "log_kind", "log_record", "log_said", "record_lines"]

_SEVERE = {"critical": "error"}
_KINDS = {"error": Kind.BAD, "critical": Kind.BAD, "warning": Kind.NOTICE, "debug": Kind.DIM}
ERRORS = "warning"
"""What `:errors` shows from: with fetches that came to nothing, which the daemons log as what happened."""


class LogView(View):
    """The log of all daemons, the newest last; the cursor at the end follows it.

    `level`: shows what is at least so severe, a fetch that came to nothing as a warning; `site`: only what belongs to it.
    """

    columns = (Column("Time", 12), Column("Level", 7), Column("", 40, grows=True), Column("Daemon", 20, 5))
    empty = "nothing was logged yet"
    follows = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "level(1)", "only what is more severe", id="log.sever"),
        Binding("L", "level(-1)", "what is less severe too", id="log.less"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.level = LEVELS[0]
        self.site = ""
        self._made: dict[int, Row] = {}

    def called(self, word: str) -> None:
        """`:errors` shows errors, `:log` everything."""
        self.level = ERRORS if word == "errors" else LEVELS[0]
        self.site = ""

    def point(self, site: str) -> None:
        """Show what belongs to this site, of all levels."""
        self.level, self.site = LEVELS[0], site

    def widen(self) -> bool:
        had = super().widen() or bool(self.site) or self.level != LEVELS[0]
        self.level, self.site = LEVELS[0], ""
        return had

    def rows(self) -> list[Row]:
        made = {}
        shows_all = self.level == LEVELS[0] and not self.site
        for row in self.desk.model.log.after(0):
            if shows_all or self._is_wanted(row):
                made[row.key] = self._made.get(row.key) or _row(row)
        self._made = made
        return list(made.values())

    def heading(self) -> str:
        book = self.desk.model.log
        words = [f"{len(book)} lines" + (f", {book.dropped} older ones dropped" if book.dropped else "")]
        if self.level != LEVELS[0]:
            words.append(f"at least {self.level}")
        if self.site:
            words.append(f"site {printable(self.site)}")
        return "; ".join(words)

    def choose(self, key: Key) -> None:
        row = self._row_of(key)
        if row is None:
            return
        if row.trace:
            self.post_message(self.Traced(row.trace))
        else:
            self.post_message(self.Read("Log line", record_lines(row)))

    def said(self, row: Row) -> str:
        found = self._row_of(row.key)
        return super().said(row) if found is None else log_said(found)

    def record(self, row: Row) -> Mapping[str, Any]:
        found = self._row_of(row.key)
        return super().record(row) if found is None else log_record(found)

    def action_level(self, by: int) -> None:
        """Show what is at least so severe as the next level, or the one before."""
        at = LEVELS.index(self.level) + by
        self.level = LEVELS[max(0, min(at, len(LEVELS) - 1))]
        self.screen.call_later(self.show_anew)

    def _row_of(self, key: Key) -> LogRow | None:
        return self.desk.model.log.row(int(key[0]))

    def _is_wanted(self, row: LogRow) -> bool:
        level = "warning" if row.is_failed_fetch and row.level == "info" else row.level
        level = _SEVERE.get(level, level)
        if level in LEVELS and LEVELS.index(level) < LEVELS.index(self.level):
            return False
        if not self.site or row.said.get("site") == self.site:
            return True
        view = self.desk.model.daemons.get(row.daemon)
        return view is not None and not view.is_hub and view.called == self.site


def log_kind(row: LogRow) -> Kind:
    """Return how a line looks."""
    return _KINDS.get(row.level, Kind.NOTICE if row.is_failed_fetch else Kind.PLAIN)


def log_said(row: LogRow) -> str:
    """Return a line of a log as it is copied and saved."""
    return f"{log_line(row)} daemon={row.daemon}"


def log_record(row: LogRow) -> Mapping[str, Any]:
    """Return a line of a log as it is saved as JSON."""
    told = {"at": row.at_text, "level": row.level, "event": row.event, "daemon": row.daemon}
    return {**told, "number": row.number, **row.said}


def record_lines(row: LogRow) -> list[str]:
    """Return a line of a log in full, a value a line."""
    lines = [f"{row.at_text}  {row.level}  {row.daemon}", row.event]
    for name, value in row.said.items():
        first, *rest = str(value).splitlines() or [""]
        lines += [f"  {name:16} {first}", *(f"  {'':16} {line}" for line in rest)]
    return [printable(line) for line in lines]


def _row(row: LogRow) -> Row:
    at = row.at_text.partition("T")[2] or row.at_text
    kind = log_kind(row)
    level = "failed" if row.is_failed_fetch and row.level == "info" else row.level
    cells = (Cell(printable(at[:12]), Kind.DIM), Cell(level, kind), Cell(log_text(row)))
    return Row((str(row.key),), (*cells, Cell(row.daemon, Kind.DIM)))
