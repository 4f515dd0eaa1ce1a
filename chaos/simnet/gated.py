"""A connection of the simulated network that faults can meet: its beginning at the door, its gates, its end."""

import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chaos.faults import CaptivePortal, Ignore, Refuse, Stream
from chaos.model.belt import Timer
from chaos.model.carried import Carried, InForce
from chaos.model.portal import PORTAL, PORTAL_S

from .endpoint import Endpoint
from .gate import Gate
from .link import SAME_INSTANT_S
from .pipe import Pipe
from .timeline import Timeline

if TYPE_CHECKING:
    from .carrier import PathFaults


class SimTimer(Timer):
    """Calls back in virtual time."""

    slack_s = SAME_INSTANT_S

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def at(self, when: float, do: Callable[[float], None]) -> None:
        self._timeline.at(when, lambda: do(self._timeline.now()))


class _State(enum.Enum):
    DOOR = enum.auto()
    """The client is connected, the server has heard nothing yet."""
    PORTAL = enum.auto()
    """Somebody else answers."""
    OPEN = enum.auto()
    OVER = enum.auto()


class GatedConnection(Carried):
    """A connection that faults can meet; it has gates from when the first does."""

    def __init__(
        self,
        faults: "PathFaults",
        number: int,
        client: Endpoint,
        server: Endpoint,
        there: Pipe,
        *,
        is_new: bool,
    ) -> None:
        super().__init__(number, faults.draws, faults.timer, faults.counts)
        self.client = client
        self.server = server
        self.ident = there.ident
        self._faults = faults
        self._there = there
        self._gates: tuple[Gate, ...] = ()
        self._state = _State.DOOR if is_new else _State.OPEN
        self._is_ignored: bool | None = None  # None: it has not been at the door yet
        self._ended = 0

    @property
    def belts(self) -> Sequence["Gate"]:
        return self._gates if self._state is _State.OPEN else ()

    @property
    def is_over(self) -> bool:
        return self._state is _State.OVER or self.ident not in self.client.host.network.connections

    @property
    def is_open(self) -> bool:
        """Whether bytes may pass."""
        return self._state is _State.OPEN

    def adopt(self, faults: InForce) -> None:
        if faults.placed and not self._gates:
            self._lay()
        super().adopt(faults)
        if self._state is _State.DOOR:
            self._knock()

    def _lay(self) -> None:
        up = Gate(Stream.UPSTREAM, self, self._faults, self.client, self._there)
        down = Gate(Stream.DOWNSTREAM, self, self._faults, self.server, self.client.inbound)
        up.twin, down.twin = down, up
        self._there.twin, self.client.inbound.twin = down, up
        self.client.outbound, self.server.outbound = up, down
        self._gates = (up, down)

    # --- its beginning -------------------------------------------------------------------------------------------

    def _knock(self) -> None:
        """Let the server hear of it, unless a fault is at the door."""
        if self._is_ignored is None:
            if self.has(Refuse) or self._faults.is_out(self, "reset", "close"):
                self._counts.refused += 1
                self.abort()
                return
            if self.has(CaptivePortal):
                self._state = _State.PORTAL
                now = self.client.host.network.timeline.now()
                self._timer.at(now + PORTAL_S, lambda _: self.close())
                return
        if self.has(Ignore):
            self._is_ignored = True
        elif self._is_ignored:
            self.abort()
        elif self._faults.hangs(self):
            self._is_ignored = False
        else:
            self._state = _State.OPEN
            self._there.send_open()
            self._faults.meet(self)

    def on_request(self, gate: "Gate") -> bool:
        """The client speaks; return whether it is answered by a portal, and what it says goes nowhere."""
        if self._state is not _State.PORTAL:
            return False
        assert isinstance(gate.twin, Gate)
        gate.twin.pipe.accept(memoryview(PORTAL))
        self.close()
        return True

    # --- its end -------------------------------------------------------------------------------------------------

    def on_end(self, gate: "Gate") -> None:
        """The end of one direction has passed."""
        gate.pipe.finish()
        self._ended += 1
        if self._ended == 2:
            self._state = _State.OVER

    def abort(self) -> None:
        was_heard_of = self.is_open
        if self._leave():
            self._counts.resets += 1
            for end in (self.client, self.server):
                end.inbound.vanish()
            self.server.closed = self.server.closed or not was_heard_of
            self.client.on_reset()
            self.server.on_reset()

    def close(self) -> None:
        was_heard_of = self.is_open
        if self._leave():
            self.server.closed = self.server.closed or not was_heard_of
            for end in (self.client, self.server) if was_heard_of else (self.client,):
                end.inbound.finish()
                end.orphan()

    def _leave(self) -> bool:
        if self.is_over:
            return False
        self._state = _State.OVER
        for gate in self._gates:
            gate.drop_unsent()
        return True
