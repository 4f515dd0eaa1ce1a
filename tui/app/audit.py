"""Page 8: who did what."""

import json

from tui.app.columns import Column
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.view import View
from tui.model import AuditRow
from tui.model.words import printable, utc_day

__all__ = ["AuditView"]

_KINDS = {"done": Kind.GOOD, "refused": Kind.NOTICE, "failed": Kind.BAD}


class AuditView(View):
    """The rows of all daemons' audits, the newest first."""

    columns = (
        Column("When", 19),
        Column("Who", 16),
        Column("Action", 18),
        Column("On", 14, grows=True),
        Column("Outcome", 7),
        Column("No.", 5, 2, right=True),
        Column("Daemon", 20, 3),
    )
    empty = "no rows yet"

    def rows(self) -> list[Row]:
        return [_row(row) for row in self.desk.model.audit]

    def heading(self) -> str:
        return f"{self.desk.model.audit_count} rows"

    def choose(self, key: Key) -> None:
        found = next((row for row in self.desk.model.audit if _key(row) == key), None)
        if found is not None:
            lines = [
                f"{found.who} {found.action} {found.target}: {found.outcome}, {utc_day(found.at_utc)} UTC",
                f"before  {json.dumps(found.before, ensure_ascii=False)}",
                f"after   {json.dumps(found.after, ensure_ascii=False)}",
            ]
            self.post_message(
                self.Read(f"Audit row {found.number} of {found.daemon}", [printable(line) for line in lines])
            )


def _key(row: AuditRow) -> Key:
    return (row.daemon, str(row.number))


def _row(row: AuditRow) -> Row:
    return Row(
        _key(row),
        (
            Cell(utc_day(row.at_utc), Kind.DIM),
            Cell(printable(row.who)),
            Cell(printable(row.action), Kind.STRONG),
            Cell(printable(row.target)),
            Cell(row.outcome, _KINDS.get(row.outcome, Kind.PLAIN)),
            Cell(str(row.number)),
            Cell(printable(row.daemon), Kind.DIM),
        ),
    )
