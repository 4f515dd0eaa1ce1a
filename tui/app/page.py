"""A page: a view between a title and a line that says what just happened."""

from textual.app import ComposeResult
from textual.screen import Screen

from tui.app.desk import Desk
from tui.app.looks import Cell, Kind
from tui.app.oneline import OneLine
from tui.app.replay import position_cell, title_cell
from tui.app.view import View
from tui.model import FeedState
from tui.model.chaos_words import chaos_words
from tui.model.words import counted, feed_words, printable

__all__ = ["Page"]

HINTS = (("app.keys", "?", "keys"), ("app.speak", ":", "go"), ("app.controls", "c", "do"))


class Page(Screen[None]):
    """The frame around a view. `words`: the page's name."""

    DEFAULT_CSS = "Page { layout: vertical; }"

    def __init__(self, desk: Desk, words: str, view: View) -> None:
        super().__init__()
        self.desk = desk
        self.words = words
        self.view = view

    def copied(self) -> tuple[str, str]:
        """Return what is copied from here: in words, and as text."""
        return self.view.copied()

    def compose(self) -> ComposeResult:
        yield OneLine("title", is_bar=True)
        yield self.view
        yield OneLine("status")

    def on_mount(self) -> None:
        """The table has the keys."""
        self.view.table.focus()
        self.paint()

    def on_screen_resume(self) -> None:
        """Show what came meanwhile, and have what this view needs kept up to date."""
        self.desk.look_at(self.view.looks_at())
        self.desk.look_at_chaos(self.view.looks_at_chaos)
        if self.is_mounted:
            self.paint()

    def on_screen_suspend(self) -> None:
        """Something else is shown."""
        self.view.left()

    def paint(self) -> None:
        """Show how everything stands now."""
        self.view.paint()
        self.say()

    def say(self) -> None:
        """Say in title and status how things stand, and leave the view as it is."""
        self.query_one("#title", OneLine).say(*self._title())
        self.query_one("#status", OneLine).say(
            self._status(), Cell(f"{self.desk.line.words}  {self._hint()}".strip(), Kind.DIM)
        )

    def _hint(self) -> str:
        return "  ".join(f"{self.desk.key(name, usual)} {words}" for name, usual, words in HINTS)

    def _title(self) -> tuple[list[Cell], Cell]:
        model = self.desk.model
        left = [Cell("pitlink", Kind.STRONG), Cell(self.words, Kind.STRONG), Cell(self.view.heading())]
        left.insert(1, self._production())
        left.append(Cell(self.view.tags_words(), Kind.STRONG))
        loud = [alarm for alarm in model.alarms if not alarm.is_quiet]
        if loud:
            left.append(Cell(f"! {counted(len(loud), 'alarm')}"))
        if chaos := chaos_words(model, self.desk.now()):
            left.append(Cell(printable(chaos), Kind.BAD))
        if self.desk.recorder is not None and not self.desk.recorder.failed:
            left.append(Cell("REC", Kind.STRONG))
        if self.desk.is_read_only:
            left.append(Cell("READ-ONLY", Kind.STRONG))
        if self.desk.is_frozen:
            return left, Cell(f"FROZEN ({self.desk.key('app.freeze', 'f')} goes on)", Kind.STRONG)
        return left, self._feed() if self.desk.replay is None else title_cell(self.desk.replay)

    def _production(self) -> Cell:
        """Return in words that this is no rehearsal, where a daemon's config says so."""
        is_production = any(view.is_production for view in self.desk.model.daemons.values())
        return Cell("! PRODUCTION", Kind.BAD) if is_production else Cell()

    def on_view_turned(self) -> None:
        """Title and view are of something else now."""
        self.paint()

    def on_line_table_tagged(self) -> None:
        """The title counts what is tagged."""
        self.say()

    def _feed(self) -> Cell:
        """Return how it is with the connections: what is worst, in words."""
        model = self.desk.model
        away = [name for name, feed in model.feeds.items() if feed.state is not FeedState.LIVE]
        if not away:
            return Cell("live")
        if len(away) == 1 and len(model.feeds) == 1:
            return Cell(str(model.feeds[away[0]].state), Kind.STRONG)
        return Cell(f"{len(away)} of {len(model.feeds)} daemons not reached", Kind.STRONG)

    def _status(self) -> list[Cell]:
        cells = []
        if self.view.filter.is_set:
            cells.append(Cell(f"/{self.view.filter.text}", Kind.STRONG))
        if self.desk.replay is not None:
            cells.append(position_cell(self.desk.replay))
        last = self.desk.deeds.last
        if last is not None:
            kind = {None: Kind.STRONG, True: Kind.GOOD, False: Kind.BAD}[last.is_good]
            return [*cells, Cell(last.words, kind)]
        model, now = self.desk.model, self.desk.now()
        for name in model.feeds:
            words = feed_words(model, name, now)
            if words:
                return [*cells, Cell(printable(f"{name}: {words}"), Kind.NOTICE)]
        return [*cells, Cell(self.desk.line.hint, Kind.NOTICE)] if self.desk.line.hint else cells
