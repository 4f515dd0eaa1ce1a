"""Page 7: what an operator has to know, in the order safety, legality, reliability, performance."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.app.columns import Column
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.overview_rows import SEVERITY_KINDS
from tui.app.view import View
from tui.model import Alarm
from tui.model.words import age, printable

__all__ = ["AlarmsView"]


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
    can_tag = True
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
        key = self.table.chosen
        return None if key is None else (key[0], key[1])

    def choose(self, key: Key) -> None:
        self.post_message(self.Opened(key[0], key[1]))

    def target_of(self, key: Key) -> tuple[str, str] | None:
        return key[0], key[1]

    def action_acknowledge(self) -> None:
        """Say that they are known."""
        self._say("acknowledge", self.desk.model.acknowledge)

    def action_shelve(self) -> None:
        """Put them aside for a while."""
        self._say("shelve", lambda key: self.desk.model.shelve(key, self.desk.now()))

    def action_unshelve(self) -> None:
        """Take both back."""
        self._say("take back", self.desk.model.unshelve)

    def _say(self, what: str, say: Callable[[Key], None]) -> None:
        """Say something to those that are tagged, or to the one under the cursor; it can be undone."""
        if self.desk.replay is not None:
            self.desk.deeds.tell(self.desk.why_not)
            return
        keys = set(self.acted_upon)
        before = [alarm for alarm in self.desk.model.alarms if alarm.key in keys]
        if not before:
            return
        for alarm in before:
            say(alarm.key)
        which = before[0].words if len(before) == 1 else f"{len(before)} alarms"
        self.desk.deeds.did(printable(f"{what} {which}"), lambda: self._put_back(before))
        self.paint()

    def _put_back(self, before: list[Alarm]) -> None:
        model, now = self.desk.model, self.desk.now()
        for alarm in before:
            model.unshelve(alarm.key)
            if alarm.is_acknowledged:
                model.acknowledge(alarm.key)
            if alarm.shelved_until is not None and alarm.shelved_until > now:
                model.shelve(alarm.key, now, alarm.shelved_until - now)
        self.paint()


def _row(alarm: Alarm, now: float) -> Row:
    quiet, kind, glyph = "", SEVERITY_KINDS[alarm.severity], "!"
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
