"""How FPVTrackside's web server stands, in an enum for programs and in words that name the remedy for people.

unknown ─► up ◄─► no event ─┐       The server exists only while an event is open: once it has answered,
   │        ▲               │       a refused connection means that the event was closed.
   ├─► off ─┤◄──────────────┘
   ├─► localhost only ─┤
   └─► silent ─────────┘            Every state can follow every other, except unknown.
"""

from collections.abc import Callable
from enum import StrEnum

import structlog
from attrs import define, field

__all__ = ["OriginHealth", "OriginState"]

_log = structlog.stdlib.get_logger("pitlink.race")


class OriginState(StrEnum):
    """What the last answer, or its absence, says of FPVTrackside."""

    UNKNOWN = "unknown"  # not asked yet
    UP = "up"
    OFF = "off"
    NO_EVENT = "no event"
    LOCALHOST_ONLY = "localhost only"
    SILENT = "silent"


_WORDS = {
    OriginState.UNKNOWN: "FPVTrackside has not been asked yet",
    OriginState.UP: "FPVTrackside answers at {url}",
    OriginState.OFF: (
        "FPVTrackside's web server is off: nothing listens at {url}. Start FPVTrackside, open the event and "
        "choose 'Open Local Web page', or switch on 'Auto start HTTP Server' in its settings"
    ),
    OriginState.NO_EVENT: (
        "no event is open in FPVTrackside: its web server at {url} runs only while one is. Open the event"
    ),
    OriginState.LOCALHOST_ONLY: (
        "FPVTrackside answers only to localhost, not to {url}. On the race laptop itself use "
        "http://localhost:8080; from another machine run, as administrator of the laptop, "
        "netsh http add urlacl url=http://+:8080/ user=everyone, and start FPVTrackside again"
    ),
    OriginState.SILENT: (
        "FPVTrackside does not answer at {url}. Is the laptop on and in this network, its firewall open for "
        "that port, and FPVTrackside not hanging?"
    ),
}

Observer = Callable[[OriginState, str], None]


@define(eq=False)
class OriginHealth:
    """The state of one origin, moved by what happens to requests. `on_change(state, words)` must not wait."""

    url: str
    on_change: Observer | None = None
    state: OriginState = field(default=OriginState.UNKNOWN, init=False)
    _has_answered: bool = field(default=False, init=False)
    _is_event_missing: bool = field(default=False, init=False)  # said by a home page that names none

    @property
    def words(self) -> str:
        """The state in words, with what to do about it."""
        return _WORDS[self.state].format(url=self.url)

    def answered(self, names_event: bool | None = None) -> None:
        """It answered. `names_event`: whether that shows an open event, None when it says nothing of it."""
        self._has_answered = True
        if names_event is not None:
            self._is_event_missing = not names_event
        self._move(OriginState.NO_EVENT if self._is_event_missing else OriginState.UP)

    def refused(self) -> None:
        """Nobody listens there."""
        self._is_event_missing = False
        self._move(OriginState.NO_EVENT if self._has_answered else OriginState.OFF)

    def refused_hostname(self) -> None:
        """It knows itself by another name only."""
        self._move(OriginState.LOCALHOST_ONLY)

    def fell_silent(self) -> None:
        """No connection came about, or no answer in time, or none that was whole."""
        self._move(OriginState.SILENT)

    def _move(self, state: OriginState) -> None:
        if state is self.state:
            return
        before, self.state = self.state, state
        log = _log.info if state is OriginState.UP else _log.warning
        log("origin.changed", state=str(state), before=str(before), words=self.words)
        if self.on_change is not None:
            self.on_change(state, self.words)
