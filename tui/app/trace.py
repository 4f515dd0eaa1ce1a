"""One wish across both sides: all that the daemons logged of its trace, and what the hub, the site and the link took."""

from collections.abc import Mapping
from typing import Any

from tui.app.columns import Column
from tui.app.desk import Desk
from tui.app.log import log_kind, log_record, log_said, record_lines
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.view import View
from tui.model import FeedState, LogRow
from tui.model.tracebook import FETCH, Leg, in_order, legs
from tui.model.words import log_text, ms, printable

__all__ = ["TraceView"]


class TraceView(View):
    """Come to by Enter on a line that carries a trace. First each fetch in a sentence, then the lines in order of time."""

    columns = (
        Column("Time", 12),
        Column("Side", 6),
        Column("Took", 8, right=True),
        Column("", 34, grows=True),
        Column("Connection", 12, 3),
        Column("Request", 7, 2, right=True),
        Column("Daemon", 16, 4),
    )
    empty = "nothing is known of this trace any more"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.trace = ""
        self._found: list[LogRow] = []
        self._found_of = ("", -1, -1)

    def point(self, trace: str) -> None:
        """Show this one from now on, and have it searched for."""
        self.trace = trace
        self.desk.look_for(trace)

    def heading(self) -> str:
        model = self.desk.model
        answered = model.traces.answered(self.trace)
        missing = [name for name in model.feeds if name not in answered]
        gone = [name for name in missing if model.feeds[name].state is not FeedState.LIVE]
        words = self.trace
        if gone:
            words += f"; not searched, not reached: {printable(', '.join(gone))}"
        elif missing and self.desk.replay is not None:
            words += f"; of {printable(', '.join(missing))} only what was recorded"
        elif missing:
            words += f"; searching {printable(', '.join(missing))}"
        return words

    def rows(self) -> list[Row]:
        found = self._lines()
        summary = [_leg(at, leg) for at, leg in enumerate(legs(found))]
        return [*summary, *map(_row, found)]

    def choose(self, key: Key) -> None:
        found = self._rows_of(key)
        if found:
            lines = [line for row in found for line in record_lines(row)]
            self.post_message(self.Read("Log line" if len(found) == 1 else "Both sides of a fetch", lines))

    def said(self, row: Row) -> str:
        found = self._rows_of(row.key) if row.key[0] == "line" else []
        return log_said(found[0]) if found else super().said(row)

    def record(self, row: Row) -> Mapping[str, Any]:
        found = self._rows_of(row.key) if row.key[0] == "line" else []
        return log_record(found[0]) if found else super().record(row)

    def _lines(self) -> list[LogRow]:
        """Return the lines in order, found once as long as nothing is new."""
        model = self.desk.model
        of = (self.trace, id(model), model.version)  # a replay may have another model
        if self._found_of != of:
            self._found = in_order(model.traces.rows(self.trace, model.log), model.daemons)
            self._found_of = of
        return self._found

    def _rows_of(self, key: Key) -> list[LogRow]:
        """Return what a row of the page stands for: a line, or both records of a fetch."""
        found = self._lines()
        if key[0] == "leg":
            leg = dict(enumerate(legs(found))).get(int(key[1]))
            return [] if leg is None else [row for row in (leg.hub, leg.site) if row is not None]
        return [row for row in found if _key(row) == key]


def _key(row: LogRow) -> Key:
    return ("line", row.daemon, str(row.number))


def _text(row: LogRow) -> str:
    """Return a line in short: what is in columns of their own here is left out."""
    if row.event != FETCH:
        return log_text(row)
    words = [str(row.said.get(name, "")) for name in ("status", "code", "method", "path")]
    return printable(" ".join(word for word in [*words, f"for {row.said.get('identity', '')}"] if word))


def _leg(at: int, leg: Leg) -> Row:
    record = leg.hub or leg.site
    assert record is not None
    what = f"{record.said.get('method', '')} {record.said.get('path', '')}"
    if leg.link_s is not None:
        words = f"= site {ms(leg.site_s)} + link, waiting {ms(leg.link_s)}"
    elif leg.site is None and record.said.get("copy"):
        words = "from the hub's copy: the link was not asked"
    elif leg.site is None:
        words = "at the hub; no record of the site's is here"
    else:
        words = "at the site; no record of the hub's is here"
    code = record.said.get("code")
    if code:
        words = f"{code}: {words}"
    kind = Kind.BAD if record.is_failed_fetch else Kind.STRONG
    took = ms(leg.hub_s if leg.hub is not None else leg.site_s)
    cells = (Cell(), Cell("fetch", kind), Cell(took, kind), Cell(printable(f"{words}  {what}"), kind))
    return Row(("leg", str(at)), cells)


def _row(row: LogRow) -> Row:
    kind = log_kind(row)
    took = row.said.get("latency_ms")
    return Row(
        _key(row),
        (
            Cell(printable(row.at_text.partition("T")[2][:12]), Kind.DIM),
            Cell(printable(str(row.said.get("side", ""))), kind),
            Cell(ms(took / 1000) if isinstance(took, int | float) else "", kind),
            Cell(_text(row), kind),
            Cell(printable(str(row.said.get("connection", ""))), Kind.DIM),
            Cell(printable(str(row.said.get("request", ""))), Kind.DIM),
            Cell(printable(row.daemon), Kind.DIM),
        ),
    )
