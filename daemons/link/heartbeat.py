"""A connection's heartbeat: is the peer there, does what we write get out, how far is the peer, what is its clock.

Both ends ping when nothing else shows that the other is there. The answers carry the far end's clock.
"""

import math
from collections import deque
from collections.abc import Callable

import trio

from daemons.link.sources import Pull
from daemons.link.transport import TransportClosed
from daemons.ops.environment import Environment
from protocol.clockoffset import ClockOffset
from protocol.codec import encode_frame
from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import Hello, Ping, Pong
from protocol.lanes import Lane, Scheduler
from protocol.liveness import Dead, Liveness, SendPing

__all__ = ["Heartbeat"]

WRITE_S = 30.0
"""A single message that does not get into the socket for this long ends the connection."""

_PONGS_MAX = 16
"""A peer that pings faster than it reads is answered to its last pings only."""


class Heartbeat:
    """Of one connection. `unacknowledged()`: is anything on its way that the peer must answer?

    `opened_at`: before their hello can have been composed. `run` must be running.
    """

    def __init__(
        self,
        environment: Environment,
        scheduler: Scheduler,
        theirs: Hello,
        opened_at: float,
        unacknowledged: Callable[[], bool],
        quiet_s: float = 0.0,
    ) -> None:
        now = trio.current_time()
        self.liveness = Liveness(now, quiet_s)
        self.clock = ClockOffset()
        self._environment = environment
        self._theirs = theirs
        self._opened_at = opened_at
        self._started_at = now
        self._unacknowledged = unacknowledged
        self._alive: trio.Event | None = None  # what a probe waits for
        self._pongs: deque[tuple[int, int]] = deque(maxlen=_PONGS_MAX)
        self._ping_id = 0  # waits for the writer; 0: none
        self._written_by = math.inf  # what is being written must be in the socket then
        # Its deadline is moved while it waits: cheaper than to wake it for a look at the clock.
        self._scope = trio.CancelScope()
        self._ping_handle = scheduler.register(Lane.CONTROL, Pull(self._pull_ping))
        self._pong_handle = scheduler.register(Lane.CONTROL, Pull(self._pull_pong))

    async def run(self) -> None:
        """Ask the peer when it is silent. Raises RemoteProtocolError when it does not answer, TransportClosed when
        nothing can be written.
        """
        liveness = self.liveness
        while True:
            now = trio.current_time()
            if now >= self._written_by:
                raise TransportClosed(1006, f"nothing could be written for {WRITE_S:.0f} s")
            liveness.sent_unacknowledged(self._unacknowledged(), now)
            match liveness.tick(now):
                case SendPing(id=id_):
                    self._ping_id = id_
                    self._ping_handle.wake()
                case Dead(words=words):
                    raise RemoteProtocolError(words, CloseCode.PEER_SILENT)
            with trio.move_on_at(self._next_at()) as self._scope:
                await trio.sleep_forever()

    async def wait_received(self) -> None:
        """Wait until anything comes."""
        if self._alive is None:
            self._alive = trio.Event()
        await self._alive.wait()

    # --- what the reader and the writer tell ----------------------------------------------------------------------

    def received(self, now: float) -> bool:
        """Note that a message has come; return whether it ends a silence of a peer that owed an answer."""
        if self._alive is not None:
            self._alive.set()
            self._alive = None
        return self.liveness.received(now)

    def taken(self, now: float) -> None:
        """Note that what came has been acted upon: perhaps nothing waits for an answer any more."""
        if self.liveness.is_unacknowledged and not self._unacknowledged():
            self.liveness.sent_unacknowledged(False, now)
            self._scope.deadline = self._next_at()

    def writing(self, now: float, *, asks: bool) -> None:
        """Note that a message begins to be written. `asks`: it holds more than the control lane's frames."""
        if asks and self.liveness.sent_unacknowledged(self._unacknowledged(), now):
            self._scope.deadline = self._next_at()  # it has to look earlier than it meant to
        self._written_by = now + WRITE_S

    def written(self) -> None:
        """Note that it is in the socket."""
        self._written_by = math.inf

    def _next_at(self) -> float:
        # Pings are 20 s apart at most, so a write that begins meanwhile is looked at in time.
        return min(self.liveness.wake_at(), self._written_by)

    # --- pings ---------------------------------------------------------------------------------------------------

    def on_ping(self, frame: Ping) -> None:
        """Answer it, with the last of them if many come."""
        self._pongs.append((frame.id, int(trio.current_time() * 1e6)))
        self._pong_handle.wake()

    def on_pong(self, frame: Pong) -> None:
        """Take an answer to one of ours; id 0 was a probe's, which needs no bookkeeping."""
        if frame.id == 0:
            return
        now = trio.current_time()
        left_at = self.liveness.pong(now, frame)
        if left_at is not None:
            self.clock.add(left_at, now, frame)

    def _pull_ping(self, now: float, max_bytes: int) -> bytes | None:
        if not self._ping_id:
            return None
        id_, self._ping_id = self._ping_id, 0
        self.liveness.ping_left(id_, now)
        return encode_frame(Ping(id_, int(now * 1e6)))

    def _pull_pong(self, now: float, max_bytes: int) -> bytes | None:
        """Answer the pings that wait, each with our clock when it came and when this leaves."""
        pongs = list(self._pongs)
        self._pongs.clear()
        utc_us = int(self._environment.utc_now() * 1e6)
        frames = [encode_frame(Pong(id_, came_us, int(now * 1e6), utc_us)) for id_, came_us in pongs]
        return b"".join(frames) or None

    # --- the peer's clock ------------------------------------------------------------------------------------------

    def peer_utc_now(self) -> float:
        """Return the peer's UTC in seconds: from the pings, before the first of them from its hello.

        The hello's is behind by the time it travelled, the pings' wrong by at most half the round trip.
        """
        now = trio.current_time()
        known = self.clock.peer_time(now)
        return self._from_hello(now - self._started_at) if known is None else known.utc_s

    def peer_utc_at_most(self) -> float:
        """Return the latest that the peer's UTC can be now: ages reckoned with it are never too small."""
        now = trio.current_time()
        known = self.clock.peer_time(now)
        return self._from_hello(now - self._opened_at) if known is None else known.utc_s + known.error_s

    def _from_hello(self, passed_s: float) -> float:
        return self._theirs.clock.utc_us * 1e-6 + passed_s
