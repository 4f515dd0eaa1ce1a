"""Views of several panes, of what a service of a daemon tells: one of them can be shown alone."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.widget import Widget

from tui.app.desk import Desk
from tui.app.looks import Cell, Kind
from tui.app.view import View
from tui.model import FeedState
from tui.model.words import age

__all__ = ["ServiceView", "coarse", "freshness"]

OLD_S = 5.0
SOON_S = 0.05

Shown = TypeVar("Shown")


class ServiceView(View, Generic[Shown]):
    """The base of pages that show one driver, house or team of all that daemons tell of. Its table is always a pane.

    `service`: what it shows, as the operator calls it; `of`: what it is one of.
    """

    service: ClassVar[str]
    of: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "expand", "this pane alone, or all of them", id="pane.expand"),
        Binding("tab", "next_pane", "the next pane", id="pane.next"),
        Binding("n", "next_shown", "the next driver, house or team", id="pane.other"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._key: tuple[str, str] | None = None
        self._alone: Widget | None = None
        self._had_any: bool | None = None

    def known(self) -> Mapping[tuple[str, str], Shown]:
        """Return all there are, by daemon and name."""
        raise NotImplementedError

    def words_when_empty(self) -> str:
        return f"no daemon here has {self.service}" if self.shown is None else f"no {self.of} yet"

    def panes(self) -> Sequence[Widget]:
        """Return what can be shown alone."""
        return [self.table]

    def around(self) -> Sequence[Widget]:
        """Return what is shown only beside all panes."""
        return []

    def is_whole(self) -> bool:
        """Are all panes there? Those within others come last."""
        try:
            return all(pane.is_mounted for pane in (*self.panes(), *self.around()))
        except NoMatches:
            return False

    def paint_shown(self, shown: Shown) -> None:
        """Show it in the panes that are not the table."""

    @property
    def key(self) -> tuple[str, str] | None:
        """The daemon and name of what is shown; None while there is none."""
        keys = list(self.known())
        if self._key not in keys:
            self._key = keys[0] if keys else None
        return self._key

    @property
    def shown(self) -> Shown | None:
        return None if self.key is None else self.known()[self.key]

    @property
    def target(self) -> tuple[str, str] | None:
        return None if self.key is None else (self.key[0], "")

    def heading(self) -> str:
        key, count = self.key, len(self.known())
        if key is None:
            return ""
        name = key[1] or key[0]
        return name if count == 1 else f"{name} (n: {count - 1} more)"

    def paint(self) -> None:
        """Show how it stands now, or that nobody tells of it."""
        if not self.is_whole():
            self.set_timer(SOON_S, self.paint)
            return
        shown = self.shown
        if self._had_any is not (shown is not None):
            self._had_any = shown is not None
            self._lay_out()
        if shown is not None:
            self.paint_shown(shown)
        super().paint()

    def on_resize(self) -> None:
        """What is drawn to fit is drawn anew."""
        self.paint()

    def action_expand(self) -> None:
        """Show the pane that has the keys alone, or all of them."""
        focused = self.screen.focused
        pane = next((pane for pane in self.panes() if pane is focused), self.table)
        self._alone = pane if self._alone is None else None
        self._lay_out()

    def action_next_pane(self) -> None:
        """Give the keys to the next pane, alone when this one is."""
        if not self._had_any:
            return
        panes = list(self.panes())
        at = next((at for at, pane in enumerate(panes) if pane is self.screen.focused), -1)
        following = panes[(at + 1) % len(panes)]
        if self._alone is not None:
            self._alone = following
            self._lay_out()
        following.focus()

    def action_next_shown(self) -> None:
        """Show another one."""
        keys = list(self.known())
        if self.key is not None:
            self._key = keys[(keys.index(self.key) + 1) % len(keys)]
            self.post_message(self.Turned())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs several means nothing where there is one."""
        if action in ("expand", "next_pane"):
            return len(self.panes()) > 1
        return action != "next_shown" or len(self.known()) > 1

    def _lay_out(self) -> None:
        alone = self._alone if self._had_any else self.table
        for pane in self.panes():
            pane.display = alone in (None, pane)
        for other in self.around():
            panes = [pane for pane in self.panes() if other in pane.ancestors]
            other.display = any(pane.display for pane in panes) if panes else alone is None
        if alone is not None and not alone.has_focus:
            alone.focus()
        self.call_after_refresh(self.paint)  # by then the panes have their sizes


def coarse(age_s: float | None) -> str:
    """Return an age that does not change all the time: by tens of seconds up to two minutes."""
    if age_s is None:
        return age(None)
    return "<10 s" if age_s < 10 else age(age_s if age_s >= 120 else age_s // 10 * 10)


def freshness(desk: Desk, daemon: str, age_s: float | None) -> Cell:
    """Return how old what is shown is, in words: whole seconds, so that a live picture does not change by it."""
    feed = desk.model.feeds.get(daemon)
    if feed is not None and feed.state is not FeedState.LIVE:
        return Cell(f"! {age(age_s)} old, {feed.state}", Kind.BAD)
    if age_s is None:
        return Cell("age not known", Kind.NOTICE)
    if age_s > OLD_S:
        return Cell(f"! {age(float(int(age_s)) if age_s < 10 else age_s)} old", Kind.NOTICE)
    return Cell("live" if age_s < 1 else f"{int(age_s)} s old", Kind.GOOD if age_s < 1 else Kind.PLAIN)
