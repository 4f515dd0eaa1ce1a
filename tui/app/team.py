"""Page 6: a team: who drives when, the handing over of the car, and what is said."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.widget import Widget

from tui.app.columns import Column
from tui.app.linetable import LineTable
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.oneline import OneLine
from tui.app.panes import ServiceView, freshness
from tui.app.stints import COLUMNS as STINT_COLUMNS
from tui.app.stints import FIXED, stint_rows
from tui.model.moments import clock
from tui.model.team import Handoff, MessageRow, Priority, TeamView
from tui.model.words import age, printable

__all__ = ["TeamPage"]

SIGNS = {
    Priority.URGENT: ("!!", Kind.BAD),
    Priority.HIGH: ("!", Kind.NOTICE),
    Priority.NORMAL: ("", Kind.PLAIN),
    Priority.LOW: ("", Kind.DIM),
}


class TeamPage(ServiceView[TeamView]):
    """One team. The newest message is the last, and the cursor at the end follows it."""

    DEFAULT_CSS = """
    TeamPage #stints { height: auto; max-height: 40%; }
    """
    columns = (
        Column("At", 5),
        Column("", 2),
        Column("From", 10),
        Column("Message", 20, grows=True),
        Column("", 3, 3),
    )
    service = "team"
    of = "messages"

    def compose(self) -> ComposeResult:
        yield OneLine("handoff")
        yield OneLine("steps")
        yield Stints(STINT_COLUMNS)
        yield LineTable(self.columns, follows=True)

    @property
    def table(self) -> LineTable:
        return self.query(LineTable).exclude("#stints").first()

    def known(self) -> Mapping[tuple[str, str], TeamView]:
        return self.desk.model.services.team

    def panes(self) -> Sequence[Widget]:
        return [self.table, self.query_one(Stints)]

    def around(self) -> Sequence[Widget]:
        return [self.query_one("#handoff"), self.query_one("#steps")]

    def rows(self) -> list[Row]:
        shown = self.shown
        if shown is None:
            return []
        return [_message(one, shown.offset_s) for one in sorted(shown.messages, key=lambda one: one.at_utc)]

    def paint_shown(self, shown: TeamView) -> None:
        now, stints = self.desk.now(), self.query_one(Stints)
        stints.fit(stint_rows(shown, now, max(0, self.size.width - FIXED)))
        fresh = freshness(self.desk, shown.daemon, now - shown.at)
        self.query_one("#handoff", OneLine).say(_handoff(shown.handoff, shown.utc(now)), fresh)
        self.query_one("#steps", OneLine).say(_steps(shown.handoff))

    def choose(self, key: Key) -> None:
        shown = self.shown
        one = next((one for one in shown.messages if (one.id,) == key), None) if shown else None
        if shown is not None and one is not None:
            title = f"{one.sender} at {clock(one.at_utc, shown.offset_s)}, {one.priority}"
            self.post_message(
                self.Read(printable(title), [printable(line) for line in one.words.splitlines()])
            )


class Stints(LineTable):
    """The drivers, as high as there are of them."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns, empty="no stints are known")
        self.id = "stints"

    def fit(self, rows: Sequence[Row]) -> None:
        """Show these rows, in as many lines as they need."""
        if self.styles.height is None or self.styles.height.value != len(rows) + 1:
            self.styles.height = max(3, len(rows) + 1)
        self.show(rows)


def _message(one: MessageRow, offset_s: float) -> Row:
    sign, kind = SIGNS[one.priority]
    return Row(
        (one.id,),
        (
            Cell(clock(one.at_utc, offset_s), Kind.DIM),
            Cell(sign, kind),
            Cell(printable(one.sender)),
            Cell(printable(one.words), kind),
            Cell("" if one.is_read else "new", Kind.STRONG),
        ),
    )


def _handoff(handoff: Handoff | None, utc: float | None) -> list[Cell]:
    if handoff is None:
        return [Cell("no handing over is asked for", Kind.DIM)]
    urgent = "!! " if handoff.is_urgent else ""
    words = f"{urgent}handing over from {handoff.sender} to {handoff.to}: {handoff.status}"
    since = None if utc is None or handoff.asked_utc is None else max(0.0, utc - handoff.asked_utc)
    asked = "" if since is None else f", asked {age(float(int(since)))} ago"
    kind = Kind.BAD if handoff.is_urgent or handoff.status == "rejected" else Kind.STRONG
    return [Cell(printable(words), kind), Cell(printable(f"{handoff.reason}{asked}".removeprefix(", ")))]


def _steps(handoff: Handoff | None) -> list[Cell]:
    steps = () if handoff is None else handoff.steps
    return [
        Cell(
            printable(f"{'✓' if step.is_done else '○'} {step.name}"),
            Kind.GOOD if step.is_done else Kind.NOTICE,
        )
        for step in steps
    ]
