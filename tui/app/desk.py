"""What the views share: the model, what to ask daemons with, and what the operator has them do."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field

from tui.app.deeds import Deed, Deeds
from tui.app.keynames import shown_key
from tui.app.later import Later
from tui.app.line import Line
from tui.app.markers import Markers
from tui.app.replay import REPLAY
from tui.model import Model

if TYPE_CHECKING:
    from tui.record import Player, Recorder

__all__ = ["Backend", "Desk"]


class Backend(Protocol):
    """What keeps the model: the Trio half."""

    @property
    def model(self) -> Model:
        """What is known."""

    async def run(self) -> None:
        """Keep the model until cancelled."""

    async def act(self, daemon: str, action: str, params: Mapping[str, Any]) -> Any:
        """Have a daemon do something. Raises AdminError and Unreachable."""

    def look_at_all(self, sites: Iterable[tuple[str, str]]) -> None:
        """Keep commands, dead letters and allowlists of these (daemon, site) up to date, until told otherwise."""

    def look_at_chaos(self, is_wanted: bool) -> None:
        """Keep faults and drills of all daemons up to date, until told otherwise."""

    def look_for(self, trace: str) -> None:
        """Search the logs of all daemons for the lines of a trace, once."""

    def place(self, daemon: str) -> str:
        """Return what --at takes for it; "" where it is found by itself."""


@define(eq=False)
class Desk:
    """One operator's desk. `is_frozen`: the picture stands still, while the model goes on.

    `recorder`: what writes down what is shown; `replay`: what plays it, in the place of daemons.
    """

    backend: Backend
    is_read_only: bool = False
    is_frozen: bool = False
    keys: Mapping[str, str] = field(factory=dict)
    deeds: Deeds = field(init=False)
    line: Line = field(factory=Line)
    markers: Markers = Markers.BRAILLE
    recorder: "Recorder | None" = None
    replay: "Player | None" = None
    _looked_at: frozenset[tuple[str, str]] = frozenset()
    _looks_at_chaos: bool = False
    _now: float = 0.0
    _clock: Callable[[], float] | None = None

    def __attrs_post_init__(self) -> None:
        self.deeds = Deeds(self._act)

    @property
    def model(self) -> Model:
        return self.backend.model

    def now(self) -> float:
        """Return the moment by the model's clock, Trio's or that of then; it stands still while Trio does not run."""
        if self.replay is not None:
            return self.replay.now()
        if self._clock is not None:
            try:
                self._now = self._clock()
            except RuntimeError:
                pass
        return self._now

    def version(self) -> tuple[int, ...]:
        """Return what moves when there is something new to paint; ages grow by whole seconds."""
        played = 0 if self.replay is None else self.replay.version
        return (self.model.version, self.deeds.version, self.line.meter.version, int(self.now()), played)

    @property
    def why_not(self) -> str:
        """Say why nothing can be done from here; "" when it can."""
        if self.replay is not None:
            return REPLAY
        return "read-only: nothing is changed from here" if self.is_read_only else ""

    def look_at(self, sites: Iterable[tuple[str, str]]) -> None:
        """Have what is only asked for when it is looked at kept up to date for these."""
        wanted = frozenset(sites)
        if wanted != self._looked_at:
            self._looked_at = wanted
            self.backend.look_at_all(wanted)

    def look_at_chaos(self, is_wanted: bool) -> None:
        """Have faults and drills kept up to date, or only while there are any."""
        if is_wanted != self._looks_at_chaos:
            self._looks_at_chaos = is_wanted
            self.backend.look_at_chaos(is_wanted)

    def look_for(self, trace: str) -> None:
        """Have the logs of all daemons searched for a trace."""
        self.backend.look_for(trace)

    def key(self, name: str, usual: str) -> str:
        """Return the key that does what is called so, for a hint: its usual one, or the operator's own."""
        return shown_key(self.keys, name, usual)

    def place_of(self, deed: Deed) -> str:
        """Return what --at takes for its daemon."""
        return self.backend.place(deed.daemon)

    def open(self) -> None:
        """Have what keeps the model made, if that was left for later. Raises what that raises."""
        if isinstance(self.backend, Later):
            self.backend = self.backend.made()
            self.backend.look_at_all(self._looked_at)
            self.backend.look_at_chaos(self._looks_at_chaos)

    async def _act(self, daemon: str, action: str, params: Mapping[str, Any]) -> Any:
        return await self.backend.act(daemon, action, params)

    async def run(self) -> None:
        """The Trio half: what keeps the model, and what does the deeds."""
        import trio

        self._clock = trio.current_time
        parts: tuple[Callable[[], Awaitable[None]], ...] = (self.backend.run, self.deeds.run)
        async with trio.open_nursery() as nursery:
            for part in parts:
                nursery.start_soon(part)
