"""Page 2: requests and errors, as the daemons log them, while they happen."""

from tui.app.columns import Column
from tui.app.desk import Desk
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.view import View
from tui.model import LogRow
from tui.model.words import log_line, printable

__all__ = ["LogView"]

_KINDS = {"error": Kind.BAD, "critical": Kind.BAD, "warning": Kind.NOTICE, "debug": Kind.DIM}


class LogView(View):
    """The log of all daemons, the newest last; the cursor at the end follows it."""

    columns = (Column("Time", 12), Column("Level", 7), Column("", 40, grows=True), Column("Daemon", 20, 5))
    empty = "nothing was logged yet"
    follows = True

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._made: dict[int, Row] = {}

    def rows(self) -> list[Row]:
        made = {}
        for row in self.desk.model.log.after(0):
            made[row.key] = self._made.get(row.key) or _row(row)
        self._made = made
        return list(made.values())

    def heading(self) -> str:
        book = self.desk.model.log
        return f"{len(book)} lines" + (f", {book.dropped} older ones dropped" if book.dropped else "")

    def choose(self, key: Key) -> None:
        row = next(
            (row for row in self.desk.model.log.after(int(key[0]) - 1) if str(row.key) == key[0]), None
        )
        if row is None:
            return
        lines = [f"{row.at_text}  {row.level}  {row.daemon}", row.event]
        for name, value in row.said.items():
            first, *rest = str(value).splitlines() or [""]
            lines += [f"  {name:16} {first}", *(f"  {'':16} {line}" for line in rest)]
        self.post_message(self.Read("Log line", [printable(line) for line in lines]))


def _row(row: LogRow) -> Row:
    kind = _KINDS.get(row.level, Kind.PLAIN)
    at = row.at_text.partition("T")[2] or row.at_text
    text = log_line(row).removeprefix(f"{row.at_text} ").removeprefix(f"{row.level:8}")
    return Row(
        (str(row.key),),
        (Cell(printable(at[:12]), Kind.DIM), Cell(row.level, kind), Cell(text), Cell(row.daemon, Kind.DIM)),
    )
