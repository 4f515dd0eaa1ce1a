"""Page 7: what an operator has to know, in the order safety, legality, reliability, performance."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.app.columns import Column
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.view import View
from tui.model import Alarm, Severity
from tui.model.words import age, printable

__all__ = ["AlarmsView"]

_KINDS = {Severity.FAILING: Kind.BAD, Severity.DEGRADED: Kind.NOTICE, Severity.NOTICE: Kind.PLAIN}


class AlarmsView(View):
    """The alarms of all daemons. What is said to them here is this operator's own."""

    columns = (
        Column("", 1),
        Column("At stake", 11),
        Column("Severity", 8),
        Column("For", 7, right=True),
        Column("Where", 16),
        Column("What", 30, grows=True),
    )
    empty = "no alarms"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "acknowledge", id="alarm.acknowledge"),
        Binding("s", "shelve", "shelve for 10 minutes", id="alarm.shelve"),
        Binding("u", "unshelve", "take back what was said to it", id="alarm.unshelve"),
    ]

    def rows(self) -> list[Row]:
        now = self.desk.now()
        return [_row(alarm, now) for alarm in self.desk.model.alarms]

    def heading(self) -> str:
        return f"{len(self.desk.model.alarms)}"

    @property
    def target(self) -> tuple[str, str] | None:
        alarm = self._chosen()
        return None if alarm is None else (alarm.daemon, alarm.site)

    def choose(self, key: Key) -> None:
        self.post_message(self.Opened(key[0], key[1]))

    def action_acknowledge(self) -> None:
        """Say that it is known."""
        alarm = self._chosen()
        if alarm is not None:
            self.desk.model.acknowledge(alarm.key)
            self.paint()

    def action_shelve(self) -> None:
        """Put it aside for a while."""
        alarm = self._chosen()
        if alarm is not None:
            self.desk.model.shelve(alarm.key, self.desk.now())
            self.paint()

    def action_unshelve(self) -> None:
        """Take both back."""
        alarm = self._chosen()
        if alarm is not None:
            self.desk.model.unshelve(alarm.key)
            self.paint()

    def _chosen(self) -> Alarm | None:
        key = self.table.chosen
        return next((alarm for alarm in self.desk.model.alarms if alarm.key == key), None)


def _row(alarm: Alarm, now: float) -> Row:
    quiet, kind, glyph = "", _KINDS[alarm.severity], "!"
    if alarm.shelved_until is not None:
        quiet, kind, glyph = f"shelved for {age(alarm.shelved_until - now)}: ", Kind.DIM, "z"
    elif alarm.is_acknowledged:
        quiet, kind, glyph = "acknowledged: ", Kind.DIM, "✓"
    return Row(
        alarm.key,
        (
            Cell(glyph, kind),
            Cell(alarm.kind.name.lower(), kind),
            Cell(str(alarm.severity), kind),
            Cell(age(now - alarm.since)),
            Cell(printable(alarm.site or alarm.daemon)),
            Cell(quiet + printable(alarm.words), Kind.DIM if quiet else Kind.PLAIN),
        ),
    )
