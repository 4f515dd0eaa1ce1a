"""The App: which page is shown, what its keys mean everywhere, when it is painted, and how it ends."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segments
from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.timer import Timer

from daemons.ops.errors import ConfigError, RefusedToStart
from tui.app.desk import Desk
from tui.app.guest import Guest
from tui.app.hangup import HUNG_UP, is_gone
from tui.app.history import History, Place
from tui.app.keys import KeyLine
from tui.app.line import USUAL_HZ
from tui.app.lists import Listing
from tui.app.log import LogView
from tui.app.markers import AsciiOnly, Markers
from tui.app.page import Page
from tui.app.pages import CHAOS, HOME, LOG, PAGES, SITE, TRACE, page_named
from tui.app.painter import Painter, waiting_writes
from tui.app.replay import OFFERS, REPLAY_BINDINGS, press, speak
from tui.app.site import SiteView
from tui.app.takeaway import Takeaway
from tui.app.trace import TraceView
from tui.app.view import View
from tui.model.words import printable

if TYPE_CHECKING:
    from tui.app.asking import Asking

__all__ = ["OperatorApp"]

TICK_S = 1 / USUAL_HZ
HINT_S = 15.0
GIVE_UP_S = 3.0
ENDED_BY = {
    signal.SIGINT: 0,
    signal.SIGTERM: 143,
    **({signal.SIGHUP: HUNG_UP} if hasattr(signal, "SIGHUP") else {}),
}


class OperatorApp(App[int]):
    """The operator's terminal. `last_screen`: the lines that were on it when it was left by `Q`; `refused`: why it ended
    before it began."""

    ENABLE_COMMAND_PALETTE = False
    INLINE_PADDING = 0
    CSS = "ModalScreen { background: transparent; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(page.key, f"go('{page.name}')", page.words, id=f"go.{page.name}")
            for page in PAGES
            if page.key
        ),
        Binding("colon", "speak", "go to or do, by name", id="app.speak", key_display=":"),
        Binding("slash", "filter", "filter (/! leaves out what matches)", id="app.filter", key_display="/"),
        Binding("c", "controls", "what can be done here", id="app.controls"),
        Binding("z", "undo", "undo what was done last", id="app.undo"),
        Binding("y", "copy", "copy the row, or those tagged", id="app.copy"),
        Binding("w", "save", "save the page to a file", id="app.save"),
        Binding("W", "save(True)", "save it as lines of JSON", id="app.savejson"),
        Binding("e", "expand", "the row in all its columns", id="app.expand"),
        Binding("escape", "out", "out", id="app.out"),
        Binding("minus", "last", "the last page", id="app.last", key_display="-"),
        Binding("left_square_bracket", "history(-1)", "back in history", id="app.back", key_display="["),
        Binding("right_square_bracket", "history(1)", "on in history", id="app.on", key_display="]"),
        Binding("f", "freeze", "freeze the picture, or go on", id="app.freeze"),
        Binding("plus", "rate(1)", "paint more often", id="app.faster", key_display="+"),
        Binding("underscore", "rate(-1)", "paint less often", id="app.slower", key_display="_"),
        Binding("question_mark", "keys", "these keys", id="app.keys", key_display="?"),
        Binding("ctrl+l", "redraw", "draw the screen anew", id="app.redraw"),
        *REPLAY_BINDINGS,
        Binding("q,ctrl+c", "leave", "quit", id="app.quit"),
        Binding("Q", "leave(True)", "quit, and leave the screen", id="app.quitleave"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(ansi_color=True)  # from the beginning: else NO_COLOR would be greys
        self.theme = "ansi-dark"  # the terminal's own 16 colours and background, light or dark
        self.animation_level = "none"
        self.desk = desk
        self.guest = Guest(desk.run)
        self.painter = Painter(desk.version, lambda: waiting_writes(self._driver))
        self.keys = KeyLine(self, super().on_event)
        self.takeaway = Takeaway(self._write_past, self._tell)
        self.last_screen: list[str] = []
        self.refused: ConfigError | RefusedToStart | None = None
        self._pages: dict[str, Page] = {}
        self._history = History((HOME, "", ""))
        self._is_recording_over = False
        self._ticks: Timer | None = None
        self._paced_hz = USUAL_HZ
        if desk.markers is Markers.ASCII:
            self._filters.append(AsciiOnly())

    def get_driver_class(self) -> type[Driver]:
        """Return what sends only what changes on the screen, where that runs and no other is asked for."""
        if sys.platform == "win32" or os.environ.get("TEXTUAL_DRIVER"):
            return super().get_driver_class()
        from tui.app.driver import CellDriver

        return CellDriver

    def get_default_screen(self) -> Page:
        """Return what lies under all else: an empty screen of Textual's own would be laid out and painted before it."""
        return self._page_called(HOME)

    async def on_mount(self) -> None:
        """Begin: the keys, the pages, the Trio half beside, the painter's ticks, and what ends it from outside."""
        self.set_keymap(self.desk.keys)
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number, code in ENDED_BY.items():
                try:
                    loop.add_signal_handler(number, self._end_soon, code)
                except NotImplementedError:  # Windows
                    pass
        self.run_worker(self.keys.run(), name="keys")
        self.call_after_refresh(self._begin)
        self._ticks = self.set_interval(TICK_S, self.tick)
        self.set_timer(HINT_S, self._end_hint)

    async def on_event(self, event: events.Event) -> None:
        """Keys get in line."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self.keys.add(event)
        else:
            await super().on_event(event)

    async def on_unmount(self) -> None:
        """The Trio half ends before the loop does."""
        await self.guest.stop()

    def tick(self) -> None:
        """Paint, if there is news and the terminal keeps up; end when the terminal is gone."""
        if not self.is_running:
            return  # it ends, and its widgets go one by one
        if not self.is_headless and is_gone(sys.__stdin__):
            if self._ticks is not None:
                self._ticks.stop()
            self._end_soon(HUNG_UP)
            return
        written = getattr(self._driver, "written", None)
        if written is not None:
            self.desk.line.meter.told(written, time.monotonic())
        recorder = self.desk.recorder
        if recorder is not None and recorder.failed and not self._is_recording_over:
            self._is_recording_over = True
            self.desk.deeds.tell(recorder.failed_words)
        if self.painter.due():
            self._paint()

    # --- what the views want -----------------------------------------------------------------------------------

    def on_view_opened(self, event: View.Opened) -> None:
        """Enter on a site or a daemon."""
        self._visit((SITE, event.daemon, event.site))

    def on_view_traced(self, event: View.Traced) -> None:
        """Enter on a line of a wish."""
        self._visit((TRACE, "", event.trace))

    def on_view_sought(self, event: View.Sought) -> None:
        """The log of a site is wanted."""
        log = self._page_called(LOG).view
        assert isinstance(log, LogView)
        log.point(event.site)
        self._visit((LOG, "", ""))

    def on_view_read(self, event: View.Read) -> None:
        """Enter on something long."""
        self.push_screen(Listing(event.title, [(line, "") for line in event.lines], first=0))

    def on_view_asked(self, event: View.Asked) -> None:
        """A control on a view."""
        self.asking.confirm(event.questions, event.what)

    def on_view_begun(self, event: View.Begun) -> None:
        """A control on a view that asks for something first."""
        if self.desk.why_not:
            self._tell(self.desk.why_not)
        else:
            self.asking.begin(event.wanted)

    def on_view_told(self, event: View.Told) -> None:
        """Why something on a view does not go."""
        self._tell(event.words)

    # --- keys: what they open is imported with the first of them, not for the first picture --------------------------

    @cached_property
    def asking(self) -> "Asking":
        """How a deed comes about."""
        from tui.app.asking import Asking

        return Asking(self, self.desk, self._tell)

    def action_go(self, name: str) -> None:
        """Go to a page."""
        self._visit((name, "", ""))

    def action_speak(self) -> None:
        """`:`"""
        from tui.app.prompt import Prompt
        from tui.app.spoken import offers

        page = self._page()
        if page is None:
            return
        targets = page.view.targets
        words = offers(self.desk.model, self.asking.here(targets))
        if self.desk.replay is not None:
            words += OFFERS
        self.push_screen(Prompt(":", offers=words), lambda text: self._spoken(text, targets))

    def action_filter(self) -> None:
        """`/`"""
        from tui.app.prompt import Prompt

        page = self._page()
        if page is None:
            return

        def typed(text: str | None) -> None:
            if text is not None:
                page.view.filter = type(page.view.filter)(text)
                page.paint()

        self.push_screen(Prompt("/", page.view.filter.text), typed)

    def action_controls(self) -> None:
        """What can be done to what is under the cursor."""
        page = self._page()
        if page is not None:
            self.asking.choose(page.view.targets)

    def action_undo(self) -> None:
        """`z`"""
        if self._page() is not None:
            self.asking.undo()

    def action_outcomes(self) -> None:
        """What came of each deed, the newest first."""
        signs = {None: "...", True: "done", False: "not done"}
        outcomes = [(signs[one.is_good], one.words) for one in reversed(self.desk.deeds.outcomes)]
        rows = outcomes or [("", "nothing was done from here yet")]
        self.push_screen(Listing("What came of what was done (Esc)", rows, first=9))

    def action_copy(self) -> None:
        """`y`"""
        self.takeaway.copy(self.screen)

    def action_save(self, as_json: bool = False) -> None:
        """`w` and `W`"""
        page = self._page()
        if self.desk.is_read_only:  # behind a forced command it is not their machine
            self._tell("read-only: nothing is written here")
        elif page is not None:
            self.takeaway.save(self._history.here[0], page.view, as_json=as_json)

    def action_expand(self) -> None:
        """`e`"""
        page = self._page()
        row = None if page is None else page.view.under_cursor
        if page is not None and row is not None:
            told = page.view.record(row).items()
            self.push_screen(Listing("Row (Esc)", [(name, printable(str(value))) for name, value in told]))

    def action_out(self) -> None:
        """Esc: the tags go, then the filter, then the site, then to the overview."""
        page = self._page()
        if page is None:
            return
        if page.view.clear_tags():
            page.say()
        elif page.view.widen():
            page.paint()
        elif self._history.here[0] in (SITE, TRACE) and self._history.has_back:
            self.action_history(-1)
        else:
            self._visit((HOME, "", ""))

    def action_last(self) -> None:
        """`-`: to where one was before, and back again."""
        if self._history.before is not None:
            self._visit(self._history.before)

    def action_history(self, by: int) -> None:
        """`[` and `]`."""
        if self._page() is not None and self._history.move(by):
            self._show(self._history.here)

    def action_freeze(self) -> None:
        """The picture stands still; the model goes on."""
        self.desk.is_frozen = not self.desk.is_frozen
        self.painter.again()
        self.tick()

    def action_rate(self, by: int) -> None:
        """`+` and `_`: paint more often, or less."""
        self.desk.line.turn(by)
        self._pace()
        self._tell(f"painted {self.desk.line.hz:.0f} times a second at most")

    def action_replay(self, what: str, by: float = 0.0) -> None:
        """The keys of a replay."""
        if self.desk.replay is not None:
            press(self.desk.replay, what, by)
            self.tick()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of a replay mean nothing elsewhere."""
        return action != "replay" or self.desk.replay is not None

    def action_keys(self) -> None:
        """The keys that mean something here."""
        keys: dict[str, list[str]] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.id and active.enabled:  # Textual's own have none
                shown = self.get_key_display(active.binding)
                keys.setdefault(active.binding.description, []).append(shown)
        rows = [(" ".join(names), words) for words, names in reversed(keys.items())]
        self.push_screen(Listing("Keys here (Esc)", rows))

    def action_redraw(self) -> None:
        """Ctrl-L."""
        self.painter.again()
        self.screen.refresh(layout=True)
        if not self.is_headless:
            getattr(self._driver, "draw_anew", lambda: None)()

    def action_leave(self, leaves_screen: bool = False) -> None:
        """`q` and `Q`."""
        if leaves_screen:
            strips = self.screen._compositor.render_strips()  # as Textual's own screenshots do
            self.last_screen = [strip.text.rstrip() for strip in strips]
        self._end(0)

    # --- underneath --------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """The first picture stands: begin with what fills it."""
        gc.enable()  # off while everything was imported
        self.run_worker(self._serve(), name="daemons")

    async def _serve(self) -> None:
        """Run the Trio half; what ends it in error ends the app, with its traceback."""
        try:
            self.desk.open()
        except (ConfigError, RefusedToStart) as exc:
            self.refused = exc
            self._end(1)
            return
        self.guest.start()
        await self.guest.wait()

    def _fatal_error(self) -> None:
        """A crash is told with its traceback, but without the values in it: a token may be among them."""
        from rich.traceback import Traceback  # all of pygments comes with it

        self._exit_renderables.append(Segments(self.console.render(Traceback(show_locals=False))))
        self._close_messages_no_wait()

    def _end_soon(self, code: int) -> None:
        """A signal. A terminal that is gone, or takes nothing more, would hold up the end: then there is none to restore."""
        last = threading.Timer(GIVE_UP_S, os._exit, [code])
        last.daemon = True
        last.start()
        self._end(code)

    def _end(self, code: int) -> None:
        self.exit(code, return_code=code)

    def _end_hint(self) -> None:
        self.desk.line.hint = ""
        self.painter.again()

    def _paint(self) -> None:
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Page):
                if screen.is_mounted:
                    screen.say() if self.desk.is_frozen else screen.paint()
                break  # nothing under it is seen
            if screen.is_mounted:
                from tui.app.confirm import Confirm

                if isinstance(screen, Confirm):
                    screen.paint()

    def _pace(self) -> None:
        """Tick as often as the page that is shown is painted."""
        hz = self.desk.line.hz_for(self._page_called(self._history.here[0]).view.hz)
        if hz != self._paced_hz and self._ticks is not None:
            self._ticks.stop()
            self._paced_hz = hz
            self._ticks = self.set_interval(TICK_S if hz == USUAL_HZ else 1 / hz, self.tick)

    def _page(self) -> Page | None:
        """The page that is shown, when nothing lies over it."""
        return self.screen if isinstance(self.screen, Page) else None

    def _page_called(self, name: str) -> Page:
        """Return a page, made when it is first wanted."""
        if name not in self._pages:
            kind = next(kind for kind in PAGES if kind.name == name)
            self._pages[name] = Page(self.desk, kind.words, kind.view(self.desk))
            self.install_screen(self._pages[name], name)
        return self._pages[name]

    def _visit(self, place: Place) -> None:
        if self._page() is None:
            return
        self._history.visit(place)
        self._show(place)

    def _show(self, place: Place) -> None:
        name, daemon, site = place
        page = self._page_called(name)
        self._pace()
        if isinstance(page.view, SiteView):
            page.view.point(daemon, site)
        elif isinstance(page.view, TraceView):
            page.view.point(site)
        if self.screen is page:
            page.on_screen_resume()
        elif name == HOME:
            self.pop_screen()
        elif len(self.screen_stack) == 1:
            self.push_screen(name)
        else:
            self.switch_screen(name)

    def _spoken(self, text: str | None, targets: list[tuple[str, str]]) -> None:
        if not text:
            return
        if self.desk.replay is not None and (why_not := speak(self.desk.replay, text)) is not None:
            if why_not:
                self._tell(why_not)
            return
        from tui.app.spoken import understand

        meant = understand(text, self.desk.model, self.asking.known(targets))
        match meant.kind:
            case "page":
                found = page_named(meant.words)
                if found is not None:
                    self._page_called(found.name).view.called(meant.words)
                    self._visit((found.name, "", ""))
            case "site":
                self._visit((SITE, meant.daemon, meant.site))
            case "drill" if self.desk.why_not:
                self._tell(self.desk.why_not)
            case "drill":
                self._visit((CHAOS, "", ""))
                self._page_called(CHAOS).view.called(text)
            case "control" if meant.control is not None:
                self.asking.begin(meant.control, meant.words)
            case "app":
                do: dict[str, Callable[[], None]] = {
                    "quit": self.action_leave, "help": self.action_keys, "freeze": self.action_freeze,
                    "undo": self.action_undo, "outcomes": self.action_outcomes,
                }  # fmt: skip
                do[meant.words]()
            case _:
                self._tell(meant.words)

    def _write_past(self, data: str) -> None:
        if self._driver is not None:
            self._driver.write(data)

    def _tell(self, words: str, is_good: bool = False) -> None:
        self.desk.deeds.tell(words, is_good=is_good)
        self.tick()
