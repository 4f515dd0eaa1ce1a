"""One direction of one connection under faults: bytes are laid on, and are handed over when their time comes.

What was laid on before is always handed over before. The faults are a `Plan`; another may be adopted at any time, and
what is under way keeps its time of arrival but for what the plan says.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from chaos.faults import Stream
from chaos.model.counts import Counts
from chaos.model.plan import PLAIN, Plan
from chaos.simnet.link import OneWay
from chaos.simnet.loss import Recovery
from chaos.simnet.pipe import Flight, Mark

__all__ = ["SLOW_PIECE_BYTES", "UNDER_WAY_BYTES", "Belt", "Parcel", "Timer"]

SLOW_PIECE_BYTES = 4 * 1024
"""Through a line: a modem takes segments, and what is large keeps the others waiting."""

UNDER_WAY_BYTES = 16 * 1024 * 1024
"""On one belt; past it the sender waits, as at a window that is full."""

SLICED_BYTES = 16 * 1024
"""On one belt that slices: a slice may be a byte, and each waits on its own."""


class Timer(Protocol):
    """Calls back at a time. What is due within `slack_s` is due now."""

    slack_s: float

    def at(self, when: float, do: Callable[[float], None]) -> None:
        """Have `do(now)` called at `when`, in Trio's time; it neither blocks nor raises."""


class Parcel(Flight):
    """Bytes under way, or the end of the stream. Times are Trio's; an arrival of `inf` is stuck."""

    __slots__ = ("taken_at",)

    def __init__(self, arrival: float, data: bytes | Mark, taken_at: float) -> None:
        super().__init__(arrival, arrival, data)
        self.taken_at = taken_at


class Belt:
    """Whoever carries makes a subclass that hands over (`_hand`) and ends (`_end`, `_limit`, `_fail`); these do not block.

    `twin`, the other direction, must be set: its delay is half of a loss's round trip.
    """

    twin: "Belt"

    def __init__(self, stream: Stream, timer: Timer, counts: Counts) -> None:
        self.stream = stream
        self.plan: Plan = PLAIN
        self.airs: dict[str, OneWay] = {}
        self.is_forgotten = False
        self.has_swallowed = False
        self.has_ended_unheard = False
        self.active_at = trio.current_time()
        self._timer = timer
        self._counts = counts
        self._recovery = Recovery()
        self._flying: deque[Parcel] = deque()
        self._under_way_bytes = 0
        self._passed: dict[str, int] = {}
        self._sliced_until = 0.0
        self._frozen_at = 0.0
        self._armed_for = math.inf
        self._is_full = False

    # --- who carries ---------------------------------------------------------------------------------------------

    def _hand(self, data: bytes) -> int:
        """Hand over as much as is taken, and return how much; OSError when nothing ever will be."""
        raise NotImplementedError

    def _end(self) -> None:
        """The end of the stream has come."""
        raise NotImplementedError

    def _limit(self) -> None:
        """As many bytes as may have passed."""
        raise NotImplementedError

    def _fail(self) -> None:
        """Nothing can be handed over any more."""
        raise NotImplementedError

    def _admit(self) -> None:
        """More may be laid on, perhaps."""
        raise NotImplementedError

    def _slow_down(self) -> None:
        """A line stands before the belt now: what is kept in front of it would be a second queue."""

    # --- faults --------------------------------------------------------------------------------------------------

    def adopt(self, plan: Plan, now: float) -> None:
        """Go on under another plan. What is under way keeps its arrival, later by as long as it was frozen."""
        before, self.plan = self.plan, plan
        if plan.frozen and not before.frozen:
            self._frozen_at = now
        elif before.frozen and not plan.frozen:
            self._postpone(now - self._frozen_at)
        if plan.largest_bytes > before.largest_bytes:
            for parcel in self._flying:
                if parcel.arrival == math.inf:
                    parcel.arrival = now
        if before.slicer is not None and plan.slicer != before.slicer:
            self._sliced_until = 0.0
            self.hasten(0.0, now)
        self._passed = {name: self._passed.get(name, 0) for name in plan.limits}
        if plan.lines and not before.lines:
            self._slow_down()
        self._flush(now)
        self._admit()

    def hasten(self, factor: float, now: float) -> None:
        """Let what has not left the modem's queue leave it in `factor` times the time: the line changed its rate."""
        for parcel in self._flying:
            if parcel.departure > now and parcel.arrival < math.inf:
                earlier = (parcel.departure - now) * (1.0 - factor)
                parcel.departure -= earlier
                parcel.arrival -= earlier

    @property
    def is_deaf(self) -> bool:
        """Whether what it is given vanishes."""
        return self.plan.swallowing or self.is_forgotten

    def forget(self) -> None:
        """Let everything vanish from now on, and tell nobody."""
        self.is_forgotten = self.has_swallowed = True
        self.discard()
        self._admit()

    def discard(self) -> None:
        """Drop what is under way."""
        self._flying.clear()
        self._under_way_bytes = 0

    # --- laying on -----------------------------------------------------------------------------------------------

    def _may_take_at(self, now: float) -> float:
        """Return from when on more may be laid on: `now` or earlier is now, `inf` is when `_admit` says so."""
        if self.plan is PLAIN:
            return now if self._under_way_bytes < UNDER_WAY_BYTES else math.inf
        if self.plan.frozen or self._under_way_bytes >= UNDER_WAY_BYTES:
            return math.inf
        if self.plan.slicer and self._under_way_bytes >= SLICED_BYTES:
            return math.inf
        return max((line.room_at(SLOW_PIECE_BYTES, now) for line in self.plan.lines), default=now)

    def _take(self, data: bytes, now: float) -> None:
        plan = self.plan
        if self.is_deaf:
            self.has_swallowed = True
            self._counts.swallowed[self.stream] += len(data)
            return
        begins = max(now, self._sliced_until) if plan.slicer else now
        for after_s, piece in plan.pieces(data):
            at = begins + after_s
            if plan.slicer:
                self._sliced_until = at + plan.slicer.delay_s
            for line in plan.lines:
                departure, _ = line.carry(len(piece), at)
                at = line.real(departure)
            parcel = Parcel(at, piece, now)
            for air in plan.airs:
                parcel.arrival += air.carry(0, at)[1] - at
            if plan.stall.loss or self.twin.plan.stall.loss:
                self._recovery.send(parcel, len(piece), plan.stall, self.twin.plan.stall)
            if len(piece) > plan.largest_bytes:
                parcel.arrival = math.inf
            self._append(parcel)
        self._arm()

    def _take_end(self, now: float) -> None:
        arrival = max(now, self._flying[-1].arrival) if self._flying else now
        for air in self.plan.airs:
            arrival = max(arrival, air.carry(0, now)[1])
        self._append(Parcel(arrival + self.plan.slow_close_s, Mark.FIN, now))
        self._flush(now)

    def _append(self, parcel: Parcel) -> None:
        self._flying.append(parcel)
        if isinstance(parcel.data, bytes):
            self._under_way_bytes += len(parcel.data)

    # --- handing over --------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._flying and not self._is_full and not self.plan.frozen:
            arrival = self._flying[0].arrival
            if arrival < self._armed_for:
                self._armed_for = arrival
                self._timer.at(arrival, self._due)

    def _due(self, now: float) -> None:
        if now >= self._armed_for - self._timer.slack_s:
            self._armed_for = math.inf
        self._flush(now)

    def _flush(self, now: float) -> None:
        """Hand over what has arrived, as far as it is taken."""
        flying = self._flying
        due = now + self._timer.slack_s
        while flying and not self._is_full and not self.plan.frozen and flying[0].arrival <= due:
            if not self._deliver(flying[0], now):
                break
        self._arm()
        if self._under_way_bytes < (SLICED_BYTES if self.plan.slicer else UNDER_WAY_BYTES):
            self._admit()

    def _deliver(self, parcel: Parcel, now: float) -> bool:
        """Hand over one parcel; return whether to go on with the next."""
        data = parcel.data
        if isinstance(data, Mark):
            self._flying.popleft()
            self._end()
            return False
        left = min(
            (limit - self._passed[name] for name, limit in self.plan.limits.items()), default=len(data)
        )
        if left <= 0:
            self._limit()
            return False
        try:
            sent = self._hand(data[:left])
        except OSError:
            self.discard()
            self._fail()
            return False
        self._counts.sent[self.stream] += sent
        self._under_way_bytes -= sent
        for name in self._passed:
            self._passed[name] += sent
        if any(self._passed[name] >= limit for name, limit in self.plan.limits.items()):
            self._limit()
            return False
        if sent < len(data):
            parcel.data = data[sent:]
            if sent < left:
                self._block()
                return False
            return True
        self._flying.popleft()
        self._counts.delay_s[self.stream] += now - parcel.taken_at
        return True

    def _block(self) -> None:
        self._is_full = True

    def _postpone(self, by_s: float) -> None:
        for parcel in self._flying:
            parcel.arrival += by_s
            parcel.departure += by_s
        self._armed_for = math.inf
