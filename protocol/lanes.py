"""Who may send next: six lanes over one connection, the choice made at the last moment.

Lanes 0 and 1 go first, with at most 80 % of the bytes of any second while others wait. Lanes 2–5 share by
weight (deficit round robin), all of them against the delay-adapted cap. Sources inside a lane take turns.

Nothing is queued here: a source is asked for frames only when the socket has room, so what it hands over is
as fresh as can be, and what it still holds can be coalesced, cancelled or overtaken.
"""

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, Protocol

from protocol.delaycap import DelayCap
from protocol.strictshare import StrictShare

__all__ = ["Handle", "Lane", "Pick", "Scheduler", "Source"]


class Lane(IntEnum):
    """What kind of frame; lower goes first (0 and 1 strictly, 2–5 by weight)."""

    CONTROL = 0
    COMMAND = 1
    EVENT = 2
    ANSWER = 3
    LIVE = 4
    BULK = 5


_STRICT = (Lane.CONTROL, Lane.COMMAND)
_SHARED = (Lane.EVENT, Lane.ANSWER, Lane.LIVE, Lane.BULK)

_QUANTUM_BYTES = {Lane.EVENT: 16 * 1024, Lane.ANSWER: 8 * 1024, Lane.LIVE: 16 * 1024, Lane.BULK: 4 * 1024}
"""What a lane may send in its turn: the weights 4 : 2 : 4 : 1."""

_PULL_BYTES_MIN = 1024
"""A chunk with less room than this left is full: a source must not be made to cut crumbs."""

_BEHIND_STRICT_S = 0.002
"""A message is decoded whole, so a command waits for what shares its message: shared bytes may follow it only
as far as the line carries them in this time. On a fast line that saves a WebSocket message for every
acknowledgement."""

_RIDER_BYTES_MAX = 1024


class Source(Protocol):
    """One thing with frames to send: a channel, a body, a topic, a control queue."""

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        """Return one or more encoded frames, together at most `max_bytes`, or None when there is nothing now.

        A single frame may be longer (up to FRAME_BYTES_MAX). On lane BULK it is exactly one frame. After None
        the source is not asked again before its handle's `wake()`.
        """


class Pick(NamedTuple):
    """What goes out as one WebSocket message."""

    data: bytes
    """A CBOR sequence of frames."""
    counted: bool
    """It holds a frame of lanes 2–5."""
    compress: bool
    """Most of its bytes come from sources whose frames are worth compressing."""
    lanes: tuple[Lane, ...]


class Handle:
    """A source's place in its lane. Calls are cheap and may come at any time, also after `close()`."""

    __slots__ = ("_compress", "_is_closed", "_is_ready", "_is_riding", "_lane", "_scheduler", "_source")

    def __init__(self, scheduler: "Scheduler", lane: Lane, source: Source, compress: bool) -> None:
        self._scheduler = scheduler
        self._lane = lane
        self._source = source
        self._compress = compress
        self._is_ready = self._is_riding = self._is_closed = False

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "ready" if self._is_ready else "idle"
        return f"<Handle {self._lane.name} {self._source!r} {state}>"

    def wake(self) -> None:
        """Say that the source has something to send."""
        if not self._is_ready and not self._is_closed:
            self._is_ready = True
            self._scheduler._woken(self)

    def ride(self) -> None:
        """Say that the source has something small that may go along with whatever is sent next."""
        if not self._is_riding and not self._is_closed:
            self._is_riding = True
            self._scheduler._riders.append(self)

    def close(self) -> None:
        """Take the source out; it is not asked again."""
        if not self._is_closed:
            self._is_closed = True
            self._scheduler._closed(self)


class _Batch:
    """The frames of one pick."""

    __slots__ = ("compressible_bytes", "lanes", "parts", "size")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.lanes: list[Lane] = []
        self.size = 0
        self.compressible_bytes = 0

    def pull(self, handle: Handle, now: float, max_bytes: int) -> int:
        """Ask a source; return how many bytes it gave."""
        data = handle._source.pull(now, max_bytes)
        if not data:
            return 0
        self.parts.append(data)
        if handle._lane not in self.lanes:
            self.lanes.append(handle._lane)
        self.size += len(data)
        if handle._compress:
            self.compressible_bytes += len(data)
        return len(data)


class Scheduler:
    """Choose what one connection sends next. One writer calls `pick` and `sent`, one reader `on_received`.

    `on_ready` is called (synchronously, often) when there may be something to pick that was not before: set
    an event in it, do no more. `now` is monotonic seconds everywhere.
    """

    def __init__(self, now: float, on_ready: Callable[[], None] = lambda: None) -> None:
        self.cap = DelayCap(now)
        self._on_ready = on_ready
        self._ready: tuple[deque[Handle], ...] = tuple(deque() for _ in Lane)
        self._riders: list[Handle] = []
        self._share = StrictShare()
        self._deficit = dict.fromkeys(_SHARED, 0)
        self._turn = 0

    def __repr__(self) -> str:
        waiting = {lane.name: len(self._ready[lane]) for lane in Lane if self._ready[lane]}
        return f"<Scheduler waiting {waiting}, {self.cap!r}>"

    def register(self, lane: Lane, source: Source, *, compress: bool = True) -> Handle:
        """Give a source a place in a lane. It is asked after `wake()`. `compress=False`: its frames already
        are."""
        return Handle(self, lane, source, compress)

    def pick(self, now: float) -> Pick | None:
        """Take one chunk's worth of frames; None: nothing waits, or what waits is held (see `next_wake`).

        To be called when the socket has room. What it returns must be sent, or the connection ended.
        """
        others_wait = self._others_wait()
        is_strict = bool(self._ready[0] or self._ready[1])
        if not others_wait and not is_strict:
            return None
        chunk_bytes = self.cap.chunk_bytes
        batch = _Batch()
        if is_strict:
            allowance = self._share.allowance_bytes(now) if others_wait else chunk_bytes
            self._take_strict(batch, now, min(chunk_bytes, allowance))
        strict_bytes = batch.size
        if others_wait:
            room = chunk_bytes
            if strict_bytes:
                room = min(room - strict_bytes, int(self.cap.rate_bytes_s * _BEHIND_STRICT_S))
            if room >= _PULL_BYTES_MIN and self.cap.is_open:
                self._take_shared(batch, now, room)
            if not batch.size and not self._others_wait():
                # They had been woken, but had nothing to send after all.
                self._take_strict(batch, now, chunk_bytes)
                strict_bytes, others_wait = batch.size, False
        if not batch.size:
            return None
        self._share.note(now, strict_bytes if others_wait else 0, batch.size - strict_bytes)
        counted = batch.size > strict_bytes
        if self._riders:
            self._take_riders(batch, now)
        data = batch.parts[0] if len(batch.parts) == 1 else b"".join(batch.parts)
        return Pick(data, counted, 2 * batch.compressible_bytes > batch.size, tuple(batch.lanes))

    def sent(self, now: float, wire_bytes: int, counted: bool) -> None:
        """Note that a pick goes to the socket. `wire_bytes`: the WebSocket message, flag byte included.

        To be called *before* the write is awaited: the peer's `received` may be read before that returns.
        """
        if counted:
            self.cap.sent(now, wire_bytes)

    def on_received(self, now: float, total: int, hold_us: int) -> None:
        """Take a `received` frame. Raises RemoteProtocolError when it cannot be true."""
        was_open = self.cap.is_open
        self.cap.received(now, total, hold_us)
        if not was_open and self.cap.is_open and self._others_wait():
            self._on_ready()

    def next_wake(self, now: float) -> float | None:
        """Return when `pick` is to be tried again although nothing was woken or acknowledged, or None."""
        is_held = (self._ready[0] or self._ready[1]) and self._others_wait()
        if is_held and self._share.allowance_bytes(now) <= 0:
            return self._share.changes_at()
        return None

    def _woken(self, handle: Handle) -> None:
        self._ready[handle._lane].append(handle)
        self._on_ready()

    def _closed(self, handle: Handle) -> None:
        if handle._is_ready:
            self._ready[handle._lane].remove(handle)
        if handle._is_riding:
            self._riders.remove(handle)
        handle._is_ready = handle._is_riding = False

    def _others_wait(self) -> bool:
        ready = self._ready
        return bool(ready[2] or ready[3] or ready[4] or ready[5])

    def _ask(self, batch: _Batch, lane: Lane, now: float, max_bytes: int) -> int:
        """Pull from the lane's next source and give the turn to the one behind it."""
        queue = self._ready[lane]
        handle = queue[0]
        # Out of the queue while it is asked: a pull may close its own handle, or wake it again.
        queue.popleft()
        handle._is_ready = False
        taken = batch.pull(handle, now, max_bytes)
        if taken and not handle._is_closed and not handle._is_ready:
            handle._is_ready = True
            queue.append(handle)
        return taken

    def _take_strict(self, batch: _Batch, now: float, room: int) -> None:
        for lane in _STRICT:
            while self._ready[lane] and room > 0:
                room -= self._ask(batch, lane, now, room)

    def _take_shared(self, batch: _Batch, now: float, room: int) -> None:
        has_bulk = False
        while room >= _PULL_BYTES_MIN:
            lane = self._next_lane(has_bulk)
            if lane is None:
                return
            taken = self._ask(batch, lane, now, room)
            room -= taken
            self._deficit[lane] -= taken
            has_bulk = has_bulk or (lane is Lane.BULK and taken > 0)

    def _next_lane(self, has_bulk: bool) -> Lane | None:
        candidates = [lane for lane in _SHARED if self._ready[lane] and not (has_bulk and lane is Lane.BULK)]
        if not candidates:
            return None
        if len(candidates) == 1 and not has_bulk:
            # Alone: no account is kept, so that nobody starts with a debt from when the line was free.
            self._deficit[candidates[0]] = 0
            return candidates[0]
        while True:
            lane = _SHARED[self._turn]
            if lane in candidates and self._deficit[lane] > 0:
                return lane
            self._turn = (self._turn + 1) % len(_SHARED)
            lane = _SHARED[self._turn]
            quantum = _QUANTUM_BYTES[lane]
            # What a lane did not use while it had nothing is not saved up; what it sent too much it pays
            # back.
            self._deficit[lane] = min(quantum, self._deficit[lane] + quantum) if self._ready[lane] else 0

    def _take_riders(self, batch: _Batch, now: float) -> None:
        riders, self._riders = self._riders, []
        for handle in riders:
            handle._is_riding = False
            batch.pull(handle, now, _RIDER_BYTES_MAX)
